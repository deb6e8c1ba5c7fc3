"""Bodies that are not there yet, and answers that wait (floor 5).

A producer is an object with `more()`, which returns bytes, `b""` at its end, or
`NOT_DONE_YET`.  What says when asking again is worthwhile are attributes of a producer or
of a deferred function (see `supervisor.deferred`): `wakes_on`, `delay` and, here,
`recheck`: seconds after which to ask again although nothing has woken it.
`channel` holds at most one `Waiting` at a time.
"""

from __future__ import annotations

from supervisor import logfiles
from supervisor.deferred import NOT_DONE_YET, POLL_SECONDS, wakes_of
from supervisor.http import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from supervisor.deferred import Question, Waiters
    from supervisor.loop import Loop, Timer

    class Producer(Protocol):
        """A body that comes bit by bit."""

        def more(self) -> Any:
            """Return bytes, `b""` at the end, or `NOT_DONE_YET`."""


SHORTEST_POLL_SECONDS = 0.02
"""Plugins ask to be polled in a busy loop (`delay = 0`); nobody gains from it."""

TAIL_BYTES = 1024
"""How much of a log a viewer sees at first."""

TAIL_RECHECK_SECONDS = 1.0
"""How soon a viewer sees what somebody else has written to a log."""


class Waiting:
    """Asks a question until it has an answer; at most one per channel."""

    def __init__(
        self,
        loop: Loop,
        question: Question,
        terms: Callable[[], Any],
        answered: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """`terms` returns what carries `wakes_on`, `delay` and `recheck`.

        `failed` gets what the question, or `answered`, raises, inside the `except` block.
        """
        self._loop = loop
        self._question = question
        self._terms = terms
        self._answered = answered
        self._failed = failed
        self._wakes: tuple[Waiters, ...] = ()
        self._timer: Timer | None = None
        self._is_due = False
        self._is_over = False

    def ask(self) -> None:
        """Ask now; if there is no answer, wait for what makes asking worthwhile."""
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
        except Exception as error:  # noqa: BLE001 - the question may be a plugin's
            self._is_over = True
            self._failed(error)

    def ask_soon(self) -> None:
        """Ask when this turn's work is done: who wakes us is still changing its state."""
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self.ask)

    def cancel(self) -> None:
        """Never ask again; cancelling twice, or too late, is harmless."""
        self._is_over = True
        self._stop_waiting()

    def _wait(self) -> None:
        terms = self._terms()
        self._wakes = wakes_of(terms)
        for waiters in self._wakes:
            waiters.add(self.ask_soon)
        seconds = getattr(terms, "recheck", None)
        if not self._wakes:
            delay = getattr(terms, "delay", POLL_SECONDS)
            seconds = max(delay, SHORTEST_POLL_SECONDS)
        if seconds is not None:
            self._timer = self._loop.call_later(seconds, self.ask)

    def _stop_waiting(self) -> None:
        self._is_due = False
        for waiters in self._wakes:
            waiters.discard(self.ask_soon)
        self._wakes = ()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class FollowedFile:
    """A log file as `tail -f` shows it: it never ends, whatever happens to the file."""

    recheck = TAIL_RECHECK_SECONDS

    def __init__(self, path: str, start_bytes: int = TAIL_BYTES) -> None:
        """Follow a log from its last `start_bytes` on.

        Raises `FileNotFoundError` for what cannot be read or is no regular file.
        """
        self._follower = logfiles.Follower(path, start_bytes=start_bytes)
        if not self._follower.is_open:
            raise FileNotFoundError(path)
        self.wakes_on = (logfiles.written(path),)

    def more(self) -> Any:
        """Return what has been written since the last time."""
        return self._follower.read() or NOT_DONE_YET

    @property
    def sz(self) -> int:
        """How far into the file its reader is, in bytes; Supvisors reads and sets it."""
        return self._follower.offset

    @sz.setter
    def sz(self, offset: int) -> None:
        self._follower.offset = offset

    def close(self) -> None:
        """Let the file go."""
        self._follower.close()


def tail_f_producer(_request: object, filename: Any, head: int) -> FollowedFile:
    """Return a body that follows a log from its last `head` bytes on.

    Raises `FileNotFoundError` for what is not the path of a regular file.  Supvisors'
    tests replace it.
    """
    if not isinstance(filename, str):
        raise FileNotFoundError(filename)
    return FollowedFile(filename, head)


class Stream:
    """Bytes and producers one after the other; in chunks (RFC 9112, 7.1) if asked to."""

    def __init__(self, parts: list[bytes | Producer], *, chunked: bool) -> None:
        self._parts = parts
        self._chunked = chunked

    def current_part(self) -> object:
        """Return the part that says when to ask again."""
        return self._parts[0] if self._parts else self

    def more(self) -> Any:
        """Return the next bytes to send, `b""` at the end, or `NOT_DONE_YET`."""
        data = self._next()
        if data is NOT_DONE_YET or not self._chunked:
            return data
        if data:
            return wire.chunk(data)
        self._chunked = False  # the last chunk is the end's only announcement
        return wire.LAST_CHUNK

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
        """Let go of all that was not sent."""
        while self._parts:
            _close(self._parts.pop(0))


def _close(part: object) -> None:
    close = getattr(part, "close", None)
    if close is not None:
        close()
