"""Hooks of real programs: their output, their environment, and every way to interrupt them."""

from __future__ import annotations

import json
import signal
import time
import xmlrpc.client
from pathlib import Path

import pytest

from tests.support import proctable
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.strangers import needs_root
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

PROGRAM = f"[program:x]\nautostart=false\nstartsecs=0\ncommand={child('sleeper')}\n"


def shell(script: str) -> str:
    """Return a command that runs a script."""
    return f'/bin/sh -c "{script}"'


def blocked(name: str, after: str = "") -> str:
    """Return a hook that runs until the file `NAME.go` exists."""
    wait = f"while ! test -e %(here)s/{name}.go; do sleep 0.02; done"
    return f"{name}={shell(f'echo begun; {wait}; echo ended; {after}')}\n"


def running(daemon: Daemon, name: str) -> bool:
    """Whether a hook of the program is running."""
    return f"running {name}" in str(daemon.info("x")["description"])


# -- output --------------------------------------------------------------------------------

PRINTS = f"pre_start_hook={shell('echo one; echo two >&2; printf three')}\n"
LINES = ["[pre_start_hook] one", "[pre_start_hook] two", "[pre_start_hook] three"]

LOGS = {
    "raw": ("stdout_logfile=%(here)s/log", "log", LINES),
    "merged": ("stdout_logfile=%(here)s/log\nredirect_stderr=true", "log", LINES),
    "only stderr": ("stdout_logfile=NONE\nstderr_logfile=%(here)s/log", "log", LINES),
    "copy": ("stdout_logfile=NONE\nstdout_tee=%(here)s/log\nstdout_tee_format=raw", "log", LINES),
    "several": ("stdout_logfile=%(here)s/other, %(here)s/log", "log", LINES),
    "template": (
        "stdout_logfile=%(here)s/log\nstdout_logfile_format=<%(process_name)s %(message)s>",
        "log",
        [f"<x {line}>" for line in LINES],
    ),
}


@pytest.mark.parametrize("kind", LOGS)
def test_output_is_in_the_log_of_the_program(directory: Path, kind: str) -> None:
    """Marked, complete, and before the output of the program."""
    options, file, lines = LOGS[kind]
    with Daemon(directory, f"{PROGRAM}{options}\n{PRINTS}") as daemon:
        before = proctable.fd_count(daemon.pid)
        daemon.rpc.supervisor.startProcess("x")
        assert daemon.text(file).splitlines()[: len(lines)] == lines
        daemon.rpc.supervisor.stopProcess("x")
        wait_until(lambda: proctable.fd_count(daemon.pid) == before)


def test_output_in_other_logs(directory: Path) -> None:
    """An AUTO log, JSON with the pid of the hook, and no log at all."""
    config = (
        f"{PROGRAM}{PRINTS}"
        f"[program:json]\nautostart=false\nstartsecs=0\ncommand={child('sleeper')}\n"
        f"stdout_logfile=%(here)s/json.log\nstdout_logfile_format=json\n{PRINTS}"
        f"[program:none]\nautostart=false\nstartsecs=0\ncommand={child('sleeper')}\n"
        f"stdout_logfile=NONE\nstderr_logfile=NONE\n{PRINTS}"
    )
    with Daemon(directory, config) as daemon:
        daemon.rpc.supervisor.startAllProcesses()
        auto = Path(str(daemon.info("x")["stdout_logfile"]))
        assert auto.read_text(encoding="utf-8").splitlines()[:3] == LINES
        records = [json.loads(line) for line in daemon.text("json.log").splitlines()[:3]]
        assert [each["message"] for each in records] == LINES
        (pid,) = {each["pid"] for each in records}
        assert pid != daemon.info("json")["pid"]
        assert daemon.info("none")["statename"] == "RUNNING"


def test_a_hook_that_floods_and_leaves_a_child(directory: Path) -> None:
    """All of its lines are logged, and nothing of it is left."""
    script = "sleep 1000 & i=0; while test $i -lt 20000; do echo $i; i=$((i+1)); done"
    log = "stdout_logfile=%(here)s/log\nstdout_logfile_maxbytes=0\n"
    with Daemon(directory, f"{PROGRAM}{log}pre_start_hook={shell(script)}") as daemon:
        before = proctable.fd_count(daemon.pid)
        daemon.rpc.supervisor.startProcess("x")
        lines = daemon.text("log").splitlines()
        assert lines[:20000] == [f"[pre_start_hook] {number}" for number in range(20000)]
        daemon.rpc.supervisor.stopProcess("x")
        wait_until(lambda: proctable.fd_count(daemon.pid) == before)
        wait_until(lambda: proctable.children(daemon.pid) == [])


def test_a_log_that_is_moved_while_a_hook_is_running(directory: Path) -> None:
    """SIGUSR2 reopens the log of a program whose child does not exist yet."""
    log = "stdout_logfile=%(here)s/log\n"
    with Daemon(directory, f"{PROGRAM}{log}{blocked('pre_start_hook')}") as daemon:
        daemon.rpc.supervisor.startProcess("x", False)
        daemon.wait_for_text("log", "begun")
        (directory / "log").rename(directory / "old")
        daemon.signal(signal.SIGUSR2)
        wait_until((directory / "log").exists)
        (directory / "pre_start_hook.go").touch()
        daemon.wait_for_text("log", "[pre_start_hook] ended")


