"""Commands of supervisorctl that watch a real daemon: states and output as they change."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from tests.support.children import child
from tests.support.daemon import OURS, Daemon
from tests.support.details import SCHEMA, assert_valid
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

CONFIG = f"""
[program:echo]
command={child("echo")}
startsecs=0
stdout_logfile=%(here)s/echo.log
[program:other]
command={child("echo")}
startsecs=0
[program:idle]
command={child("sleeper")}
autostart=false
startsecs=0
[program:fails]
command={child("exits", 3)}
autostart=false
startretries=0
[program:waits]
command={child("sleeper")}
depends_on=idle
startsecs=0
"""


@pytest.fixture
def daemon(directory: Path) -> Iterator[Daemon]:
    """A daemon with programs in several states."""
    with Daemon(directory, CONFIG) as started:
        for name in ("echo", "other"):
            started.wait_for_state(name, "RUNNING")
        yield started


class Running:
    """A command that runs until it is interrupted."""

    def __init__(self, directory: Path, process: Popen[bytes]) -> None:
        self._files = directory / "watch.out", directory / "watch.err"
        self._process = process

    def output(self) -> str:
        """Return its output so far."""
        return self._files[0].read_text(encoding="utf-8")

    def lines(self) -> list[str]:
        """Return the lines of the output, without the padding of columns."""
        return [" ".join(line.split()) for line in self.output().splitlines()]

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until the output has a text as often as `times`."""
        wait_until(
            lambda: self.output().count(text) >= times,
            20,
            what=lambda: [self.output(), self._files[1].read_text(encoding="utf-8")],
        )

    def interrupt(self) -> int:
        """Press Ctrl-C; return the exit status."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(20)


@contextmanager
def running(daemon: Daemon, *arguments: str) -> Iterator[Running]:
    """Run supervisorctl with its output in a file."""
    directory = daemon.directory
    command = [*OURS.command("supervisorctl"), "-c", str(daemon.config_path), *arguments]
    with (
        open(directory / "watch.out", "wb") as output,
        open(directory / "watch.err", "wb") as errors,
        Popen(command, stdout=output, stderr=errors, env=daemon.environment) as process,
    ):
        try:
            yield Running(directory, process)
        finally:
            process.kill()


def test_status_as_json(daemon: Daemon) -> None:
    """The output fits the published schema, which knows every field."""
    assert daemon.ctl("start", "fails").returncode == 7
    result = daemon.ctl("status", "--json", "--usage")
    structs = json.loads(result.stdout)
    assert_valid(structs)
    assert {field for struct in structs for field in struct} == SCHEMA["items"]["properties"].keys()
    states = {struct["name"]: struct["statename"] for struct in structs}
    assert states == {
        **dict.fromkeys(("echo", "other"), "RUNNING"),
        **dict.fromkeys(("idle", "waits"), "STOPPED"),
        "fails": "FATAL",
    }
    assert (result.stderr, result.returncode) == ("", 3)
    result = daemon.ctl("status", "--json", "e*", "nope")
    assert [struct["name"] for struct in json.loads(result.stdout)] == ["echo"]
    assert (result.stderr, result.returncode) == ("nope: ERROR (no such process)\n", 4)


def test_verbose_status(daemon: Daemon) -> None:
    assert daemon.ctl("start", "fails").returncode == 7
    lines = daemon.ctl("status", "-v", "fails").stdout.splitlines()
    assert lines[0].split()[:2] == ["fails", "FATAL"]
    assert lines[1].startswith("  FATAL since ")
    assert lines[2].startswith("  Last exit: status 3 (not expected), ")
    assert lines[3] == "  1 start."


def test_changes_are_lines_of_a_pipe(daemon: Daemon) -> None:
    with running(daemon, "status", "--watch", "i*", "waits") as watching:
        watching.wait_for("waiting for idle")
        daemon.rpc.supervisor.startProcess("idle")
        watching.wait_for("waits                            RUNNING")
        daemon.rpc.supervisor.stopProcess("waits")
        wait_until(lambda: watching.lines()[-1].startswith("waits STOPPED"))
        assert watching.interrupt() == 0
    assert watching.lines()[0].startswith("idle STOPPED Not started")


def test_watching_goes_on_across_a_reload(daemon: Daemon) -> None:
    with running(daemon, "status", "--watch", "echo") as watching:
        watching.wait_for("RUNNING")
        before = daemon.info("echo")["pid"]
        daemon.rpc.supervisor.restart()
        daemon.close_rpc()
        daemon.wait_for_start(2)
        wait_until(lambda: daemon.info("echo")["pid"] not in {0, before})
        watching.wait_for(f"pid {daemon.info('echo')['pid']}")
        assert watching.interrupt() == 0


def test_watching_ends_with_its_reader(daemon: Daemon) -> None:
    """At once, not at the next change."""
    command = [*OURS.command("supervisorctl"), "-c", str(daemon.config_path), "status", "--watch"]
    with Popen(command, stdout=subprocess.PIPE, env=daemon.environment) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(20) == 0


def test_waiting_for_states(daemon: Daemon) -> None:
    assert (
        daemon.ctl("wait", "echo", "other", "running").stdout == "echo: running\nother: running\n"
    )
    with running(daemon, "wait", "idle", "waits", "running") as waiting:
        daemon.rpc.supervisor.startProcess("idle")
        waiting.wait_for("waits: running")
    assert sorted(waiting.lines()) == ["idle: running", "waits: running"]
    result = daemon.ctl("wait", "e*", "stopped", "--timeout", "0.2")
    assert result.stdout == "echo: ERROR (not stopped after 0.2 seconds: RUNNING)\n"
    assert result.returncode == 1
    assert daemon.ctl("start", "fails").returncode == 7
    result = daemon.ctl("wait", "fails", "running")
    assert (result.stdout, result.returncode) == ("fails: ERROR (not running: FATAL)\n", 7)


def test_several_logs_are_followed_across_a_reload(daemon: Daemon) -> None:
    """Each line once, though `echo` continues its log and `other` has a new one."""
    say = daemon.rpc.supervisor.sendProcessStdin
    for number in range(3):
        say("echo", f"old {number}\n")
    wait_until(lambda: "old 2" in (daemon.directory / "echo.log").read_text())
    with running(daemon, "logs", "-f", "-2", "echo", "other") as following:
        following.wait_for("old 2")
        following.wait_for("other        | READY")
        say("echo", "new\n")
        say("other", "gr\u00fc\u00dfe\n")
        following.wait_for("gr\u00fc\u00dfe")
        following.wait_for("echo         | new")
        daemon.rpc.supervisor.restart()
        daemon.close_rpc()
        daemon.wait_for_start(2)
        for name in ("echo", "other"):
            daemon.wait_for_state(name, "RUNNING")
            wait_until(lambda name=name: said(daemon, name))
        following.wait_for("echo         | again")
        following.wait_for("other        | again")
        assert following.interrupt() == 0
    lines = following.lines()
    assert [line for line in lines if line.startswith("echo")] == [
        *("echo | old 1", "echo | old 2", "echo | new", "echo | READY", "echo | again")
    ]
    assert [line for line in lines if line.startswith("other")] == [
        *("other | READY", "other | gr\u00fc\u00dfe", "other | READY", "other | again")
    ]


def said(daemon: Daemon, name: str) -> bool:
    """Make a program say something; return whether the daemon is up again."""
    return bool(daemon.rpc.supervisor.sendProcessStdin(name, "again\n"))
