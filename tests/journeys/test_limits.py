"""Journey: limits of programs, from the configuration to the running child."""

from __future__ import annotations

import json
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest

from supervisor.common.limit_values import parse_ioprio
from tests.support import proctable
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.strangers import UID, needs_root
from tests.support.tables import assert_none
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

CPU = min(os.sched_getaffinity(0))
HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def program(name: str, options: str = "", kind: str = "program") -> str:
    """Return the section of a program that writes its limits into `NAME.log` and stays."""
    return (
        f"[{kind}:{name}]\ncommand={child('limits', 'stay')}\nstartsecs=0\n"
        f"stderr_logfile=%(here)s/{name}%(process_num)d.err\n"
        f"stdout_logfile=%(here)s/{name}%(process_num)d.log\n{options}\n"
    )


def shown(daemon: Daemon, name: str, number: int = 0) -> dict[str, Any]:
    """Return the limits that the latest run of a program has written."""
    found: dict[str, Any] = json.loads(
        daemon.wait_for_text(f"{name}{number}.log", "}\n").splitlines()[-1]
    )
    return found


UNPRIVILEGED = f"""\
rlimit_nofile=64:128
rlimit_core=0
rlimit_as=1024GB
rlimit_cpu=1000:
nice=3
ioprio=best-effort:7
oom_score_adj=700
cpu_affinity={CPU}
pdeathsig=USR1
"""
EXPECTED = {
    "rlimit_nofile": [64, 128],
    "rlimit_core": [0, 0],
    "rlimit_as": [1024**4, 1024**4],
    "nice": 3,
    "ioprio": parse_ioprio("best-effort:7"),
    "oom_score_adj": 700,
    "cpu_affinity": [CPU],
    "pdeathsig": signal.SIGUSR1,
}


def test_every_kind_of_program_has_its_limits(directory: Path) -> None:
    config = (
        program("web", UNPRIVILEGED)
        + program("plain")
        + program("listener", f"events=TICK_3600\n{UNPRIVILEGED}", "eventlistener")
        + program("app", f"socket=unix://%(here)s/app.sock\n{UNPRIVILEGED}", "fcgi-program")
    )
    with Daemon(directory, config) as daemon:
        for name in ("web", "listener", "app"):
            daemon.wait_for_state(name, "RUNNING")
            found = shown(daemon, name)
            assert {each: found[each] for each in EXPECTED} == EXPECTED
            assert found["rlimit_cpu"][0] == 1000
        plain = shown(daemon, "plain")
        assert (plain["nice"], plain["pdeathsig"], plain["rlimit_core"]) == (
            os.getpriority(os.PRIO_PROCESS, daemon.pid),
            0,
            list(resource.prlimit(daemon.pid, resource.RLIMIT_CORE)),
        )


@needs_root
def test_programs_of_another_user(directory: Path) -> None:
    """Limits that only root may raise are set before the user changes."""
    directory.chmod(0o755)
    options = "nice=-5\nioprio=realtime:3\ngroup=12345\nsupplementary_groups=1, 2\npdeathsig=TERM"
    config = program("web", f"user=nobody\n{UNPRIVILEGED}\n{options}".replace("nice=3\n", ""))
    config = config.replace("ioprio=best-effort:7\n", "").replace("pdeathsig=USR1\n", "")
    config += program("grouped", "group=7")
    with Daemon(directory, config) as daemon:
        found = shown(daemon, "web")
        assert (found["uid"], found["gid"], found["groups"]) == (UID, 12345, [1, 2, 12345])
        assert (found["nice"], found["ioprio"]) == (-5, parse_ioprio("realtime:3"))
        assert (found["pdeathsig"], found["oom_score_adj"]) == (signal.SIGTERM, 700)
        found = shown(daemon, "grouped")
        assert (found["uid"], found["gid"], found["groups"]) == (0, 7, sorted(os.getgroups()))