# -- surroundings --------------------------------------------------------------------------


@needs_root
def test_user_directory_and_environment(directory: Path) -> None:
    """Those of the program, with its own variables and files."""
    directory.chmod(0o755)
    (directory / "d").mkdir()
    (directory / "a.env").write_text("SECRET=from a file\n", encoding="utf-8")
    (directory / "a.env").chmod(0o600)
    script = "id -un; pwd; umask; echo $OWN, $SECRET, $SUPERVISOR_PROCESS_NAME, $SUPERVISOR_HOOK"
    config = (
        f"{PROGRAM}user=nobody\ndirectory=%(here)s/d\numask=027\nenvironment=OWN=own\n"
        f"envfiles=%(here)s/a.env\nstdout_logfile=%(here)s/log\npre_start_hook={shell(script)}\n"
    )
    with Daemon(directory, config) as daemon:
        daemon.rpc.supervisor.startProcess("x")
        expected = ["nobody", f"{directory}/d", "0027", "own, from a file, x, pre_start_hook"]
        found = daemon.text("log").splitlines()[:4]
        assert found == [f"[pre_start_hook] {line}" for line in expected]


@needs_root
@pytest.mark.parametrize("options", ["", "envfiles=-%(here)s/a.env\n"])
def test_a_hook_that_cannot_be_executed(directory: Path, options: str) -> None:
    """The reason is the same from both launchers, and in the log of the program."""
    directory.chmod(0o755)
    (directory / "hook").write_text("#!/no/such/interpreter\n", encoding="utf-8")
    (directory / "hook").chmod(0o755)
    config = (
        f"{PROGRAM}user=nobody\nstartretries=0\nstdout_logfile=%(here)s/log\n{options}"
        f"pre_start_hook=%(here)s/hook\n"
    )
    with Daemon(directory, config) as daemon:
        with pytest.raises(xmlrpc.client.Fault, match="SPAWN_ERROR"):
            daemon.rpc.supervisor.startProcess("x")
        daemon.wait_for_state("x", "FATAL")
        error = str(daemon.info("x")["spawnerr"])
        assert error.startswith(f"pre_start_hook failed: couldn't exec {directory}/hook: ENOENT")
        assert "interpreter" in error


def test_a_failed_start_is_explained(directory: Path) -> None:
    """In the state, in both logs, and by `explain`."""
    log = "startretries=0\nstdout_logfile=%(here)s/log\n"
    config = f"{PROGRAM}{log}pre_start_hook={shell('echo no table; exit 3')}"
    with Daemon(directory, config) as daemon:
        assert "x: ERROR (spawn error)" in daemon.ctl("start", "x").stdout
        daemon.wait_for_state("x", "FATAL")
        reason = "pre_start_hook failed: exit status 3"
        assert reason in daemon.ctl("status", "x").stdout
        assert f"It was given up: {reason}." in daemon.ctl("explain", "x").stdout
        assert f"spawnerr: {reason}" in daemon.log_text()
        assert daemon.text("log").splitlines() == [
            "[pre_start_hook] no table",
            f"supervisor: {reason}",
            "supervisor: child process was not spawned",
        ]


def test_a_command_that_stops_the_program(directory: Path) -> None:
    """It has the pid, and the last hook the result; the signal is not needed."""
    config = (
        f"{PROGRAM}stdout_logfile=%(here)s/log\nstopsignal=USR1\n"
        "stopcommand=/bin/kill -TERM $MAINPID\n"
        f"post_stop_hook={shell('echo $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS')}\n"
    )
    with Daemon(directory, config) as daemon:
        daemon.rpc.supervisor.startProcess("x")
        assert daemon.wait_for_child("x", Path(child("sleeper").split()[-1]).parent)
        daemon.rpc.supervisor.stopProcess("x")
        text = daemon.wait_for_text("log", "[post_stop_hook] ")
        assert text.splitlines()[-1] == "[post_stop_hook] success killed TERM"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("eventlistener", f"command={child('listener')}\nevents=TICK_3600\n"),
        ("fcgi-program", f"command={child('sleeper')}\nsocket=unix://%(here)s/f.sock\n"),
    ],
)
def test_other_kinds_of_programs(directory: Path, kind: str, options: str) -> None:
    hooks = "".join(
        f"{name}={shell(f'echo {name} >>%(here)s/hooks')}\n"
        for name in ("pre_start_hook", "post_start_hook", "pre_stop_hook", "post_stop_hook")
    )
    config = f"[{kind}:x]\nautostart=false\nstartsecs=0\n{options}{hooks}"
    with Daemon(directory, config) as daemon:
        daemon.ctl("start", "x:*")
        daemon.wait_for_text("hooks", "post_start_hook")
        daemon.ctl("stop", "x:*")
        daemon.wait_for_text("hooks", "post_stop_hook")
        names = ["pre_start_hook", "post_start_hook", "pre_stop_hook", "post_stop_hook"]
        assert daemon.text("hooks").split() == names


