"""tail -f and maintail -f beside our daemon: across rotation and clearing, and to the end."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon

WAIT_SECONDS = 20

CONFIG = f"""
[program:echo]
command={child("echo")}
startsecs=0
stdout_logfile=%(here)s/echo.log
stdout_logfile_maxbytes=200
stdout_logfile_backups=1
"""


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

    def ends(self, signum: int | None = None) -> tuple[int, str]:
        """Wait for the end, after a signal if there is to be one; return status and stderr."""
        if signum is not None:
            self.process.send_signal(signum)
        status = self.process.wait(WAIT_SECONDS)
        self._reader.join()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
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