@needs_root
def test_a_daemon_without_privileges_reports_the_limit_that_it_cannot_set(directory: Path) -> None:
    """In the activity log, in the program's log, and to clients; the rest is not tried."""
    os.chown(directory, UID, UID)
    cases = {
        "rlimit_nofile": (f"{HARD}:{HARD + 1}", "EPERM"),
        "nice": ("-1", "EACCES"),
        "ioprio": ("realtime", "EPERM"),
        "oom_score_adj": ("-1000", "EACCES"),
        "cpu_affinity": ("8000-8191", "EINVAL"),
        "group": ("0", "EPERM"),
        "supplementary_groups": ("0", "EPERM"),
    }
    allowed = UNPRIVILEGED.replace("oom_score_adj=700\n", "")
    config = f"user={UID}\n" + program("fine", allowed) + program("own", f"group={UID}")
    config += "".join(
        program(name, f"{name}={value}\nstartretries=0") for name, (value, _) in cases.items()
    )
    with Daemon(directory, config) as daemon:
        reasons = {name: daemon.wait_for_state(name, "FATAL")["spawnerr"] for name in cases}
        expected = {name: f"couldn't set {name}: {symbol}" for name, (_, symbol) in cases.items()}
        assert reasons == expected
        log = daemon.log_text()
        assert_none(
            name
            for name, reason in expected.items()
            if f"spawnerr: {reason}" not in log
            or daemon.text(f"{name}0.err")
            != f"supervisor: {reason}\nsupervisor: child process was not spawned\n"
        )
        start = daemon.ctl("start", "nice")
        assert (start.stdout, start.returncode) == ("nice: ERROR (spawn error)\n", 7)
        assert "couldn't set nice: EACCES" in daemon.ctl("status", "nice").stdout
        found = shown(daemon, "fine")
        allowed_values = {**EXPECTED, "oom_score_adj": found["oom_score_adj"]}
        assert {each: found[each] for each in EXPECTED} == allowed_values
        assert shown(daemon, "own")["gid"] == UID
        assert "option 'oom_score_adj' in section 'program:oom_score_adj'" in log


CONTAINED = (
    *("prlimit", "--nofile=1024:4096"),
    *("setpriv", "--bounding-set", "-sys_resource", "--inh-caps", "-sys_resource"),
)
"""Prefix of a command of root without CAP_SYS_RESOURCE, as in a container (capabilities(7))."""


@needs_root
def test_root_of_a_container_cannot_raise_a_hard_limit(directory: Path) -> None:
    """It can lower it, and raise a soft limit; a program never runs with less than configured."""
    refused = ("4097", "1024:4097", "unlimited")
    allowed = {"4096": [4096, 4096], "4096:": [4096, 4096], "512:2048": [512, 2048]}
    config = "".join(
        program(f"x{number}", f"rlimit_nofile={value}\nstartretries=0")
        for number, value in enumerate([*refused, *allowed])
    )
    with Daemon(directory, config, within=CONTAINED) as daemon:
        for number in range(len(refused)):
            info = daemon.wait_for_state(f"x{number}", "FATAL")
            assert info["spawnerr"] == "couldn't set rlimit_nofile: EPERM"
        for number, limits in enumerate(allowed.values(), len(refused)):
            assert shown(daemon, f"x{number}")["rlimit_nofile"] == limits


def test_changed_limits_restart_a_program_at_an_update(directory: Path) -> None:
    numbers = "numprocs=2\nprocess_name=%(program_name)s_%(process_num)d\n"
    with Daemon(directory, program("web", f"{numbers}nice=1")) as daemon:
        assert [shown(daemon, "web", number)["nice"] for number in (0, 1)] == [1, 1]
        daemon.write_config(program("web", f"{numbers}nice=2\ncpu_affinity={CPU}"))
        assert daemon.ctl("reread").stdout == "web: changed\n"
        assert daemon.ctl("update").stdout.splitlines()[-1] == "web: updated process group"
        for number in (0, 1):
            wait_until(lambda number=number: shown(daemon, "web", number)["nice"] == 2)
        daemon.write_config(program("web", f"{numbers}nice=2\nrlimit_as=some"))
        reread = daemon.ctl("reread")
        assert "not a size, such as 512MB or 2GB: 'some' in section 'program:web'" in reread.stdout


def test_a_program_ends_with_a_daemon_that_is_killed(directory: Path) -> None:
    config = program("bound", "pdeathsig=KILL") + program("free")
    with Daemon(directory, config) as daemon:
        daemon.may_leave_processes = True
        bound, free = (daemon.wait_for_state(name, "RUNNING")["pid"] for name in ("bound", "free"))
        for name in ("bound", "free"):  # a later line would end it: the pipe has no reader then
            shown(daemon, name)
        daemon.signal(signal.SIGKILL)
        wait_until(lambda: not proctable.is_alive(bound))
        assert proctable.is_alive(free)


def test_a_readiness_check_has_the_groups_alone(directory: Path) -> None:
    """Limits such as CPU time are those of the program, its check needs its own."""
    check = "/bin/sh -c 'ulimit -n >%(here)s/check; id -g >>%(here)s/check'"
    options = f"rlimit_nofile=64\ngroup={os.getgid()}\nreadiness_check_script={check}"
    with Daemon(directory, program("web", options)) as daemon:
        daemon.wait_for_state("web", "RUNNING")
        nofile, gid = daemon.text("check").split()
    assert nofile != "64"
    assert int(gid) == os.getgid()
