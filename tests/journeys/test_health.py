"""Running programs that fail: checks, watchdog, memory and time, with real children."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.ports import free_port
from tests.support.strangers import give_away, needs_root
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

GO, FAIL = "%(here)s/go", "%(here)s/fail"

QUICK = """
startsecs=0
liveness_check_initial_delay=0
liveness_check_period=100ms
liveness_check_timeout=5s
liveness_check_failure_threshold=2
"""

SLEEPER = f"[program:x]\ncommand={child('sleeper')}\n{QUICK}"
CHECKED = f"{SLEEPER}liveness_check_script=test ! -e {FAIL}\n"


def health(daemon: Daemon) -> str:
    """Return the field of that name."""
    details: Any = daemon.rpc.supervisor.getProcessDetails("x")
    return str(details["health"])


def events_of(daemon: Daemon, name: str) -> list[str]:
    """Return the payloads of one type that the listener has recorded."""
    lines = daemon.text("events").splitlines()
    found = []
    for number, line in enumerate(lines):
        if f"eventname:{name} " in line:
            found.append("\n".join(lines[number + 1 : number + 3]))
    return found


CHECKS = {
    "tcp": (f"command={child('readies', 'tcp', GO, '<port>')}", "tcp://localhost:<port>"),
    "http": (
        f"command={child('readies', 'http', GO, '<port>')}",
        "http://127.0.0.1:<port>/health",
    ),
    "unix": (
        f"command={child('readies', 'unix', GO, '%(here)s/x.sock')}",
        "unix://%(here)s/x.sock",
    ),
    "command": (f"command={child('sleeper')}", f"test -e {GO}"),
}


@pytest.mark.parametrize("kind", CHECKS)
def test_a_program_that_does_not_answer_is_restarted(directory: Path, kind: str) -> None:
    """As often as it takes; then its checks succeed, and it is left alone."""
    command, script = CHECKS[kind]
    quick = QUICK.replace("delay=0", "delay=2")  # enough for a start on a busy machine
    config = f"[program:x]\n{command}\n{quick}liveness_check_script={script}\n"
    with Daemon(directory, config.replace("<port>", str(free_port()))) as daemon:
        daemon.wait_for_log("restarting x: liveness check failed 2 times in a row: ")
        wait_until(lambda: daemon.rpc.supervisor.getProcessDetails("x")["restarts"] >= 1)
        (directory / "go").touch()
        wait_until(lambda: health(daemon) == "ok", 30)
        details: Any = daemon.rpc.supervisor.getProcessDetails("x")
        assert details["description"].count(",") == 1
        assert "Traceback" not in daemon.log_text()


def test_what_an_operator_sees(directory: Path) -> None:
    config = CHECKED.replace("failure_threshold=2", "failure_threshold=20")
    with Daemon(directory, config) as daemon:
        wait_until(lambda: health(daemon) == "ok")
        assert "health" not in daemon.ctl("status").stdout
        (directory / "fail").touch()
        wait_until(lambda: health(daemon).startswith("failing ("))
        status = daemon.ctl("status").stdout
        assert ", health: failing (" in status
        assert "/20)" in status
        explained = daemon.ctl("explain", "x").stdout
        assert ", health: failing (" in explained
        assert re.search(r"\n  Health: failing \(\d+/20\) since .*: exit status 1\.\n", explained)
        (directory / "fail").unlink()
        daemon.wait_for_log("x: liveness check ok")
        assert "x: liveness check failing (1/20): exit status 1" in daemon.log_text()


LISTENER = f"""
[eventlistener:events]
command={child("listener", "%(here)s/events")}
events=PROCESS_HEALTH_OK,PROCESS_HEALTH_FAILED
"""


def test_a_listener_gets_the_verdicts(directory: Path) -> None:
    with Daemon(directory, f"{CHECKED}{LISTENER}") as daemon:
        wait_until(lambda: events_of(daemon, "PROCESS_HEALTH_OK"))
        pid = daemon.info("x")["pid"]
        (directory / "fail").touch()
        wait_until(lambda: events_of(daemon, "PROCESS_HEALTH_FAILED"))
        head = f"processname:x groupname:x pid:{pid} failures:"
        assert events_of(daemon, "PROCESS_HEALTH_OK")[0] == f"{head}0\n"
        assert events_of(daemon, "PROCESS_HEALTH_FAILED")[0] == f"{head}2\nexit status 1"


def test_restarts_by_checks_reach_the_start_limit(directory: Path) -> None:
    config = f"{CHECKED}startlimit_burst=2\nstartlimit_interval=1h\n"
    (directory / "fail").touch()
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("x", "FATAL", seconds=20)
        assert daemon.info("x")["spawnerr"] == (
            "restarted 2 times in 3600 seconds (startlimit_burst)"
        )


def test_a_daemon_exits_with_11_because_of_a_check(directory: Path) -> None:
    """`stop` is for good, so an essential program ends the daemon."""
    config = f"{CHECKED}liveness_check_failure_action=stop\nessential=true\n"
    daemon = Daemon(directory, config)
    with daemon:
        daemon.wait_for_state("x", "RUNNING")
        (directory / "fail").touch()
        assert daemon.wait_for_exit() == 11
    line = (
        "exiting with status 11 because of 'x' (FATAL, liveness check failed 2 times in a row:"
        " exit status 1)"
    )
    assert line in daemon.log_text()


def test_a_command_that_restarts_the_program(directory: Path) -> None:
    """It is not killed with the run of the program that it ends."""
    daemon = Daemon(directory, "")
    ctl = f"{daemon.client_script()} -c {daemon.config_path}"
    script = f"echo $SUPERVISOR_PROCESS_NAME >{FAIL}.log; rm {FAIL}; exec {ctl} restart x"
    daemon.write_config(f"{CHECKED}liveness_check_failure_action=/bin/sh -c '{script}'\n")
    with daemon:
        wait_until(lambda: health(daemon) == "ok")
        before = daemon.info("x")["pid"]
        (directory / "fail").touch()
        wait_until(lambda: daemon.info("x")["pid"] not in {0, before})
        daemon.wait_for_state("x", "RUNNING")
        assert daemon.text("fail.log") == "x\n"
        details: Any = daemon.rpc.supervisor.getProcessDetails("x")
        assert (details["starts"], details["restarts"]) == (2, 0)


@needs_root
def test_a_check_runs_as_the_user_of_the_program(directory: Path) -> None:
    directory.chmod(0o755)
    (directory / "out").mkdir()
    give_away(directory / "out")
    config = f"{SLEEPER}user=nobody\ndirectory=%(here)s/out\nenvironment=A=b\n"
    config += "liveness_check_script=/bin/sh -c 'id -un >user; pwd >>user; echo $A >>user'\n"
    with Daemon(directory, config) as daemon:
        wait_until(lambda: health(daemon) == "ok")
        assert daemon.text("out/user").split() == ["nobody", str(directory / "out"), "b"]


# -- watchdog ------------------------------------------------------------------------------


@pytest.mark.parametrize("reaction", ["dies", "exits", "ignores"])
@pytest.mark.parametrize("notify", ["true", "all"])
def test_a_program_that_hangs_is_aborted(directory: Path, reaction: str, notify: str) -> None:
    """The end is never expected; what ignores SIGABRT is killed."""
    config = f"""
        [program:x]
        command={child("pings", GO, reaction)}
        startsecs=0
        stopwaitsecs=1
        notify={notify}
        watchdog=700ms
        autorestart=false
    """
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("x", "RUNNING")
        assert daemon.text("go.env") == "700000 True\n"
        (directory / "go").touch()
        daemon.wait_for_state("x", "EXITED")
        log = daemon.log_text()
        assert "with SIGABRT: watchdog: no WATCHDOG=1 for 0.7 seconds" in log
        assert ("with SIGKILL" in log) == (reaction == "ignores")
        assert "not expected)" in log
        assert daemon.info("x")["spawnerr"] == "watchdog: no WATCHDOG=1 for 0.7 seconds"
        assert daemon.info("x")["exitstatus"] == -1


def test_a_program_that_hangs_is_restarted(directory: Path) -> None:
    """Once the file is gone, the next run reports as it should."""
    config = f"[program:x]\ncommand={child('pings', GO, 'dies')}\nstartsecs=0\n"
    with Daemon(directory, f"{config}notify=true\nwatchdog=700ms\n") as daemon:
        daemon.wait_for_state("x", "RUNNING")
        (directory / "go").touch()
        daemon.wait_for_log("aborting 'x'")
        (directory / "go").unlink()
        wait_until(lambda: daemon.rpc.supervisor.getProcessDetails("x")["restarts"] >= 1)
        daemon.wait_for_state("x", "RUNNING")
        assert "watchdog: no WATCHDOG=1" in daemon.ctl("explain", "x").stdout


# -- memory and time -----------------------------------------------------------------------

EATS = """
import os, signal, sys
if os.path.exists(sys.argv[1]) and not os.fork():
    eaten = b"x" * 64_000_000
