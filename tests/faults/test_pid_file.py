"""The pid file of real daemons: names of other programs, failed starts, and a held lock."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import OURS, Daemon
from tests.support.namespaces import private_dev
from tests.support.ports import inet_server
from tests.support.strangers import acting, needs_root

# Why a start fails after the pid file has been locked -> the section that makes it so.
FAILURES: dict[str, Callable[[int], str]] = {
    "a port that is in use": inet_server,
    "a missing directory of the socket": (
        lambda _port: "[unix_http_server]\nfile=%(here)s/missing/s.sock\n"
    ),
    "a socket whose path is too long": (
        lambda _port: f"[unix_http_server]\nfile=%(here)s/{'x' * 120}\n"
    ),
}


@pytest.fixture
def port() -> Iterator[int]:
    """Listen on a port of the loopback address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def end_within_private_dev(daemon: Daemon, *arguments: str) -> str:
    """Run a daemon to its end in a /dev of its own; return what /dev/null is afterwards."""
    command = [*OURS.command("supervisord"), "-c", str(daemon.config_path), "-n", *arguments]
    script = '"$@"; exec stat -c %F /dev/null'
    finished = subprocess.run(
        [*private_dev(), "sh", "-c", script, "sh", *command],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=daemon.directory,
        env=daemon.environment,
    )
    return finished.stdout.splitlines()[-1]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_start_that_fails_leaves_the_file_as_it_is(
    directory: Path, port: int, failure: str
) -> None:
    (directory / "supervisord.pid").write_text("4711\n")
    daemon = Daemon(directory, FAILURES[failure](port))
    assert daemon.launch().wait(20) == 2
    assert "Error: " in daemon.output_text()
    assert daemon.text("supervisord.pid") == "4711\n"


@needs_root
@pytest.mark.parametrize("failure", FAILURES)
def test_a_start_that_fails_leaves_the_null_device(
    directory: Path, port: int, failure: str
) -> None:
    daemon = Daemon(directory, FAILURES[failure](port))
    assert end_within_private_dev(daemon, "-j", "/dev/null") == "character special file"


@needs_root
def test_the_null_device_as_pid_file_is_silent_and_stays(directory: Path) -> None:
    """The program ends the daemon; nothing but the line about the start names a pid file."""
    end = "[program:end]\ncommand=sh -c 'kill $PPID; sleep 60'\nstartsecs=0\n"
    daemon = Daemon(directory, end)
    assert end_within_private_dev(daemon, "-j", "/dev/null") == "character special file"
    assert "supervisord started with pid" in daemon.log_text()
    assert "pidfile" not in daemon.log_text()


@needs_root
def test_another_users_lock_does_not_keep_the_daemon_from_starting(directory: Path) -> None:
    """The file still names the daemon that has ended; its successor is seen all the same."""
    path = directory / "supervisord.pid"
    with Daemon(directory) as daemon:
        pid = daemon.pid
    path.write_text(f"{pid}\n")
    path.chmod(0o644)
    fd = os.open(path, os.O_RDONLY)  # the directories above are closed to him
    try:
        with acting(lambda: fcntl.flock(fd, fcntl.LOCK_EX)), Daemon(directory) as daemon:
            assert daemon.text("supervisord.pid") == f"{daemon.pid}\n"
            (directory / "other").mkdir()
            other = Daemon(directory / "other", f"pidfile={path}\n")
            assert other.launch().wait(20) == 2
            assert f"Another supervisord (pid {daemon.pid})" in other.output_text()
    finally:
        os.close(fd)
    assert not path.exists()