# -- interruptions -------------------------------------------------------------------------


def test_a_stop_and_a_restart_in_the_first_hook(directory: Path) -> None:
    with Daemon(directory, PROGRAM + blocked("pre_start_hook")) as daemon:
        daemon.rpc.supervisor.startProcess("x", False)
        daemon.wait_for_log("started pre_start_hook of 'x'")
        info = daemon.info("x")
        assert (info["statename"], info["pid"]) == ("STARTING", 0)
        assert daemon.ctl("status", "x").stdout.split(None, 2)[1:] == [
            "STARTING",
            "running pre_start_hook\n",
        ]
        assert daemon.ctl("stop", "x").stdout == "x: stopped\n"
        assert daemon.info("x")["statename"] == "STOPPED"
        wait_until(lambda: proctable.children(daemon.pid) == [])
        daemon.rpc.supervisor.startProcess("x", False)
        (directory / "pre_start_hook.go").touch()
        assert daemon.wait_for_state("x", "RUNNING")["pid"]


def test_a_hook_that_is_killed_or_takes_too_long(directory: Path) -> None:
    config = f"{PROGRAM}startretries=0\nhook_timeout=300ms\npre_start_hook=/bin/sleep 1000"
    with Daemon(directory, config) as daemon:
        for kills, text in (
            (False, "timed out after 0.3 seconds"),
            (True, "terminated by SIGKILL"),
        ):
            daemon.rpc.supervisor.startProcess("x", False)
            if kills:
                for each in wait_until(lambda: proctable.children(daemon.pid)):
                    proctable.kill([each.pid])
            daemon.wait_for_state("x", "FATAL")
            assert daemon.info("x")["spawnerr"] == f"pre_start_hook failed: {text}"
            wait_until(lambda: proctable.children(daemon.pid) == [])


def test_an_update_waits_for_the_last_hook(directory: Path) -> None:
    """The program that replaces the old one starts after it."""
    hook = blocked("post_stop_hook", "echo last >>%(here)s/order")
    start = f"pre_start_hook={shell('echo first >>%(here)s/order')}\n"
    config = f"{PROGRAM}autostart=true\n".replace("autostart=false\n", "", 1) + hook
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("x", "RUNNING")
        daemon.write_config(f"{config}{start}")
        daemon.ctl("stop", "x")
        assert running(daemon, "post_stop_hook")
        with pytest.raises(xmlrpc.client.Fault, match="STILL_RUNNING"):
            daemon.rpc.supervisor.removeProcessGroup("x")
        (directory / "post_stop_hook.go").touch()
        assert "x: updated process group" in daemon.ctl("update").stdout
        daemon.wait_for_state("x", "RUNNING")
        assert daemon.text("order").split() == ["last", "first"]


@pytest.mark.parametrize("how", ["shutdown", "reload"])
def test_the_end_of_the_daemon_waits_for_the_last_hook(directory: Path, how: str) -> None:
    """A reload, too: the next run starts the program again only then."""
    hook = f"post_stop_hook={shell('sleep 0.5; echo last >>%(here)s/order')}\n"
    start = f"pre_start_hook={shell('echo first >>%(here)s/order')}\n"
    config = f"{PROGRAM}autostart=true\n".replace("autostart=false\n", "", 1) + hook + start
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("x", "RUNNING")
        if how == "reload":
            daemon.ctl("reload")
            daemon.wait_for_start(2)
            daemon.wait_for_state("x", "RUNNING")
            assert daemon.text("order").split() == ["first", "last", "first"]
        else:
            daemon.signal(signal.SIGTERM)
            assert daemon.wait_for_exit() == 0
            assert daemon.text("order").split() == ["first", "last"]


@pytest.mark.parametrize("phase", ["pre_start_hook", "pre_stop_hook", "post_stop_hook"])
@pytest.mark.parametrize("how", ["timeout", "second signal"])
def test_a_shutdown_with_a_limit_ends_hooks(directory: Path, phase: str, how: str) -> None:
    """Its timeout counts for all of them, and a second signal ends them at once."""
    limit = "0.5" if how == "timeout" else "600"
    others = f"post_stop_hook={shell('echo last >>%(here)s/order')}\n" * (phase == "pre_stop_hook")
    config = f"shutdown_timeout={limit}\n{PROGRAM}{blocked(phase)}{others}"
    with Daemon(directory, config) as daemon:
        daemon.rpc.supervisor.startProcess("x", False)
        if phase == "pre_start_hook":
            daemon.wait_for_log("started pre_start_hook")
        else:
            daemon.wait_for_state("x", "RUNNING")
        began = time.monotonic()
        daemon.signal(signal.SIGTERM)
        if how != "timeout":
            if phase != "pre_start_hook":
                daemon.wait_for_log(f"started {phase}")
            daemon.signal(signal.SIGTERM)
        assert daemon.wait_for_exit() == 0
        assert time.monotonic() - began < 10
        assert daemon.text("order") == ""
