"""The destinations of log bytes: files, pipes, terminals (floor 2).

The file handlers of `loggers` write through a `Sink`: unbuffered, on an fd of its own,
with its own count of bytes.  A sink never makes the daemon wait for a reader, and never
loses bytes without a note.

All handlers of one path share one sink: one fd, one size, one backlog.  When one of them
rotates, clears or reopens the file, the others go on in the new one, so that the order of
the lines is kept and none is written to a file that has gone.
"""

from __future__ import annotations

import contextlib
import os
import stat
from functools import partial

from supervisor import files
from supervisor.backlogs import MAX_WAITING_BYTES, Backlog
from supervisor.logfiles import followed, notify_written

STANDARD_FDS = {"/dev/stdout": 1, "/dev/stderr": 2}

FD_PATH_PREFIXES = ("/dev/std", "/dev/fd/", "/proc/")
"""Prefixes of names that may lead to regular files, but must not be renamed or removed."""

_sinks: dict[str, Sink] = {}
"""The sinks that are open, and those whose last bytes still wait for a reader."""


class Sink:
    """An fd that takes log bytes, shared by all that write to its path.

    `size` counts the bytes of a regular file and stays 0 for everything else, so that
    only files ever reach a limit.  `shared` says that the fd is used by other processes too
    and may block.
    """

    def __init__(self, fd: int, path: str, *, shared: bool = False) -> None:
        self.path = path
        self._users = 1
        self._take(fd, shared=shared)

    def _take(self, fd: int, *, shared: bool) -> None:
        self.fd = fd
        status = os.fstat(fd)
        self.is_file = stat.S_ISREG(status.st_mode) and not self.path.startswith(FD_PATH_PREFIXES)
        self.size = status.st_size if self.is_file else 0
        self._backlog = Backlog(fd, self.path, shared=True) if shared else None

    def write(self, data: bytes | str) -> None:
        """Write everything that can be written.

        What a reader is not ready for is sent later.  What cannot be written (the disk is
        full, the reader has stalled for too long) is dropped and counted; a note takes its
        place as soon as there is room again.  Raises the `OSError` that began the trouble,
        once.
        """
        if isinstance(data, str):
            data = data.encode("utf-8", "backslashreplace")
        if self._backlog is not None:
            self._write_behind(data)
            return
        # A backlog exists only while something is in the way: each takes 8 us, a write 0.5.
        try:
            sent = os.write(self.fd, data) if data else 0
        except OSError:
            sent = 0  # the backlog meets the same error
        if self.is_file:
            self.size += sent
        if sent < len(data):
            self._write_behind(data[sent:], data[sent - 1] if sent else None)
        elif self.path in followed:
            notify_written(self.path)

    def _write_behind(self, data: bytes, last_byte: int | None = None) -> None:
        """Write where a backlog is, or becomes, necessary; see `write`.

        `last_byte` is the byte that was written before, None if that is unknown.
        """
        backlog = self._backlog
        if backlog is None:
            if last_byte is None and self.is_file:
                last_byte = _last_byte(self.fd)
            backlog = self._backlog = Backlog(self.fd, self.path, last_byte=last_byte)
        try:
            backlog.write(data, MAX_WAITING_BYTES * self._users)
        finally:
            if self.is_file and self.fd >= 0:
                self.size = os.fstat(self.fd).st_size
            if not backlog:
                self._backlog = None
            notify_written(self.path)

    # -- other files under the same name ---------------------------------------------

    def open_again(self) -> Sink:
        """Take what the path leads to now, for another writer or in place of what was open.

        A reader that is still reading gets what waits for it first.  Raises `OSError`, and then
        everything stays as it was.
        """
        fd, shared = _open(self.path)
        if self._backlog and os.path.samestat(os.fstat(fd), os.fstat(self.fd)):
            os.close(fd)
        else:
            self.change_to(fd, shared=shared)
        return self

    def change_to(self, fd: int, *, shared: bool = False) -> None:
        """Write to another fd from now on; the one before is closed when nothing waits for it."""
        before, backlog = self.fd, self._backlog
        self._take(fd, shared=shared)
        if backlog is None:
            os.close(before)
        else:
            backlog.when_flushed(partial(os.close, before))

    def begin_file(self) -> None:
        """Remove the file and begin a new one; everything else is left alone.

        Raises `OSError`, and then what is written still goes where it went before.
        """
        if not self.is_file:
            self.open_again()
            return
        self.unlink()
        self.change_to(files.open_log(self.path, exclusive=True))

    def unlink(self) -> None:
        """Remove what has the name of the log, if the log is a file.  Raises `OSError`."""
        if self.is_file:
            with contextlib.suppress(FileNotFoundError), files.directory_of(self.path) as parent:
                os.unlink(parent.name, dir_fd=parent.fd)
            notify_written(self.path)

    # -- as a stream ------------------------------------------------------------

    def flush(self) -> None:
        """Do nothing: what can be written is not held back."""

    def fileno(self) -> int:
        """Return the fd."""
        return self.fd

    def join(self) -> None:
        """Add a writer."""
        if not self._users and self._backlog is not None:
            self._backlog.when_flushed(None)
        self._users += 1

    def close(self) -> None:
        """Remove a writer; after the last one the fd is closed once its reader has everything."""
        self._users = max(self._users - 1, 0)
        if self._users or self.fd < 0:
            return
        if self._backlog is None:
            self._release()
        else:
            self._backlog.when_flushed(self._release)

    def _release(self) -> None:
        """Close the fd, once: its number may soon be used for something else."""
        if _sinks.get(self.path) is self:
            del _sinks[self.path]
        fd, self.fd, self._backlog = self.fd, -1, None
        os.close(fd)


def _last_byte(fd: int) -> int | None:
    """Return the last byte of a file that is open for writing only; None if that fails."""
    with contextlib.suppress(OSError):
        reader = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
        try:
            end = os.pread(reader, 1, max(os.fstat(reader).st_size - 1, 0))
        finally:
            os.close(reader)
        return end[0] if end else None
    return None


def open_sink(path: str, mode: str = "ab") -> Sink:
    """Open a log for appending, emptied first if `mode` says `w`; see `files.open_log`.

    Returns the sink of the other writers of the path, if there are any.  Raises `OSError`.
    """
    sink = _sinks.get(path)
    if sink is None:
        fd, shared = _open(path, truncate="w" in mode)
        sink = _sinks[path] = Sink(fd, path, shared=shared)
        return sink
    if "w" in mode and sink.is_file:
        os.truncate(sink.fd, 0)
    sink.open_again()
    sink.join()
    return sink


def clear(path: str) -> None:
    """Begin a new file in place of a log, for all that write to it.

    Nothing happens if the log is not there, or is not a file.  Raises `OSError`.
    """
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return
    if is_file:
        sink = open_sink(path)
        try:
            sink.begin_file()
        finally:
            sink.close()


def _open(path: str, *, truncate: bool = False) -> tuple[int, bool]:
    """Open a log; return the fd, and whether other processes use it as it is.

    Stdout and stderr are opened by name, so that only the daemon's own end does not block.  A
    file is used as it is: writers whose fds have one origin do not overwrite each other.  So is
    what cannot be opened: a socket, a terminal of another user.  Raises `OSError`.
    """
    fd = STANDARD_FDS.get(path)
    if fd is None:
        return files.open_log(path, truncate=truncate), False
    is_file = stat.S_ISREG(os.fstat(fd).st_mode)
    if not is_file:
        with contextlib.suppress(OSError):
            return os.open(path, files.APPEND_FLAGS), False
    return os.dup(fd), not is_file
