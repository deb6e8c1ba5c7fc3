"""The pid file, and the lock by which a second daemon detects the first.

`supervisord` locks the file of an earlier run at boot, writes it once daemonized, and removes it on
exit.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat

from supervisor.daemon.boot import BootError
from supervisor.engine import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from supervisor.loggers import Logger

MAX_PID_BYTES = 20
MAX_COMMAND_BYTES = 4096

FLAGS = os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY


class PidFile:
    """The pid file: removed only by the daemon that has written it.

    The daemon holds a lock on the file while it runs (flock(2), which survives the fork into the
    background).  Every user who can read the file can take that lock, so a lock alone does not
    prevent a start: the file must also name a running supervisord.

    Anything but a regular file (/dev/null) is written, but neither locked nor removed.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd: int | None = None
        self._is_written = False

    @property
    def is_written(self) -> bool:
        """Whether the file contains the pid of this daemon."""
        return self._is_written

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; `fd`, which holds the lock, stays open."""
        return {
            "path": self.path,
            "fd": -1 if self._fd is None else self._fd,
            "is_written": self._is_written,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned, of the same path."""
        self._fd = saved["fd"] if saved["fd"] >= 0 else None
        self._is_written = saved.get("is_written") is True

    def lock(self) -> None:
        """Lock the file of an earlier run, if there is one.

        Raises `BootError` if the daemon that wrote it is still running.  A file that cannot be
        locked, as on some network file systems, does not prevent a start.
        """
        try:
            fd = files.open_own(self.path, FLAGS)
        except OSError:
            return
        if not _is_regular(fd):
            os.close(fd)
            return
        self._fd = fd
        if _lock(fd):
            return
        pid = _running_supervisord(fd)
        self._close()
        if pid is not None:
            raise BootError(
                f"Another supervisord (pid {pid}) holds the pid file {self.path}; stop it, or"
                " configure another pidfile for this one"
            )

    def write(self, logger: Logger) -> None:
        """Write the pid; a failure is logged, but not fatal."""
        try:
            if self._fd is None or not files.is_in_place(self.path, self._fd):
                self._close()
                self._fd = self._open_locked()
            if _is_regular(self._fd):
                os.ftruncate(self._fd, 0)
                self._is_written = True
            os.write(self._fd, f"{os.getpid()}\n".encode())
        except OSError as error:
            self._close()
            logger.critical(f"could not write pidfile {self.path} ({error.strerror})")
        else:
            logger.info(f"supervisord started with pid {os.getpid()}")

    def remove(self) -> None:
        """Remove the file if this daemon has written it and it is still in place."""
        if self._fd is not None and self._is_written:
            with contextlib.suppress(OSError):
                files.remove_own(self.path, self._fd)
        self._close()

    def _open_locked(self) -> int:
        """Open the file, replacing one that another program has locked; return the fd."""
        fd = files.open_own(self.path, FLAGS | os.O_CREAT)
        if not _is_regular(fd) or _lock(fd):
            return fd
        with contextlib.suppress(OSError):  # without the permission the file is shared
            files.remove_own(self.path, fd)
            replacement = files.open_own(self.path, FLAGS | os.O_CREAT)
            os.close(fd)
            _lock(replacement)
            return replacement
        return fd

    def _close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def running_pid(path: str) -> int | None:
    """Return the pid in a pid file if it is that of a running supervisord.

    The file is neither locked nor changed.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return None
    try:
        text = os.read(fd, MAX_PID_BYTES).strip() if _is_regular(fd) else b""
    finally:
        os.close(fd)
    return int(text) if text.isdigit() and b"supervisord" in command_line(int(text)) else None


def command_line(pid: int) -> bytes:
    """Return the beginning of a process's command line (proc(5)), b"" if it cannot be read."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read(MAX_COMMAND_BYTES)
    except OSError:
        return b""


def _is_regular(fd: int) -> bool:
    return stat.S_ISREG(os.fstat(fd).st_mode)


def _lock(fd: int) -> bool:
    """Lock a file; False if another process holds the lock."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # the file system has no locks
        return True
    return True


def _running_supervisord(fd: int) -> int | None:
    """Return the pid in a pid file if only trusted users can have written it and it runs."""
    status = os.fstat(fd)
    if not files.is_trusted(status) or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return None
    text = os.pread(fd, MAX_PID_BYTES, 0).strip()
    if not text.isdigit():
        return None
    pid = int(text)
    return pid if _is_supervisord(pid) else None


def _is_supervisord(pid: int) -> bool:
    """Whether a process of a trusted user has "supervisord" in its command line (proc(5))."""
    try:
        if not os.path.exists("/proc/self"):
            os.kill(pid, 0)
            return True
        if not files.is_trusted(os.stat(f"/proc/{pid}")):
            return False
        return b"supervisord" in command_line(pid)
    except (OSError, OverflowError):
        return False
