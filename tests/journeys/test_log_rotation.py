"""Rotation by time, compression, owners, and the commands `rotate` and `reopen`: real children."""

from __future__ import annotations

import contextlib
import gzip
import os
import signal
import stat
from pathlib import Path

import pytest

from supervisor.logs.gzip_child import LOWEST_PRIORITY
from tests.support import proctable
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.namespaces import private_mounts
from tests.support.strangers import UID, needs_root
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

LARGE_BYTES = 48 * 1024 * 1024
"""Random bytes that a helper of low priority compresses for a second or more."""

HELPER = b"gzip_child"


def contents(directory: Path, name: str) -> bytes:
    """Return the contents of a log and its backups, the oldest first, decompressed."""
    numbered = {}
    for path in directory.glob(f"{name}.*"):
        number = path.name.removeprefix(f"{name}.").removesuffix(".gz")
        if number.isdecimal():  # else it is being compressed
            numbered[int(number)] = path
    parts = [
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for _, path in sorted(numbered.items(), reverse=True)
    ]
    return b"".join([*parts, (directory / name).read_bytes()])


def has_ended(directory: Path) -> bool:
    """Whether a log contains the end of its child's output; backups are renamed meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        return b"END" in contents(directory, "steady.log")
    return False


def helpers() -> list[int]:
    """Return the pids of the helpers that compress, of this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if HELPER in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def helper_of(daemon: Daemon) -> int:
    """Return the pid of the helper that a daemon has started, 0 if there is none."""
    marked = proctable.marked(str(daemon.directory))
    return next((pid for pid in helpers() if pid in marked), 0)


