"""The destinations of log bytes: files, pipes, terminals.

The file handlers of `loggers` write through a `Sink`: unbuffered, on its own fd, with its own
count of bytes.  A sink never blocks the daemon for a reader, and never drops bytes without a note.

All handlers of one path share one sink: one fd, one size, one backlog.  When one of them rotates,
clears or reopens the file, the others continue in the new one.  This keeps the order of the lines,
and no line is written to a file that has been removed.
"""

from __future__ import annotations

import contextlib
import os
import stat
from functools import partial

from supervisor.engine import files
from supervisor.logs.backlog import MAX_WAITING_BYTES, Backlog
from supervisor.logs.reading import followed, notify_written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from supervisor.logs.policy import LogPolicy

STANDARD_FDS = {"/dev/stdout": 1, "/dev/stderr": 2}

FD_PATH_PREFIXES = ("/dev/std", "/dev/fd/", "/proc/")
"""Prefixes of names that may lead to regular files, but must not be renamed or removed."""

_sinks: dict[str, Sink] = {}
"""The open sinks, and closed ones whose last bytes are not flushed yet."""


class Sink:
    """The fd of a log, shared by all writers of its path.

    `size` counts the bytes of a regular file and stays 0 for everything else, so that only files
    ever reach a limit.  `shared` means that other processes use the fd too and that it may block.
    `policy` is that of the last of its writers that has one; most logs have none.
    """

    def __init__(
        self, fd: int, path: str, *, shared: bool = False, policy: LogPolicy | None = None
    ) -> None:
        self.path = path
        self._policies: tuple[LogPolicy, ...] = () if policy is None else (policy,)
        self._users = 1
        self._whole_lines = False
        self.is_inherited = False
        self._take(fd, shared=shared)

    @property
    def policy(self) -> LogPolicy | None:
        """The options beyond the size, None if no writer has any."""
        return self._policies[-1] if self._policies else None

    def _take(self, fd: int, *, shared: bool) -> None:
        self.fd = fd
        status = os.fstat(fd)
        self._is_regular = stat.S_ISREG(status.st_mode)
        self.is_file = self._is_regular and not self.path.startswith(FD_PATH_PREFIXES)
        self.size = status.st_size if self.is_file else 0
        self._backlog = Backlog(fd, self.path, shared=True) if shared else None
        if self._whole_lines:
            self.keep_lines_whole()

    def keep_lines_whole(self) -> None:
        """Write whole lines to a pipe from now on, because other processes may write to it too.

        A line of up to PIPE_BUF bytes is never torn apart then (pipe(7)).
        """
        self._whole_lines = True
        if not self._is_regular:
            if self._backlog is None:
                self._backlog = Backlog(self.fd, self.path)
            self._backlog.whole_lines = True

    def write(self, data: bytes | str) -> None:
        """Write as many bytes as the fd accepts, and queue or drop the remainder.

        Bytes for a slow reader are sent later.  Bytes that cannot be written (the disk is full, the
        reader has stalled for too long) are dropped and counted; a note replaces them as soon as
        there is room again.  Raises the first `OSError` of such a failure, once.
        """
        if isinstance(data, str):
            data = data.encode("utf-8", "backslashreplace")
        if self._backlog is not None:
            self._write_behind(data)
            return
        # A backlog exists only while it is needed: making one takes 8 us, a write 0.5 us.
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
        """Write through the backlog, which is made if necessary; see `write`.

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
        """Reopen the path, for another writer or in place of the file that was open.

        Queued bytes are sent to the old reader first.  Raises `OSError`; nothing is changed then.
        The writers of a log of the daemon before get it as it is, which may have been moved.
        """
        if self.is_inherited:
            return self
        fd, shared = _open(self.path, self.policy)
        if self._backlog and os.path.samestat(os.fstat(fd), os.fstat(self.fd)):
            os.close(fd)
        else:
            self.change_to(fd, shared=shared)
        return self

    def change_to(self, fd: int, *, shared: bool = False) -> None:
        """Write to another fd from now on; the old one is closed once it has been flushed."""
        before, backlog = self.fd, self._backlog
        self._take(fd, shared=shared)
        if backlog is None:
            os.close(before)
        else:
            backlog.when_flushed(partial(os.close, before))

    def begin_file(self) -> None:
        """Replace a regular file by a new one; do nothing for anything else.

        Raises `OSError`; writes then still go to the old file.
        """
        if not self.is_file:
            self.open_again()
            return
        self.unlink()
        fd, is_new = files.create_log(self.path)
        if self.policy is not None and self.policy.ownership is not None:
            ownership = self.policy.ownership
            (ownership.change if is_new else ownership.change_if_protected)(fd, self.path)
        self.change_to(fd)

    def unlink(self) -> None:
        """Remove the log, if it is a regular file.  Raises `OSError`."""
        if self.is_file:
            with contextlib.suppress(FileNotFoundError), files.directory_of(self.path) as parent:
                os.unlink(parent.name, dir_fd=parent.fd)
            notify_written(self.path)

    # -- as a stream ------------------------------------------------------------

    def flush(self) -> None:
        """Do nothing: there is no buffer."""

    def fileno(self) -> int:
        """Return the fd."""
        return self.fd

    def join(self, policy: LogPolicy | None = None) -> None:
        """Add a writer, with its policy."""
        if not self._users and self._backlog is not None:
            self._backlog.when_flushed(None)
        self._users += 1
        if policy is not None:
            self._set_policies((*self._policies, policy))

    def close(self, policy: LogPolicy | None = None) -> None:
        """Remove a writer and its policy; after the last one, the fd is closed once flushed."""
        self._users = max(self._users - 1, 0)
        if policy is not None and policy in self._policies:
            policies = list(self._policies)
            policies.remove(policy)
            self._set_policies(tuple(policies))
            _start_maintenance(self, is_first=False)
        if self._users or self.fd < 0:
            return
        if self._backlog is None:
            self._release()
        else:
            self._backlog.when_flushed(self._release)

    # -- saving -------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; `fd` stays open in the next daemon."""
        return {
            "fd": self.fd,
            "path": self.path,
            "backlog": None if self._backlog is None else self._backlog.snapshot(),
        }

    @classmethod
    def inherit(cls, saved: Mapping[str, Any]) -> Sink:
        """Return the sink of a snapshot, which has no writers yet."""
        backlog = saved.get("backlog") or {}
        sink = cls(saved["fd"], saved["path"], shared=backlog.get("shared") is True)
        sink._users = 0
        sink.is_inherited = True
        if backlog:
            if sink._backlog is None:
                sink._backlog = Backlog(sink.fd, sink.path)
            sink._backlog.restore(backlog)
        return sink

    def _release(self) -> None:
        """Close the fd, once: its number may soon be reused."""
        if _sinks.get(self.path) is self:
            del _sinks[self.path]
        self._set_policies(())
        fd, self.fd, self._backlog = self.fd, -1, None
        os.close(fd)

    def _set_policies(self, policies: tuple[LogPolicy, ...]) -> None:
        """Change the policies; a rotation by time that another policy demands ends."""
        before, self._policies = self.policy, policies
        if before is not None and before.maintenance is not None and before != self.policy:
            before.maintenance.closed(self)


