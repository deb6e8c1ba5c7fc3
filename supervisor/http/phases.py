"""Phases of a connection: the table of them, and the machine that holds the current one.

The phase is the state of a connection, which `connection` changes:

    NEW, IDLE --first bytes--> RECEIVING --last bytes--> RESPONDING --response complete--> IDLE
    RESPONDING --the kernel's buffer is full--> SENDING --all bytes sent--> RESPONDING or IDLE
    RESPONDING, SENDING --last response complete--> CLOSING --all bytes sent--> LINGERING
    any phase --error, timeout, end of input--> CLOSED

Events that follow at once are one transition: a request that arrives whole and is served without
waiting leaves the phase unchanged.  In SENDING the next request is served already if few bytes
are unsent: clients may send several at once (pipelining, RFC 9112, 9.3.2).

The table is below: each phase with the input that is read, the timeout, and the reaction to the
timeout and to the end of the client's input.
"""

from __future__ import annotations

import enum

from supervisor.common.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from supervisor.engine.loop import Loop, Timer


class Input(enum.Enum):
    """Input that a connection reads in a phase."""

    ALL = enum.auto()
    """All input, as part of a request; `framing.Limits` bounds it."""
    AHEAD = enum.auto()
    """Input after the request that is being served, up to a limit."""
    DISCARDED = enum.auto()
    """All input; it is not parsed."""
    NONE = enum.auto()


class OnEOF(enum.Enum):
    """Reaction to a client that sends nothing more."""

    CLOSE = enum.auto()
    COMPLETE = enum.auto()
    """Respond to the requests received so far, then close (see `hangup`)."""


class OnTimeout(enum.Enum):
    """Reaction to a phase that has lasted too long."""

    CLOSE = enum.auto()
    REFUSE = enum.auto()
    """Respond 408, then close."""
    CLOSE_IF_STALLED = enum.auto()
    """Close, unless the client has read something since the timer was set."""


@record(frozen=True)
class Phase:
    """One phase, and the behaviour of a connection in it; `timeout` is in seconds."""

    name: str
    input: Input
    timeout: float | None
    on_timeout: OnTimeout
    on_eof: OnEOF
    writes: bool = False
    serves: bool = True
    """Whether the next request is served, once no response is in progress."""


NEW: Final = Phase("new", Input.ALL, 60.0, OnTimeout.CLOSE, OnEOF.CLOSE)
"""The client has not sent anything yet."""

IDLE: Final = Phase("idle", Input.ALL, None, OnTimeout.CLOSE, OnEOF.CLOSE)
"""All requests have been served, and the next one has not begun.

It has no timeout, because an interactive supervisorctl keeps its connection.
"""

RECEIVING: Final = Phase("receiving", Input.ALL, 60.0, OnTimeout.REFUSE, OnEOF.CLOSE)
"""Part of a request has arrived, and no earlier response is unsent."""

RESPONDING: Final = Phase("responding", Input.AHEAD, None, OnTimeout.CLOSE, OnEOF.COMPLETE)
"""A response is being prepared, and all bytes of it so far have been sent.

It has no timeout, because a deferred response may take any time.
"""

SENDING: Final = Phase(
    "sending", Input.AHEAD, 60.0, OnTimeout.CLOSE_IF_STALLED, OnEOF.COMPLETE, writes=True
)
"""Some bytes are unsent, because the client has not read enough."""

CLOSING: Final = Phase(
    "closing",
    Input.NONE,
    60.0,
    OnTimeout.CLOSE_IF_STALLED,
    OnEOF.COMPLETE,
    writes=True,
    serves=False,
)
"""The last response is complete, and some bytes of it are unsent."""

LINGERING: Final = Phase(
    "lingering", Input.DISCARDED, 2.0, OnTimeout.CLOSE, OnEOF.CLOSE, serves=False
)
"""The last response has been sent, and the client has time to read it."""

CLOSED: Final = Phase("closed", Input.NONE, None, OnTimeout.CLOSE, OnEOF.CLOSE, serves=False)
"""The socket is closed."""


class PhaseMachine:
    """Current phase of a connection, and its timer."""

    def __init__(self, loop: Loop, on_timeout: Callable[[], None]) -> None:
        """Begin in phase NEW; `on_timeout` is called when a phase has lasted too long."""
        self._loop = loop
        self._on_timeout = on_timeout
        self._timer: Timer | None = None
        self._has_progressed = False
        self.phase = NEW
        self._set_timer()

    def enter(self, phase: Phase) -> None:
        """Change to a phase and start its timer; the current phase simply continues."""
        if phase is not self.phase:
            self.phase = phase
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if phase.timeout is not None:
                self._set_timer()

    def close(self) -> None:
        """Enter CLOSED for good, and forget the callback, so that the connection can be freed."""
        self.enter(CLOSED)
        self._on_timeout = _do_nothing

    def progressed(self) -> None:
        """Record that the client has read something."""
        self._has_progressed = True

    def _set_timer(self) -> None:
        self._has_progressed = False
        self._timer = self._loop.call_later(self.phase.timeout or 0, self._on_timer)

    def _on_timer(self) -> None:
        if self.phase.on_timeout is OnTimeout.CLOSE_IF_STALLED and self._has_progressed:
            self._set_timer()
        else:
            self._timer = None
            self._on_timeout()


def _do_nothing() -> None:
    """Stand in for the callback of a closed connection."""
