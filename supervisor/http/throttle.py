"""Rate limit of the log lines that clients cause."""

from __future__ import annotations

from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisor.engine.loop import Loop

MAX_LINES = 5
"""Limit of lines per origin and second; of the remaining lines only the number is logged."""

MAX_ORIGINS = 32
"""Limit of origins counted separately within a second; further ones share one count."""

OTHERS = "other clients"

SECOND = 1.0


class Throttle:
    """Rate limiter of one kind of log line; `what` names the kind where a number is logged."""

    def __init__(self, loop: Loop, log: Callable[[str], None], what: str) -> None:
        self._loop = loop
        self._log = log
        self._what = what
        self._lines: dict[str, int] = {}

    def log(self, origin: str, text: str) -> None:
        """Log a line that a client of `origin` has caused, or only count it."""
        if origin not in self._lines and len(self._lines) >= MAX_ORIGINS:
            origin = OTHERS
        if origin not in self._lines:
            self._lines[origin] = 0
            self._loop.call_later(SECOND, partial(self._end_second, origin))
        self._lines[origin] += 1
        if self._lines[origin] <= MAX_LINES:
            self._log(text)

    def _end_second(self, origin: str) -> None:
        left_out = self._lines.pop(origin) - MAX_LINES
        if left_out > 0:
            self._log(f"{origin}: {left_out} more {self._what} within a second")