def large_backup(directory: Path) -> bytes:
    """Make a backup that takes a while to compress."""
    data = os.urandom(1024 * 1024) * (LARGE_BYTES // 1024 // 1024)
    (directory / "echo.log.1").write_bytes(data)
    return data


ECHO = f"""
[program:echo]
command={child("echo")}
startsecs=0
stdout_logfile=%(here)s/echo.log
redirect_stderr=true
"""


@pytest.mark.slow
def test_each_line_is_there_once_and_in_order(directory: Path) -> None:
    """Rotations by time and by size, and compression, while a child writes as fast as it can."""
    config = f"""
        [program:steady]
        command={child("steady", directory / "enough")}
        stdout_logfile=%(here)s/steady.log
        stdout_logfile_rotate=1
        stdout_logfile_maxbytes=400KB
        stdout_logfile_backups=500
        stdout_logfile_compress=gzip
        startsecs=0
    """
    with Daemon(directory, config) as daemon:
        wait_until(lambda: len(list(directory.glob("steady.log.*.gz"))) > 5, 30)
        daemon.ctl("rotate", "steady")
        (directory / "enough").touch()
        wait_until(lambda: has_ended(directory), 30)
        wait_until(lambda: not list(directory.glob("steady.log.*[0-9]")), 30)
        assert not helper_of(daemon)
    lines = contents(directory, "steady.log").split()
    count = int(lines[-1])
    assert lines[:-2] == [b"%d" % number for number in range(count)]
    backups = [gzip.decompress(path.read_bytes()) for path in directory.glob("*.gz")]
    assert all(0 < len(backup) < 700 * 1024 for backup in backups)
    assert "cannot" not in daemon.log_text()


def test_two_programs_with_one_log_rotate_it_once(directory: Path) -> None:
    programs = "".join(
        ECHO.replace("program:echo", f"program:{name}") + "stdout_logfile_rotate=1\n"
        for name in ("one", "two")
    )
    with Daemon(directory, programs) as daemon:
        wait_until((directory / "echo.log.1").exists)
        for number in range(3):
            for name in ("one", "two"):
                daemon.rpc.supervisor.sendProcessStdin(name, f"{name} {number}\n")
        wait_until(lambda: not (directory / "echo.log").stat().st_size)
        text = contents(directory, "echo.log").decode()
    for name in ("one", "two"):
        found = [line for line in text.splitlines() if line.startswith(name)]
        assert found == [f"{name} {number}" for number in range(3)]
    assert text.count("READY\n") == 2
    assert not [path for path in directory.glob("echo.log.*") if not path.stat().st_size]


def test_a_log_of_yesterday_is_rotated_when_the_daemon_starts(directory: Path) -> None:
    log = directory / "echo.log"
    log.write_bytes(b"yesterday\n")
    os.utime(log, (0, 86400))
    with Daemon(directory, f"{ECHO}stdout_logfile_rotate=daily\n") as daemon:
        daemon.wait_for_text("echo.log", "READY\n")
        assert log.read_bytes() == b"READY\n"
        assert (directory / "echo.log.1").read_bytes() == b"yesterday\n"
        assert daemon.rpc.supervisor.readProcessStdoutLog("echo", 0, 0) == "READY\n"


class TestHelpers:
    """The helper that compresses, killed, or without space, or at the end of the daemon."""

    CONFIG = f"{ECHO}stdout_logfile_compress=gzip\n"

    def left(self, directory: Path) -> set[str]:
        """Return the names of the log's files."""
        return {path.name for path in directory.glob("echo.log*")}

    def test_a_helper_that_is_killed(self, directory: Path) -> None:
        data = large_backup(directory)
        with Daemon(directory, self.CONFIG) as daemon:
            pid = wait_until(lambda: helper_of(daemon))
            wait_until(lambda: os.getpriority(os.PRIO_PROCESS, pid) == LOWEST_PRIORITY)
            os.kill(pid, signal.SIGKILL)
            daemon.wait_for_log("cannot compress a backup of log")
            assert "echo.log: terminated by SIGKILL\n" in daemon.log_text()
            assert self.left(directory) == {"echo.log", "echo.log.1"}
            assert (directory / "echo.log.1").read_bytes() == data
            daemon.ctl("rotate", "echo")  # tries again, with both
            names = {"echo.log", "echo.log.1.gz", "echo.log.2.gz"}
            wait_until(lambda: self.left(directory) == names, 60)
        assert contents(directory, "echo.log") == data + b"READY\n"

    @pytest.mark.parametrize("is_reload", [False, True])
    def test_the_end_of_the_daemon(self, directory: Path, *, is_reload: bool) -> None:
        data = large_backup(directory)
        with Daemon(directory, self.CONFIG) as daemon:
            pid = wait_until(lambda: helper_of(daemon))
            if is_reload:
                daemon.signal(signal.SIGHUP)
                daemon.wait_for_start(2)
                wait_until(lambda: not proctable.is_alive(pid))
                wait_until(lambda: helper_of(daemon) or "echo.log.1.gz" in self.left(directory))
        # Leaving the block found no process that was left behind.
        if "echo.log.1.gz" not in self.left(directory):
            assert self.left(directory) == {"echo.log", "echo.log.1"}
        assert data in contents(directory, "echo.log")
        assert "reaped unknown pid" not in daemon.log_text()

    def test_a_daemon_that_was_killed(self, directory: Path) -> None:
        """Its half file is replaced by that of the next daemon."""
        data = large_backup(directory)
        with Daemon(directory, self.CONFIG) as daemon:
            wait_until(lambda: helper_of(daemon))
            daemon.kill()
            assert "echo.log.compressing" in self.left(directory)
            daemon.launch()
            wait_until(lambda: self.left(directory) == {"echo.log", "echo.log.1.gz"}, 60)
        assert contents(directory, "echo.log").startswith(data)

    @needs_root
    def test_a_full_disk(self, directory: Path) -> None:
        logs = directory / "logs"
        logs.mkdir()
        setup = f"mount -t tmpfs -o size=1500k logs {logs}; head -c 1000000 /dev/urandom"
        setup += f" > {logs}/echo.log.1; ls {logs} >&2"
        config = self.CONFIG.replace("%(here)s", str(logs))
        with Daemon(directory, config, within=private_mounts(setup)) as daemon:
            daemon.wait_for_log("cannot compress a backup of log")
            assert f"{logs}/echo.log: No space left on device\n" in daemon.log_text()
            inside = Path(f"/proc/{daemon.pid}/root{logs}")
            assert {path.name for path in inside.iterdir()} == {"echo.log", "echo.log.1"}
            assert (inside / "echo.log.1").stat().st_size == 1_000_000


@needs_root
@pytest.mark.parametrize("log_format", ["raw", "prefix"])
def test_owner_and_mode_at_each_new_file(directory: Path, log_format: str) -> None:
    config = f"{ECHO}stdout_logfile_owner={UID}:{UID}\nstdout_logfile_mode=0640\n"
    config += f"stdout_logfile_format={log_format}\n"
    log = directory / "echo.log"

    def state() -> tuple[int, int, str]:
        status = log.stat()
        return status.st_uid, status.st_gid, oct(stat.S_IMODE(status.st_mode))

    expected = (UID, UID, "0o640")
    with Daemon(directory, config) as daemon:
        daemon.wait_for_text("echo.log", "READY\n")
        assert state() == expected
        for arguments in (("rotate", "echo"), ("clear", "echo")):
            inode = log.stat().st_ino
            daemon.rpc.supervisor.sendProcessStdin("echo", "line\n")
            wait_until(lambda: b"line" in log.read_bytes())
            assert daemon.ctl(*arguments).returncode == 0
            assert log.stat().st_ino != inode
            assert state() == expected
        for reopen in (
            lambda: daemon.ctl("reopen", "echo"),
            lambda: daemon.signal(signal.SIGUSR2),
        ):
            log.unlink()
            reopen()
            wait_until(log.exists)
            assert state() == expected
        daemon.ctl("stop", "echo")
        daemon.ctl("clear", "echo")
        assert state() == expected
    assert "owner and mode" not in daemon.log_text()


OTHERS = f"""
[program:off]
command={child("sleeper")}
autostart=false
stdout_logfile=%(here)s/off.log
redirect_stderr=true
[program:device]
command={child("sleeper")}
stdout_logfile=/dev/null
redirect_stderr=true
[program:fifo]
command={child("sleeper")}
stdout_logfile=%(here)s/fifo
stderr_logfile=%(here)s/plain.log
[program:silent]
command={child("sleeper")}
stdout_syslog=true
stdout_logfile=NONE
stderr_logfile=NONE
[group:g]
programs=device,fifo
"""


def test_the_command_rotate(directory: Path) -> None:
    os.mkfifo(directory / "fifo")
    with Daemon(directory, ECHO + OTHERS) as daemon:
        daemon.wait_for_text("echo.log", "READY\n")
        assert daemon.ctl("rotate", "echo").stdout == "echo: rotated\n"
        assert daemon.text("echo.log.1") == "READY\n"
        assert daemon.ctl("rotate", "echo").stdout == "echo: rotated\n"  # empty: nothing happens
        assert not (directory / "echo.log.2").exists()
        found = daemon.ctl("rotate", "off", "silent", "nope", "g:*", "echo")
        assert found.stdout == (
            "off: ERROR (no log file)\n"
            "silent: ERROR (no log file)\n"
            "nope: ERROR (no such process)\n"
            "g:device: cannot rotate /dev/null: it is a device\n"
            "g:fifo: rotated\n"
            "echo: rotated\n"
        )
        assert found.returncode == 1
        (directory / "off.log").write_text("earlier\n", encoding="utf-8")
        assert daemon.ctl("rotate", "off").stdout == "off: rotated\n"
        assert daemon.text("off.log.1") == "earlier\n"
        assert daemon.text("off.log") == ""
        assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
        everything = daemon.ctl("rotate", "all").stdout
        assert min(everything.splitlines()) == "echo: rotated"
        assert len(everything.splitlines()) == 5
        found = daemon.ctl("rotate")
        assert found.stdout.startswith("Error: rotate requires a process name\nrotate <name>")
        assert found.returncode == 1


def test_the_command_reopen(directory: Path) -> None:
    with Daemon(directory, ECHO) as daemon:
        daemon.wait_for_text("echo.log", "READY\n")
        (directory / "echo.log").rename(directory / "echo.log.old")
        assert daemon.ctl("reopen", "echo").stdout == "echo: reopened\n"
        daemon.rpc.supervisor.sendProcessStdin("echo", "new\n")
        daemon.wait_for_text("echo.log", "new\n")
        assert daemon.text("echo.log.old") == "READY\n"
        (directory / "echo.log").unlink()
        (directory / "echo.log").mkdir()
        found = daemon.ctl("reopen", "all")
        path = directory / "echo.log"
        assert found.stdout == f"echo: cannot reopen log {path}: Is a directory\n"
        assert found.returncode == 1
        assert daemon.ctl("reopen", "nope").stdout.startswith("nope: ERROR (no such process)\n")
