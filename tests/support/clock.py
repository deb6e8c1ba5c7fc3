"""A clock that tests turn by hand."""

from __future__ import annotations


class FakeClock:
    """Stands in for `supervisor.engine.loop.Clock`: time passes only when a test says so.

    Wall time and monotonic time advance together; `set_wall` moves the first alone, as an
    administrator or NTP does.  All in seconds.
    """

    def __init__(self, time: float = 1_700_000_000.0, monotonic: float = 1000.0) -> None:
        self._time = time
        self._monotonic = monotonic

    def time(self) -> float:
        """Return the time of day, in seconds since the epoch."""
        return self._time

    def monotonic(self) -> float:
        """Return the time of deadlines, which never goes back."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        if seconds < 0:
            raise ValueError("time does not go backwards; use set_wall")
        self._time += seconds
        self._monotonic += seconds

    def set_wall(self, time: float) -> None:
        """Set the time of day, forward or back, without any time passing."""
        self._time = time
