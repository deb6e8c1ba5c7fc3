"""tail -f and maintail -f beside our daemon: across rotation and clearing, and to the end."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest

from supervisor.common.version import VERSION
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.relay import relaying
from tests.support.waiting import wait_until

WAIT_SECONDS = 20

CONFIG = "".join(
    f"""
[program:{name}]
command={child("echo")}
startsecs=0
stdout_logfile=%(here)s/{name}.log
stdout_logfile_maxbytes={max_bytes}
stdout_logfile_backups={backups}
"""
    for name, max_bytes, backups in (("echo", 200, 1), ("many", 2000, 20))
)


FOLLOWING = ["tail -f many", "logs -f many", "fg many"]


@pytest.fixture
def daemon(directory: Path) -> Iterator[Daemon]:
    """Our daemon with a program that repeats its input; its log rotates soon."""
    with Daemon(directory, CONFIG) as started:
        started.wait_for_text("echo.log", "READY\n")
        yield started


class Follower:
    """A supervisorctl that follows a log; `lines` are what it printed so far."""

    def __init__(self, daemon: Daemon, *arguments: str) -> None:
        command = daemon.implementation.command("supervisorctl")
        self.process = subprocess.Popen(
            [*command, "-c", str(daemon.config_path), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=daemon.directory,
            env=daemon.environment,
        )
        self.lines: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def sees(self, text: str) -> None:
        """Wait for a line with a text; the queue raises Empty when it does not come."""
        while text not in self.lines.get(timeout=WAIT_SECONDS):
            pass

    def reads_numbers(self, count: int) -> list[int]:
        """Return the numbers of the lines up to that of `count - 1`."""
        found = []
        while not found or found[-1] < count - 1:
            text = self.lines.get(timeout=WAIT_SECONDS)
            found += [int(number) for number in re.findall(r"number (\d+)\.", text)]
        return found

    def leaves(self) -> tuple[int, str]:
        """End a command of `FOLLOWING`; return status and stderr.

        `fg` ends with its input: a signal right before it reads is lost.
        """
        if "fg" not in self.process.args:
            return self.ends(signal.SIGINT)
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.ends()

    def types(self, text: str) -> None:
        """Enter a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def ends(self, signum: int | None = None) -> tuple[int, str]:
        """Wait for the end, after a signal if there is to be one; return status and stderr."""
        if signum is not None:
            self.process.send_signal(signum)
        status = self.process.wait(WAIT_SECONDS)
        self._reader.join()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdin.close()
        complaints = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return status, complaints


def test_across_rotation_and_clearing(daemon: Daemon) -> None:
    follower = Follower(daemon, "tail", "-f", "echo")
    follower.sees("READY")
    for number in range(20):  # 20 lines of 50 bytes: some rotations
        line = f"line {number} ".ljust(49, ".")
        daemon.rpc.supervisor.sendProcessStdin("echo", f"{line}\n")
        follower.sees(line)
    assert (daemon.directory / "echo.log.1").exists()
    daemon.rpc.supervisor.clearProcessLogs("echo")
    daemon.rpc.supervisor.sendProcessStdin("echo", "after clearing\n")
    follower.sees("after clearing")
    assert follower.ends(signal.SIGINT) == (0, "")


def test_the_activity_log_until_the_daemon_ends(daemon: Daemon) -> None:
    """The daemon's end is the end of its log: nothing has gone wrong with the client."""
    follower = Follower(daemon, "maintail", "-f")
    follower.sees("supervisord started")
    daemon.rpc.supervisor.stopProcess("echo")
    follower.sees("stopped: echo")
    daemon.signal(signal.SIGTERM)
    daemon.wait_for_exit()
    status, _ = follower.ends()
    assert status == 0


@pytest.mark.parametrize("command", FOLLOWING)
def test_connections_that_end_while_the_daemon_remains(daemon: Daemon, command: str) -> None:
    """So does a daemon that replaces itself: each line is printed once, in order."""
    relayed = daemon.directory / "relay.sock"
    daemon.wait_for_text("many.log", "READY\n")
    with relaying(relayed, daemon.socket_path) as relay:
        follower = Follower(daemon, "-s", f"unix://{relayed}", *command.split())
        follower.sees("READY")
        for number in range(400):
            daemon.rpc.supervisor.sendProcessStdin("many", f"number {number}.".ljust(49) + "\n")
            if number % 20 == 0:
                before = relay.connections
                relay.cut()
                wait_until(lambda: relay.connections > before, WAIT_SECONDS)  # noqa: B023 - at once
        assert follower.reads_numbers(400) == list(range(400))
        if command.startswith("fg"):
            follower.types("typed")
            follower.sees("typed")
        assert (daemon.directory / "many.log.9").exists()
        assert follower.leaves() == (0, "")


def test_a_watch_and_a_wait_across_such_an_end(daemon: Daemon) -> None:
    relayed = daemon.directory / "relay.sock"
    with relaying(relayed, daemon.socket_path) as relay:
        watch = Follower(daemon, "-s", f"unix://{relayed}", "status", "--watch")
        wait = Follower(daemon, "-s", f"unix://{relayed}", "wait", "many", "stopped")
        watch.sees("many")
        for _ in range(3):
            relay.cut()
        daemon.rpc.supervisor.stopProcess("echo")
        watch.sees("STOPPED")
        relay.cut()
        daemon.rpc.supervisor.stopProcess("many")
        wait.sees("many: stopped")
        assert wait.ends() == (0, "")
        assert watch.ends(signal.SIGINT) == (0, "")


@pytest.mark.parametrize("command", FOLLOWING)
def test_a_daemon_that_replaces_itself(daemon: Daemon, command: str) -> None:
    daemon.wait_for_text("many.log", "READY\n")
    follower = Follower(daemon, *command.split())
    follower.sees("READY")
    for number in range(200):
        daemon.rpc.supervisor.sendProcessStdin("many", f"number {number}.".ljust(49) + "\n")
        if number % 80 == 0:
            daemon.close_rpc()
            done = daemon.ctl("reexec")
            assert done.stdout == f"Restarted supervisord {VERSION}; 2 processes kept running\n"
    assert follower.reads_numbers(200) == list(range(200))
    if command.startswith("fg"):
        follower.types("typed")
        follower.sees("typed")
    assert follower.leaves() == (0, "")


def test_a_daemon_that_does_not_replace_itself(daemon: Daemon) -> None:
    text = daemon.config_path.read_text(encoding="utf-8")
    daemon.config_path.write_text(f"{text}[program:bad]\nstartsecs=x\n", encoding="utf-8")
    pid = daemon.info("many")["pid"]
    for command in ("reexec", "reload --keep"):
        refused = daemon.ctl(*command.split())
        assert (refused.returncode, refused.stdout.count("\n")) == (1, 1)
        begin = "error: supervisord was not replaced: "
        assert refused.stdout.startswith(begin)
        assert "'startsecs'" in refused.stdout
    assert daemon.info("many")["pid"] == pid


def test_the_settings_of_a_daemon_are_reloaded(daemon: Daemon) -> None:
    text = daemon.config_path.read_text(encoding="utf-8")
    daemon.config_path.write_text(text.replace("identifier=test", "identifier=new"), "utf-8")
    daemon.config_path.chmod(0o600)
    reloaded = daemon.ctl("reload", "--keep")
    expected = "Reloaded the settings of supervisord; 2 processes kept running\n"
    assert (reloaded.returncode, reloaded.stdout) == (0, expected)
    daemon.close_rpc()
    assert daemon.rpc.supervisor.getIdentification() == "new"
