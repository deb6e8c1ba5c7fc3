"""Where log bytes go: files, pipes, terminals (floor 2).

The file handlers of `loggers` write through a `Sink`: unbuffered, on an fd of its own,
with its own count of bytes.  A sink never waits long for a reader and never loses bytes
without saying so.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat

from supervisor.logfiles import notify_written

PATIENCE_SECONDS = 1.0
"""How long a reader that lags behind holds up the daemon before bytes are dropped."""

STANDARD_FDS = {"/dev/stdout": 1, "/dev/stderr": 2}

FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY

NAMES_OF_FDS = ("/dev/std", "/dev/fd/", "/proc/")
"""Such names may lead to regular files, but must not be renamed or removed."""


class Sink:
    """An fd that takes log bytes.

    `size` counts the bytes of a regular file and stays 0 for everything else, so that
    only files ever reach a limit.  `shared` says that the fd is used by others too and
    may block.
    """

    def __init__(self, fd: int, path: str, *, shared: bool = False) -> None:
        self.fd = fd
        self.path = path
        status = os.fstat(fd)
        self.is_file = stat.S_ISREG(status.st_mode) and not path.startswith(NAMES_OF_FDS)
        self.size = status.st_size if self.is_file else 0
        self._shared = shared
        self._lost = 0

    def write(self, data: bytes | str) -> None:
        """Write everything that can be written.

        What cannot (the disk is full, a reader has stalled) is dropped and counted; a
        note takes its place as soon as there is room again.  Raises the `OSError` that
        began the trouble, once.
        """
        if isinstance(data, str):
            data = data.encode("utf-8", "backslashreplace")
        if self._lost and not self._write_note():
            self._lost += len(data)
            return
        sent = 0
        try:
            while sent < len(data):
                sent += self._send(data[sent:] if sent else data)
        except OSError:
            self._lost += len(data) - sent
            raise
        finally:
            if self.is_file:
                self.size += sent
            notify_written(self.path)

    def _write_note(self) -> bool:
        note = f"supervisor: {self._lost} bytes are missing here, they could not be written\n"
        try:
            sent = self._send(note.encode())
        except OSError:
            return False
        if self.is_file:
            self.size += sent
        self._lost = 0
        return True

    def _send(self, data: bytes) -> int:
        """Write once; return how much was taken."""
        if self._shared:
            # What poll calls writable takes PIPE_BUF bytes without blocking, no more.
            self._wait()
            return os.write(self.fd, data[: select.PIPE_BUF])
        try:
            return os.write(self.fd, data)
        except BlockingIOError:
            self._wait()
            return os.write(self.fd, data)

    def _wait(self) -> None:
        """Give a reader some time, unless it has lost bytes already."""
        poll = select.poll()
        poll.register(self.fd, select.POLLOUT)
        if not poll.poll(0 if self._lost else PATIENCE_SECONDS * 1000):
            raise BlockingIOError(errno.EAGAIN, "its reader has stalled", self.path)

    def flush(self) -> None:
        """Nothing is buffered."""

    def fileno(self) -> int:
        """Return the fd."""
        return self.fd

    def close(self) -> None:
        """Close the fd, once; its number may soon be somebody else's."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


def open_sink(path: str, mode: str = "ab", permissions: int = 0o666) -> Sink:
    """Open a log for appending, emptied first if `mode` says `w`.

    Never waits: a FIFO without a reader keeps what its buffer takes until one comes
    (Linux fifo(7): opened for reading too).  Raises `OSError`.
    """
    if path in STANDARD_FDS:
        return _open_standard(path, STANDARD_FDS[path])
    flags = FLAGS | os.O_TRUNC if "w" in mode else FLAGS
    try:
        return Sink(os.open(path, flags, permissions), path)
    except OSError as error:
        if error.errno != errno.ENXIO or not stat.S_ISFIFO(os.stat(path).st_mode):
            raise
        return Sink(os.open(path, os.O_RDWR | os.O_NONBLOCK), path)


def _open_standard(path: str, fd: int) -> Sink:
    """Open stdout or stderr by name, so that only our own end of it does not block.

    A file is used as it is: whoever writes to it through fds of one origin does not
    overwrite the others.  So is what cannot be opened: a socket, a terminal of somebody
    else.
    """
    is_file = stat.S_ISREG(os.fstat(fd).st_mode)
    if not is_file:
        with contextlib.suppress(OSError):
            return Sink(os.open(path, FLAGS & ~os.O_CREAT), path)
    return Sink(os.dup(fd), path, shared=not is_file)
