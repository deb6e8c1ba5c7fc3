"""Lines of the log that clients cause, a few per second and origin (floor 5)."""

from __future__ import annotations

from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisor.loop import Loop

MAX_LINES = 5
"""Lines of one origin within a second; of the others the number is logged."""

MAX_ORIGINS = 32
"""Origins that are told apart within a second; further ones share their lines."""

OTHERS = "other clients"

SECOND = 1.0


class Throttle:
    """Logs lines of one kind: `what` says of what the number is given when some are left out."""

    def __init__(self, loop: Loop, log: Callable[[str], None], what: str) -> None:
        self._loop = loop
        self._log = log
        self._what = what
        self._lines: dict[str, int] = {}

    def log(self, origin: str, text: str) -> None:
        """Log a line that a client of `origin` has caused, or count it."""
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
