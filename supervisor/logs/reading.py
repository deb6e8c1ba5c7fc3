"""Reading log files: parts of them, their tails, and what is appended later.

`rpc.logs` reads and tails them; `http.bodies` follows them.  `sinks` calls `notify_written`
after each write, and followers wait on `written(path)`.
"""

from __future__ import annotations

import os
from functools import partial
from weakref import ReferenceType

from supervisor.common.log_positions import TRUNCATED, LogPosition
from supervisor.engine.deferred import Notifier
from supervisor.engine.files import open_for_reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

READ_BYTES = 64 * 1024

followed: dict[str, ReferenceType[Notifier]] = {}
"""Log files with waiting followers; `sinks` checks this before it calls `notify_written`."""


def written(path: str) -> Notifier:
    """Return the callbacks that wait for the next write to a log file.

    The entry in `followed` exists as long as the returned object is referenced.
    """
    reference = followed.get(path)
    notifier = reference() if reference is not None else None
    if notifier is None:
        notifier = Notifier()
        followed[path] = ReferenceType(notifier, partial(_stop_following, path))
    return notifier


def _stop_following(path: str, reference: ReferenceType[Notifier]) -> None:
    if followed.get(path) is reference:
        del followed[path]


def notify_written(path: str) -> None:
    """Wake the callbacks that wait for a write, a rotation or a removal of a log file.

    Plugins log from their own threads, but the callbacks must run in the loop's thread.  Such
    writes are therefore noticed at the next poll.
    """
    reference = followed.get(path)
    notifier = reference() if reference is not None else None
    if notifier is None:
        return
    import threading

    if threading.current_thread() is threading.main_thread():
        notifier.notify()


def readFile(filename: str, offset: int, length: int) -> bytes:  # noqa: N802 - Supervisor 4's name
    """Return `length` bytes of a file from `offset` on; a length of 0 reads to its end.

    A negative offset counts from the end, and then the length must be 0.  Raises `ValueError`
    with the name of the fault: `BAD_ARGUMENTS`, or `FAILED` (with an `OSError` as its cause) when
    the file cannot be read.
    """
    if length < 0 or (offset < 0 and length != 0):
        raise ValueError("BAD_ARGUMENTS")
    try:
        with open(open_for_reading(filename), "rb") as file:
            size = file.seek(0, os.SEEK_END)
            if offset < 0:
                offset = max(size + offset, 0)
            file.seek(offset)
            # Python allocates the requested length, even if the file is shorter.
            return file.read(min(length, max(size - offset, READ_BYTES)) if length else -1)
    except (OSError, ValueError) as error:  # ValueError: an offset beyond 64 bits
        raise ValueError("FAILED") from error


def tailFile(filename: str, offset: int, length: int) -> list[Any]:  # noqa: N802 - Supervisor 4's name
    """Return [text, size, overflow]: the last `length` bytes of a file that has grown.

    `offset` is the size that the previous call returned.  The text is empty if the file has not
    grown beyond it; `overflow` is true if more than `length` bytes have been appended since.  A
    file that cannot be read has size 0.
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
    """A reader of what is appended to a file, across rotation, truncation and removal.

    The file need not exist yet.  Only regular files can be followed.  `offset` is the number of
    bytes that have been read.  With `ends_with_file`, it does not go on to another file, but
    `has_ended` becomes true (see `common.log_positions`).
    """

    ends_with_file = False
    has_ended = False

    def __init__(self, path: str, start_bytes: int = 1024) -> None:
        self.path = path
        self._fd: int | None = None
        self.offset = 0
        self._open(path)
        self.offset = max(self._size() - start_bytes, 0)

    def read(self, limit: int = READ_BYTES) -> bytes:
        """Return up to `limit` bytes that have not been read yet; b"" if there are none."""
        if self._fd is None:
            self._open(self.path)
        data = self._read(limit)
        while not data and self._fd is not None:
            if self._size() < self.offset:
                self.has_ended = self.ends_with_file
                if self.has_ended:
                    break
                self.offset = 0
                return TRUNCATED
            successor = self._successor()
            if successor is None:
                break
            # Bytes may have been appended between the last read and the replacement.
            data = self._read(limit)
            self.has_ended = self.ends_with_file and not data
            if self.has_ended or (not data and not self._open(successor)):
                break
            data = data or self._read(limit)
        return data

    @property
    def position(self) -> LogPosition:
        """The position of the next byte; the file must be open."""
        return LogPosition(0 if self._fd is None else os.fstat(self._fd).st_ino, self.offset)

    def seek(self, position: LogPosition) -> None:
        """Continue at a position.

        That is in the file or in one of its backups.  Another file, and one that has been
        truncated, is new as a whole.
        """
        is_found = self.position.inode == position.inode or self._open_backup(position.inode)
        self.offset = position.offset if is_found and position.offset <= self._size() else 0
        while self.offset == self._size() and (successor := self._successor()) is not None:
            if not self._open(successor):
                break

    def close(self) -> None:
        """Close the file."""
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

    def _open(self, path: str, inode: int | None = None) -> bool:
        """Switch to a file, from its first byte on; return False if that is not possible.

        With `inode`, no other file is opened.
        """
        try:
            fd = open_for_reading(path)
        except OSError:
            return False
        if inode is not None and os.fstat(fd).st_ino != inode:
            os.close(fd)
            return False
        self.close()
        self._fd, self.offset = fd, 0
        return True

    def _open_backup(self, inode: int) -> bool:
        """Switch to the backup with an inode; return False if there is none.

        A symlink is none: who can create one must not choose what is read.
        """
        number = 1
        while (found := _inode(f"{self.path}.{number}")) is not None:
            if found == inode:
                return self._open(f"{self.path}.{number}", inode)
            number += 1
        return False

    def _successor(self) -> str | None:
        """Return the file to read next; None while there is none but the current one.

        Rotation renames `path` to `path.1`, that to `path.2` and so on: a reader that lags behind
        finds its own file among these names, and beside it the next one.
        """
        if self._is_current(self.path) is not False:
            return None
        newer, number = self.path, 1
        while (is_current := self._is_current(older := f"{self.path}.{number}")) is not None:
            if is_current:
                return newer
            newer, number = older, number + 1
        return self.path

    def _is_current(self, path: str) -> bool | None:
        """Whether a path leads to the file that is being read; None if it does not exist."""
        if self._fd is None:
            return None
        try:
            return os.path.samestat(os.stat(path), os.fstat(self._fd))
        except OSError:
            return None


def _inode(path: str) -> int | None:
    """Return the inode of a file, None if there is none; a symlink is not followed."""
    try:
        return os.lstat(path).st_ino
    except OSError:
        return None
