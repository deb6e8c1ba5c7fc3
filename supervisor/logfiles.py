"""Reading log files: parts of them, their tails, and what comes after (floor 2).

`rpc.logs` reads and tails; `http.bodies` follows.  `logsinks` calls `notify_written`
after each write, and followers wait on `written(path)`.
"""

from __future__ import annotations

import os
from functools import partial
from weakref import ReferenceType

from supervisor.deferred import Waiters
from supervisor.files import open_for_reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

READ_BYTES = 64 * 1024

TRUNCATED = b"==> File truncated <==\n"
"""What a follower reads where the file has lost what it had read before."""

followed: dict[str, ReferenceType[Waiters]] = {}
"""Log files for whose next write somebody waits; `logsinks` looks here before it calls."""


def written(path: str) -> Waiters:
    """Return those who wait for the next write to a log file.

    The entry lasts as long as somebody holds on to what is returned.
    """
    reference = followed.get(path)
    waiters = reference() if reference is not None else None
    if waiters is None:
        waiters = Waiters()
        followed[path] = ReferenceType(waiters, partial(_forget, path))
    return waiters


def _forget(path: str, reference: ReferenceType[Waiters]) -> None:
    if followed.get(path) is reference:
        del followed[path]


def notify_written(path: str) -> None:
    """Wake those who wait for a write, a rotation or a removal of a log file.

    Plugins log from threads of their own; what waits belongs to the loop, so that such
    writes are left for its next look.
    """
    reference = followed.get(path)
    waiters = reference() if reference is not None else None
    if waiters is None:
        return
    import threading

    if threading.current_thread() is threading.main_thread():
        waiters.wake()


def readFile(filename: str, offset: int, length: int) -> bytes:  # noqa: N802 - Supervisor 4's name
    """Return `length` bytes of a file from `offset` on; a length of 0 reads to its end.

    A negative offset counts from the end, and then the length must be 0.  Raises
    `ValueError` with `BAD_ARGUMENTS`, or with `FAILED` (and an `OSError` as its cause) when the
    file cannot be read: the names of the faults that callers get.
    """
    if length < 0 or (offset < 0 and length != 0):
        raise ValueError("BAD_ARGUMENTS")
    try:
        with open(open_for_reading(filename), "rb") as file:
            size = file.seek(0, os.SEEK_END)
            if offset < 0:
                offset = max(size + offset, 0)
            file.seek(offset)
            # Python allocates the length that is asked for, however short the file is.
            return file.read(min(length, max(size - offset, READ_BYTES)) if length else -1)
    except (OSError, ValueError) as error:  # ValueError: an offset beyond 64 bits
        raise ValueError("FAILED") from error


def tailFile(filename: str, offset: int, length: int) -> list[Any]:  # noqa: N802 - Supervisor 4's name
    """Return [text, size, overflow]: the last `length` bytes of a file that grew.

    `offset` is the size that the caller was told the last time: nothing is returned when
    the file has not grown beyond it, and `overflow` says that more than `length` bytes
    have come since.  A file that cannot be read is one of size 0.
    """
    try:
        with open(open_for_reading(filename), "rb") as file:
            size = file.seek(0, os.SEEK_END)
            data = b""
            if offset < size and length > 0:
                file.seek(max(size - length, 0))
                data = file.read(min(length, size))
    except OSError:
        return ["", 0, False]
    return [data.decode("utf-8", "replace"), size, size > offset + length]


class Follower:
    """What is appended to a file, across rotation, truncation and removal.

    The file need not exist yet.  What is no regular file has nothing to follow.
    `offset` is how many bytes of the file have been read.
    """

    def __init__(self, path: str, start_bytes: int = 1024) -> None:
        self.path = path
        self._fd: int | None = None
        self.offset = 0
        self._open(path)
        self.offset = max(self._size() - start_bytes, 0)

    def read(self, limit: int = READ_BYTES) -> bytes:
        """Return up to `limit` bytes that have not been read yet; b"" when there are none."""
        if self._fd is None:
            self._open(self.path)
        data = self._read(limit)
        while not data and self._fd is not None:
            if self._size() < self.offset:
                self.offset = 0
                return TRUNCATED
            successor = self._successor()
            if successor is None:
                break
            # What came before the file was replaced may have come after the last read.
            data = self._read(limit)
            if not data and not self._open(successor):
                break
            data = data or self._read(limit)
        return data

    def close(self) -> None:
        """Let the file go."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    @property
    def is_open(self) -> bool:
        """Whether there is a file that can be read."""
        return self._fd is not None

    def _size(self) -> int:
        return 0 if self._fd is None else os.fstat(self._fd).st_size

    def _read(self, limit: int) -> bytes:
        if self._fd is None:
            return b""
        data = os.pread(self._fd, limit, self.offset)
        self.offset += len(data)
        return data

    def _open(self, path: str) -> bool:
        """Change over to a file, from its first byte on; False if that is not possible."""
        try:
            fd = open_for_reading(path)
        except OSError:
            return False
        self.close()
        self._fd, self.offset = fd, 0
        return True

    def _successor(self) -> str | None:
        """Return the file to go on with; None while there is none but our own.

        Rotation renames `path` to `path.1`, that to `path.2` and so on: a reader that
        is behind finds its own file there, and beside it the one that came next.
        """
        if self._is_ours(self.path) is not False:
            return None
        newer, number = self.path, 1
        while (ours := self._is_ours(older := f"{self.path}.{number}")) is not None:
            if ours:
                return newer
            newer, number = older, number + 1
        return self.path

    def _is_ours(self, path: str) -> bool | None:
        """Whether a path leads to the file that is being read; None if it leads nowhere."""
        if self._fd is None:
            return None
        try:
            return os.path.samestat(os.stat(path), os.fstat(self._fd))
        except OSError:
            return None
