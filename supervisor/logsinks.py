"""Where log bytes go: files, pipes, terminals (floor 2).

The file handlers of `loggers` write through a `Sink`: unbuffered, on an fd of its own,
with its own count of bytes.  A sink never makes the daemon wait for a reader, and never
loses bytes without saying so.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
import time

from supervisor.files import APPEND_FLAGS, open_log
from supervisor.logfiles import followed, notify_written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.loop import Loop

PATIENCE_SECONDS = 1.0
"""How long a reader that lags behind is waited for where no loop turns."""

BACKLOG_BYTES = 4 * 1024 * 1024
"""How much is kept for a reader that lags behind; more is dropped."""

_loop: Loop | None = None


def send_behind(loop: Loop | None) -> None:
    """Let a loop send what readers are not ready for; None while no loop turns."""
    global _loop  # noqa: PLW0603 - sinks are made everywhere, also by plugins
    _loop = loop


STANDARD_FDS = {"/dev/stdout": 1, "/dev/stderr": 2}

NAMES_OF_FDS = ("/dev/std", "/dev/fd/", "/proc/")
"""Such names may lead to regular files, but must not be renamed or removed."""


class Sink:
    """An fd that takes log bytes.

    `size` counts the bytes of a regular file and stays 0 for everything else, so that
    only files ever reach a limit.  `shared` says that the fd is used by others too and
    may block.  A sink with a backlog is a channel of the loop.
    """

    def __init__(self, fd: int, path: str, *, shared: bool = False) -> None:
        self.fd = fd
        self.path = path
        status = os.fstat(fd)
        self.is_file = stat.S_ISREG(status.st_mode) and not path.startswith(NAMES_OF_FDS)
        self.size = status.st_size if self.is_file else 0
        self._shared = shared
        self._backlog = bytearray()
        self._lost = 0

    def write(self, data: bytes | str) -> None:
        """Write everything that can be written.

        What a reader is not ready for is sent later.  What cannot be written (the disk is
        full, the reader has stalled for too long) is dropped and counted; a note takes its
        place as soon as there is room again.  Raises the `OSError` that began the trouble,
        once.
        """
        if isinstance(data, str):
            data = data.encode("utf-8", "backslashreplace")
        if self._backlog or self._lost or self._shared:
            self._write_carefully(data)
            return
        # Mostly one call of the system takes it all: half of the bytecode of the careful form.
        try:
            sent = os.write(self.fd, data) if data else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lost += len(data)
            raise
        if self.is_file:
            self.size += sent
        if sent < len(data):
            self._write_carefully(data[sent:])
        elif self.path in followed:
            notify_written(self.path)

    def _write_carefully(self, data: bytes) -> None:
        """Write where something is in the way, or has been; see `write`."""
        if self._backlog:
            self._queue(data)
            return
        if self._lost and not self._write_note():
            self._lost += len(data)
            return
        sent = 0
        deadline = None if _loop is not None else time.monotonic() + PATIENCE_SECONDS
        try:
            while sent < len(data):
                sent += self._send(data[sent:] if sent else data, deadline)
        except BlockingIOError:
            if _loop is None:
                self._lost += len(data) - sent
                raise
            self._queue(data[sent:])
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
            sent = self._send(note.encode(), None)
        except OSError:
            return False
        if self.is_file:
            self.size += sent
        self._lost = 0
        return True

    def _send(self, data: bytes | bytearray, deadline: float | None) -> int:
        """Write once, and wait until `deadline` (monotonic seconds) until that is possible.

        Returns how much was taken; raises `BlockingIOError` for a reader that is not ready.
        """
        if self._shared:
            # What poll calls writable takes PIPE_BUF bytes without blocking, no more.
            self._wait(deadline)
            return os.write(self.fd, data[: select.PIPE_BUF])
        try:
            return os.write(self.fd, data)
        except BlockingIOError:
            if deadline is None:
                raise
            self._wait(deadline)
            return os.write(self.fd, data)

    def _wait(self, deadline: float | None) -> None:
        seconds = 0.0 if deadline is None else max(deadline - time.monotonic(), 0.0)
        poll = select.poll()
        poll.register(self.fd, select.POLLOUT)
        if not poll.poll(seconds * 1000):
            raise BlockingIOError(errno.EAGAIN, "its reader has stalled", self.path)

    # -- what a reader is not ready for -----------------------------------------

    def _queue(self, data: bytes) -> None:
        if len(self._backlog) + len(data) > BACKLOG_BYTES:
            is_first = not self._lost
            self._lost += len(data)
            if is_first:
                raise BlockingIOError(errno.EAGAIN, "its reader has stalled", self.path)
            return
        is_first = not self._backlog
        self._backlog += data
        if is_first and _loop is not None:
            _loop.watch(self)

    def readable(self) -> bool:
        """A sink reads nothing."""
        return False

    def writable(self) -> bool:
        """Whether something waits for the reader."""
        return bool(self._backlog)

    def handle_read_event(self) -> None:
        """Never called: see `readable`."""

    def handle_write_event(self) -> None:
        """Send what the reader is ready for; raises `OSError` when it has gone."""
        with contextlib.suppress(BlockingIOError):
            sent = self._send(self._backlog, None)
            del self._backlog[:sent]
        if not self._backlog:
            self._leave_loop()
            if self._lost:
                self._write_note()

    def handle_error(self) -> None:
        """The reader has gone: forget what was kept for it; the next write will tell."""
        self._backlog.clear()
        self._lost = 0
        self._leave_loop()

    def _leave_loop(self) -> None:
        if _loop is not None:
            _loop.forget(self)

    # -- as a stream ------------------------------------------------------------

    def flush(self) -> None:
        """What can be written is not held back."""

    def fileno(self) -> int:
        """Return the fd."""
        return self.fd

    def close(self) -> None:
        """Close the fd, once; its number may soon be somebody else's."""
        if self.fd < 0:
            return
        if self._backlog:
            self._send_rest()
        fd, self.fd = self.fd, -1
        os.close(fd)

    def _send_rest(self) -> None:
        """Send what is left: at once where a loop turns, patiently at the end."""
        self._leave_loop()
        deadline = None if _loop is not None else time.monotonic() + PATIENCE_SECONDS
        with contextlib.suppress(OSError):
            while self._backlog:
                del self._backlog[: self._send(self._backlog, deadline)]
            if self._lost:
                self._write_note()


def open_sink(path: str, mode: str = "ab", permissions: int = 0o666) -> Sink:
    """Open a log for appending, truncated first if `mode` says `w`; see `files.open_log`.

    Raises `OSError`.
    """
    if path in STANDARD_FDS:
        return _open_standard(path, STANDARD_FDS[path])
    return Sink(open_log(path, truncate="w" in mode, permissions=permissions), path)


def _open_standard(path: str, fd: int) -> Sink:
    """Open stdout or stderr by name, so that only our own end of it does not block.

    A file is used as it is: whoever writes to it through fds of one origin does not
    overwrite the others.  So is what cannot be opened: a socket, a terminal of somebody
    else.
    """
    is_file = stat.S_ISREG(os.fstat(fd).st_mode)
    if not is_file:
        with contextlib.suppress(OSError):
            return Sink(os.open(path, APPEND_FLAGS), path)
    return Sink(os.dup(fd), path, shared=not is_file)
