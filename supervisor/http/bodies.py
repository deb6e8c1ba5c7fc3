"""Response bodies that are produced step by step, and deferred responses.

A producer is an object with `more()`, which returns bytes, `b""` at its end, or
`NOT_DONE_YET`.  Attributes of a producer or of a deferred function define when to poll it
again (see `engine.deferred`): `wake_sources`, `delay` and, here, `recheck`, the seconds after
which to poll even without a notification.
`connection` holds at most one `Waiting` at a time.
"""

from __future__ import annotations

from supervisor.engine.deferred import NOT_DONE_YET, POLL_SECONDS, wake_sources_of
from supervisor.http import http1
from supervisor.logs import reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from supervisor.engine.deferred import Deferred, Notifier
    from supervisor.engine.loop import Loop, Timer

    class Producer(Protocol):
        """A body that is produced step by step."""

        def more(self) -> Any:
            """Return bytes, `b""` at the end, or `NOT_DONE_YET`."""


SHORTEST_POLL_SECONDS = 0.02
"""Lower bound of a poll interval: plugins set `delay = 0`, which would be a busy loop."""

TAIL_BYTES = 1024
"""Size of the end of a log with which following begins."""

TAIL_RECHECK_SECONDS = 1.0
"""Poll interval of a followed log, for lines that another program has written."""


class Waiting:
    """A deferred function, polled until it returns a value; at most one per channel."""

    def __init__(
        self,
        loop: Loop,
        question: Deferred,
        terms: Callable[[], Any],
        answered: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """`terms` returns the object that has `wake_sources`, `delay` and `recheck`.

        `failed` is called inside the `except` block with an exception of the deferred function
        or of `answered`.
        """
        self._loop = loop
        self._question = question
        self._terms = terms
        self._answered = answered
        self._failed = failed
        self._wakes: tuple[Notifier, ...] = ()
        self._timer: Timer | None = None
        self._is_due = False
        self._is_over = False

    def ask(self) -> None:
        """Poll now; if there is no value yet, wait for a notification or a timer."""
        self._stop_waiting()
        if self._is_over:
            return
        try:
            answer = self._question()
            if answer is NOT_DONE_YET:
                self._wait()
            else:
                self._is_over = True
                self._answered(answer)
        except Exception as error:  # noqa: BLE001 - the function may be a plugin's
            self._is_over = True
            self._failed(error)

    def ask_soon(self) -> None:
        """Poll at the end of this loop iteration: the notifier is still changing its state."""
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self.ask)

    def cancel(self) -> None:
        """Stop polling; a second or late call has no effect."""
        self._is_over = True
        self._stop_waiting()

    def _wait(self) -> None:
        terms = self._terms()
        self._wakes = wake_sources_of(terms)
        for notifier in self._wakes:
            notifier.add(self.ask_soon)
        seconds = getattr(terms, "recheck", None)
        if not self._wakes:
            delay = getattr(terms, "delay", POLL_SECONDS)
            seconds = max(delay, SHORTEST_POLL_SECONDS)
        if seconds is not None:
            self._timer = self._loop.call_later(seconds, self.ask)

    def _stop_waiting(self) -> None:
        self._is_due = False
        for notifier in self._wakes:
            notifier.discard(self.ask_soon)
        self._wakes = ()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class FollowedFile:
    """A log file as `tail -f` shows it: endless, even if the file is rotated or removed."""

    recheck = TAIL_RECHECK_SECONDS

    def __init__(self, path: str, start_bytes: int = TAIL_BYTES) -> None:
        """Follow a log from its last `start_bytes` on.

        Raises `FileNotFoundError` for a file that is unreadable or not regular.
        """
        self._follower = reading.Follower(path, start_bytes=start_bytes)
        if not self._follower.is_open:
            raise FileNotFoundError(path)
        self.wake_sources = (reading.written(path),)

    def more(self) -> Any:
        """Return the bytes written since the last call, or `NOT_DONE_YET`."""
        return self._follower.read() or NOT_DONE_YET

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

    def __init__(self, parts: list[bytes | Producer], *, chunked: bool) -> None:
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
                    _close(self._parts.pop(0))
            if data:
                return data
        return b""

    def close(self) -> None:
        """Close the parts that have not been sent."""
        while self._parts:
            _close(self._parts.pop(0))


def _close(part: object) -> None:
    close = getattr(part, "close", None)
    if close is not None:
        close()
