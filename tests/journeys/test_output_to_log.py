"""Journey (b): a child's output, on its way to the log; no byte is lost or doubled."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

LINES = 20_000


def whole(directory: Path, name: str) -> bytes:
    """Return a log with its backups, the oldest first; nothing while it is being rotated."""
    paths = directory.glob(f"{name}.*")
    backups = sorted(paths, key=lambda path: -int(path.suffix[1:]))
    try:
        return b"".join(path.read_bytes() for path in (*backups, directory / name))
    except FileNotFoundError:
        return b""


def counted(lines: int, width: int = 16) -> bytes:
    """Return what children/flood.py writes."""
    return b"".join(b"%0*d\n" % (width - 1, number) for number in range(lines))


def test_a_line_is_in_the_log_as_soon_as_it_is_written(directory: Path) -> None:
    config = (
        f"[program:echo]\ncommand={child('echo')}\nstdout_logfile=%(here)s/echo.out\nstartsecs=0"
    )
    with Daemon(directory, config) as daemon:
        daemon.wait_for_text("echo.out", "READY\n")
        for word in ("one", "two", "three"):
            daemon.rpc.supervisor.sendProcessStdin("echo", f"{word}\n")
            daemon.wait_for_text("echo.out", f"{word}\n", seconds=1)
        assert daemon.text("echo.out") == "READY\none\ntwo\nthree\n"
        assert daemon.rpc.supervisor.readProcessStdoutLog("echo", -6, 0) == "three\n"


@pytest.mark.parametrize("maxbytes", ["1KB", "64KB", "0"])
def test_no_line_is_lost_in_a_flood(directory: Path, maxbytes: str) -> None:
    config = f"""
        [program:flood]
        command={child("flood", LINES)}
        stdout_logfile=%(here)s/flood.out
        stdout_logfile_maxbytes={maxbytes}
        stdout_logfile_backups=1000
        startsecs=0
    """
    with Daemon(directory, config) as daemon:
        wait_until(lambda: b"READY" in whole(directory, "flood.out"))
        daemon.rpc.supervisor.getState()  # what it was about to rotate is rotated now
        assert whole(directory, "flood.out") == counted(LINES) + b"READY\n"


def test_the_last_words_of_a_process_are_logged_before_its_exit(directory: Path) -> None:
    config = f"""
        [program:flood]
        command={child("flood", LINES, 16, 3)}
        stdout_logfile=%(here)s/flood.out
        stdout_logfile_maxbytes=0
        startsecs=0
        autorestart=false
    """
    with Daemon(directory, config) as daemon:
        daemon.wait_for_log("exited: flood (exit status 3; not expected)")
        assert whole(directory, "flood.out") == counted(LINES)


def test_every_run_of_a_crashing_process_is_logged(directory: Path) -> None:
    config = f"""
        [program:flaky]
        command={child("flaky", "%(here)s/runs", 1, 1)}
        stdout_logfile=%(here)s/flaky.out
        redirect_stderr=true
    """
    with Daemon(directory, config) as daemon:
        daemon.wait_for_text("flaky.out", "READY 2\n")
        assert daemon.text("flaky.out") == "CRASH 1\nREADY 2\n"


def test_logs_are_reopened_after_a_rename(directory: Path) -> None:
    """As logrotate does it: rename, then SIGUSR2."""
    config = (
        f"[program:echo]\ncommand={child('echo')}\nstdout_logfile=%(here)s/echo.out\nstartsecs=0"
    )
    with Daemon(directory, config) as daemon:
        daemon.wait_for_text("echo.out", "READY\n")
        (directory / "echo.out").rename(directory / "echo.old")
        daemon.rpc.supervisor.sendProcessStdin("echo", "to the old file\n")
        daemon.wait_for_text("echo.old", "to the old file\n")
        daemon.log_path.rename(directory / "supervisord.old")
        daemon.signal(signal.SIGUSR2)
        wait_until((directory / "echo.out").exists)
        wait_until(daemon.log_path.exists)
        daemon.rpc.supervisor.sendProcessStdin("echo", "to the new file\n")
        daemon.wait_for_text("echo.out", "to the new file\n")
        assert daemon.text("echo.old") == "READY\nto the old file\n"
        assert daemon.text("echo.out") == "to the new file\n"


def test_output_goes_to_the_activity_log_at_debug_level(directory: Path) -> None:
    config = f"loglevel=debug\n[program:talks]\ncommand={child('two_streams', 'o-u-t', 'e-r-r')}"
    with Daemon(directory, config) as daemon:
        daemon.wait_for_log("READY")
        daemon.wait_for_log("e-r-r")
        assert re.search(r"DEBG 'talks' stdout output:\n(?:.*\n)?o-u-t\n", daemon.log_text())
        assert re.search(r"DEBG 'talks' stderr output:\ne-r-r\n", daemon.log_text())


@pytest.mark.parametrize("limit", ["stdout_logfile_maxbytes=0", ""])
@pytest.mark.parametrize("target", ["/dev/stdout", "/dev/fd/1"])
def test_output_goes_where_nothing_can_be_rotated(directory: Path, target: str, limit: str) -> None:
    """The usual way in a container: the daemon's own stdout, often without the limit of 0."""
    config = f"""
        [program:talks]
        command={child("two_streams", "for the container", "")}
        stdout_logfile={target}
        {limit}
        redirect_stderr=true
    """
    with Daemon(directory, config) as daemon:
        wait_until(lambda: "for the container\n" in daemon.output_text())
        assert "closing channel" not in daemon.output_text()