def snapshot() -> list[dict[str, Any]]:
    """Return all open logs as JSON values."""
    return [sink.snapshot() for sink in _sinks.values() if sink.fd >= 0]


def restore(saved: list[dict[str, Any]]) -> None:
    """Take over open logs, for the writers that open them next; see `end_restore`."""
    for each in saved:
        _sinks[each["path"]] = Sink.inherit(each)


def end_restore() -> None:
    """Close the logs that have been taken over, but that no writer has opened."""
    for sink in list(_sinks.values()):
        sink.is_inherited = False
        if not sink._users:  # noqa: SLF001 - this module's
            sink.close()


def _start_maintenance(sink: Sink, *, is_first: bool) -> None:
    policy = sink.policy
    if policy is not None and policy.maintenance is not None:
        policy.maintenance.opened(sink, policy, is_first=is_first)


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


def open_sink(path: str, mode: str = "ab", policy: LogPolicy | None = None) -> Sink:
    """Open a log for appending, truncated first if `mode` has a `w`; see `files.open_log`.

    Returns the sink of the other writers of the path, if there are any; `policy` then applies to
    them as well, until this writer leaves it (`Sink.close`).  Raises `OSError`.
    """
    sink = _sinks.get(path)
    is_first = sink is None or (sink.is_inherited and not sink._users)  # noqa: SLF001 - this module's
    if sink is None:
        fd, shared = _open(path, policy, truncate="w" in mode)
        sink = _sinks[path] = Sink(fd, path, shared=shared, policy=policy)
    else:
        if "w" in mode and sink.is_file:
            os.truncate(sink.fd, 0)
        _join(sink, policy)
    if policy is not None:
        _start_maintenance(sink, is_first=is_first)
    return sink


def _join(sink: Sink, policy: LogPolicy | None) -> None:
    """Reopen a log for another writer; raises `OSError`, and nothing is changed then."""
    sink.join(policy)
    try:
        sink.open_again()
    except OSError:
        sink.close(policy)
        raise


def clear(path: str, policy: LogPolicy | None = None) -> None:
    """Replace a log by a new file, for all its writers.

    Does nothing if the log does not exist or is not a regular file.  Raises `OSError`.
    """
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return
    if is_file:
        sink = _sinks.get(path)
        if sink is None:  # `open_sink` would first rotate a log whose period has ended
            fd, shared = _open(path, policy)
            sink = Sink(fd, path, shared=shared, policy=policy)
        else:
            _join(sink, policy)
        try:
            sink.begin_file()
        finally:
            sink.close(policy)


def _open(path: str, policy: LogPolicy | None, *, truncate: bool = False) -> tuple[int, bool]:
    """Open a log; return the fd, and whether other processes share it.

    Stdout and stderr are opened by name, so that only the daemon's own end is non-blocking.  If
    they are a regular file, the existing fd is duplicated: writers whose fds have one origin do
    not overwrite each other.  The same is done if they cannot be opened: a socket, a terminal of
    another user.  Raises `OSError`.
    """
    fd = STANDARD_FDS.get(path)
    if fd is None:
        ownership = None if policy is None else policy.ownership
        if ownership is None or path.startswith(FD_PATH_PREFIXES):
            return files.open_log(path, truncate=truncate), False
        return ownership.open(path, truncate=truncate), False
    is_file = stat.S_ISREG(os.fstat(fd).st_mode)
    if not is_file:
        with contextlib.suppress(OSError):
            return os.open(path, files.APPEND_FLAGS), False
    return os.dup(fd), not is_file