while True:
    signal.pause()
"""


def test_a_program_whose_descendants_use_too_much_memory(directory: Path) -> None:
    (directory / "x.py").write_text(EATS, encoding="utf-8")
    (directory / "go").touch()
    python = child("sleeper").partition(" ")[0]
    config = f"""
        [program:x]
        command={python} -S %(here)s/x.py {GO}
        startsecs=0
        stopasgroup=true
        max_memory_restart=60MB
        memory_check_period=200ms
    """
    with Daemon(directory, config) as daemon:
        daemon.wait_for_log("restarting x: uses ", seconds=20)
        assert "MB of memory (max_memory_restart: 60.0 MB)" in daemon.log_text()
        (directory / "go").unlink()
        daemon.wait_for_state("x", "RUNNING")
        wait_until(lambda: daemon.rpc.supervisor.getProcessDetails("x")["restarts"] >= 1)


def test_a_program_that_has_run_long_enough(directory: Path) -> None:
    config = f"{SLEEPER}max_runtime=500ms\nmax_runtime_jitter=100ms\nnumprocs=3\n"
    config += "process_name=%(program_name)s%(process_num)d\n"
    with Daemon(directory, config.replace(QUICK, "startsecs=0\n")) as daemon:

        def restarts() -> list[int]:
            details: Any = daemon.rpc.supervisor.getAllProcessDetails()
            return [each["restarts"] for each in details]

        wait_until(lambda: min(restarts()) >= 2, 20)
        assert "restarting x0: has run for 0.5 seconds (max_runtime)" in daemon.log_text()
        assert "WARN" not in daemon.log_text().replace("WARN stopped", "")
