"""Several writers of one log: no line is lost when one of them rotates, clears or reopens it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

MAX_BYTES = 20 * 1024
ONE_READ_BYTES = 128 * 1024
"""A write is never split, so that a file may exceed its limit by one of them."""


def crowd(directory: Path, *options: str) -> str:
    """Return the section of eight processes that count, each into the same log."""
    lines = (
        "[program:counts]",
        f"command={child('steady', directory / 'enough')}",
        "process_name=%(program_name)s_%(process_num)d",
        "numprocs=8",
        "startsecs=0",
        "stdout_logfile=%(here)s/shared.log",
        *options,
        "",
    )
    return "\n".join(lines)


def end_all(daemon: Daemon, files: list[Path]) -> list[str]:
    """End the counting; return all lines of the files once each process has written its last."""
    (daemon.directory / "enough").touch()

    def text() -> str:
        return "".join(path.read_text() for path in files if path.exists())

    wait_until(lambda: text().count("END") == 8, 20, what=daemon.log_text)
    return text().splitlines()


def assert_complete(lines: list[str]) -> None:
    """Each process's numbers must be there once: each number as often as there are counters."""
    counts = sorted(int(line.removeprefix("END ")) for line in lines if line.startswith("END"))
    expected = sum(counts)
    numbers = [int(line) for line in lines if not line.startswith("END")]
    assert len(numbers) == expected
    assert sum(numbers) == sum(count * (count - 1) // 2 for count in counts)


def test_a_rotated_log(directory: Path) -> None:
    options = ("stdout_logfile_maxbytes=20KB", "stdout_logfile_backups=1000")
    log = directory / "shared.log"
    with Daemon(directory, crowd(directory, *options)) as daemon:
        wait_until((directory / "shared.log.15").exists, 30)
        backups = [directory / f"shared.log.{number}" for number in range(1000, 0, -1)]
        assert_complete(end_all(daemon, [*backups, log]))
        sizes = [path.stat().st_size for path in backups if path.exists()]
        assert min(sizes) >= MAX_BYTES
        assert max(sizes) < MAX_BYTES + ONE_READ_BYTES
        assert sorted(sizes)[len(sizes) // 2] < 2 * MAX_BYTES  # not eight times
        assert daemon.log_text().count("is shared by 8 processes") == 1


def test_logrotate_beside_the_daemons_own_rotation(directory: Path) -> None:
    """Each line is in one of the files, in either order of the two."""
    options = ("stdout_logfile_maxbytes=20KB", "stdout_logfile_backups=1000")
    log = directory / "shared.log"
    moved = [directory / f"moved.{number}" for number in range(20)]
    with Daemon(directory, crowd(directory, *options)) as daemon:
        for path in moved:
            wait_until(log.exists)
            with suppress(FileNotFoundError):  # it is being rotated
                log.rename(path)
            daemon.signal(signal.SIGUSR2)
            wait_until(log.exists)
        backups = [directory / f"shared.log.{number}" for number in range(1000, 0, -1)]
        assert_complete(end_all(daemon, [*moved, *backups, log]))


@pytest.mark.parametrize("how", ["clear", "SIGUSR2"])
def test_no_process_goes_on_in_a_file_that_has_gone(directory: Path, how: str) -> None:
    log = directory / "shared.log"
    options = ("redirect_stderr=false", "stderr_logfile=%(here)s/shared.log")
    with Daemon(directory, crowd(directory, *options)) as daemon:
        wait_until(lambda: log.exists() and log.stat().st_size > MAX_BYTES)
        if how == "clear":
            assert daemon.rpc.supervisor.clearProcessLogs("counts:counts_3")
        else:
            log.rename(directory / "moved")
            daemon.signal(signal.SIGUSR2)
            wait_until(log.exists)
        fds = Path(f"/proc/{daemon.pid}/fd")
        targets = [str(fd.readlink()) for fd in fds.iterdir() if fd.is_symlink()]
        assert not [name for name in targets if "deleted" in name or name.endswith("moved")]
        end_all(daemon, [log])


def test_the_log_of_a_stopped_program_is_cleared(directory: Path) -> None:
    config = """
[program:x]
command=/bin/sh -c "echo out; echo err >&2; exec sleep 1000"
stdout_logfile=%(here)s/x.out
stderr_logfile=%(here)s/x.err
startsecs=0
[program:device]
command=/bin/cat
autostart=false
stdout_logfile=/dev/stdout
stdout_logfile_maxbytes=0
stderr_logfile=%(here)s/fifo
"""
    os.mkfifo(directory / "fifo")
    with Daemon(directory, config) as daemon:
        daemon.wait_for_text("x.out", "out")
        daemon.wait_for_text("x.err", "err")
        daemon.rpc.supervisor.stopProcess("x")
        assert daemon.ctl("clear", "x").stdout == "x: cleared\n"
        assert (directory / "x.out").read_bytes() == b""
        assert (directory / "x.err").read_bytes() == b""
        (directory / "x.out").unlink()
        assert daemon.ctl("clear", "x", "device").stdout == "x: cleared\ndevice: cleared\n"
        assert not (directory / "x.out").exists()
        assert (directory / "fifo").is_fifo()
        assert daemon.output_text() != ""


def test_one_log_that_cannot_be_reopened(directory: Path) -> None:
    """The others are, also the other log of the same process."""
    config = """
[program:x]
command=/bin/cat
stdout_logfile=%(here)s/gone/x.out
stderr_logfile=%(here)s/x.err
startsecs=0
[program:y]
command=/bin/cat
stdout_logfile=%(here)s/y.out
startsecs=0
"""
    (directory / "gone").mkdir()
    names = ("x.err", "y.out", "supervisord.log")
    with Daemon(directory, config) as daemon:
        wait_until(lambda: all((directory / name).exists() for name in names))
        for name in (*names, "gone"):
            (directory / name).rename(directory / f"old-{name}")
        daemon.signal(signal.SIGUSR2)
        wait_until(lambda: all((directory / name).exists() for name in names))
        path = directory / "gone/x.out"
        daemon.wait_for_log(f"cannot reopen log {path}: No such file or directory")
        assert "Traceback" not in daemon.log_text()
