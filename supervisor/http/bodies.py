"""Response bodies that are produced step by step.

A producer is an object with `more()`, which returns bytes, `b""` at its end, or
`NOT_DONE_YET`.  Its attributes define when to poll it again (see `polling`).
"""

from __future__ import annotations

from supervisor.common.log_positions import parse_position
from supervisor.engine.deferred import NOT_DONE_YET
from supervisor.http import http1
from supervisor.logs import reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol, TypeAlias

    from supervisor.common.log_positions import LogPosition

    class Producer(Protocol):
        """A body that is produced step by step."""

        def more(self) -> Any:
            """Return bytes, `b""` at the end, or `NOT_DONE_YET`."""

    Part: TypeAlias = bytes | Producer


TAIL_BYTES = 1024
"""Size of the end of a log with which following begins."""

TAIL_POLL_SECONDS = 1.0
"""Poll interval of a followed log, for lines that another program has written."""


class FollowedFile:
    """A log file as `tail -f` shows it: endless, even if the file is rotated or removed."""

    max_wait = TAIL_POLL_SECONDS

    def __init__(self, path: str, start_bytes: int = TAIL_BYTES) -> None:
        """Follow a log from its last `start_bytes` on.

        Raises `FileNotFoundError` for a file that is unreadable or not regular.
        """
        self._follower = reading.Follower(path, start_bytes=start_bytes)
        if not self._follower.is_open:
            raise FileNotFoundError(path)
        self.wake_sources = (reading.written(path),)

    def more(self) -> Any:
        """Return the bytes written since the last call, or `NOT_DONE_YET`.

        Returns b"" at the end, which only a file has that was begun at a position.
        """
        data = self._follower.read()
        return data if data or self._follower.has_ended else NOT_DONE_YET

    def begin_at(self, text: str) -> LogPosition:
        """Begin at the position that a request has, if any, and end with the file.

        Returns the position of the first byte, see `common.log_positions`.
        """
        position = parse_position(text)
        if position is not None:
            self._follower.seek(position)
        self._follower.ends_with_file = True
        return self._follower.position

    @property
    def sz(self) -> int:
        """Read position in the file, in bytes; Supvisors reads and sets it."""
        return self._follower.offset

    @sz.setter
    def sz(self, offset: int) -> None:
        self._follower.offset = offset

    def close(self) -> None:
        """Close the file."""
        self._follower.close()


def tail_f_producer(_request: object, filename: Any, head: int) -> FollowedFile:
    """Return a body that follows a log from its last `head` bytes on.

    Raises `FileNotFoundError` for anything but the path of a regular file.  Supvisors'
    tests replace this function.
    """
    if not isinstance(filename, str):
        raise FileNotFoundError(filename)
    return FollowedFile(filename, head)


class Stream:
    """Bytes and producers, one after the other; optionally in chunks (RFC 9112, 7.1)."""

    def __init__(self, parts: list[Part], *, chunked: bool) -> None:
        self._parts = parts
        self._chunked = chunked

    def current_part(self) -> object:
        """Return the part whose attributes define when to poll again."""
        return self._parts[0] if self._parts else self

    def more(self) -> Any:
        """Return the next bytes to send, `b""` at the end, or `NOT_DONE_YET`."""
        data = self._next()
        if data is NOT_DONE_YET or not self._chunked:
            return data
        if data:
            return http1.chunk(data)
        self._chunked = False  # only the last chunk marks the end
        return http1.LAST_CHUNK

    def _next(self) -> Any:
        while self._parts:
            part = self._parts[0]
            if isinstance(part, bytes):
                del self._parts[0]
                data: Any = part
            else:
                data = part.more()
                if not data:
                    close_part(self._parts.pop(0))
            if data:
                return data
        return b""

    def close(self) -> None:
        """Close the parts that have not been sent."""
        while self._parts:
            close_part(self._parts.pop(0))


def close_part(part: object) -> None:
    """Close a producer; bytes, and producers without `close`, need not be closed."""
    close = getattr(part, "close", None)
    if close is not None:
        close()
