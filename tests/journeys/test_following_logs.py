"""tail -f and maintail -f beside our daemon: across rotation and clearing, and to the end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.following import Follower

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
