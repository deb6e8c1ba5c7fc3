"""The times of a task that repeats: pure, aligned, never two runs at a time.

After the first run, each is due at a multiple of the period on the monotonic clock.  So all tasks
with one period are due together, and a thousand of them wake the daemon once for each period, not
a thousand times.

Times are seconds on the monotonic clock, which continues when the daemon executes itself.
"""

from __future__ import annotations

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def aligned(time: float, period: float) -> float:
    """Return the first multiple of `period` that is not before `time`."""
    return math.ceil(time / period) * period


class PeriodicTask:
    """The times of one task; `due` is that of the next run, None during a run and after `stop`."""

    def __init__(self, period: float) -> None:
        """`period` is the time between the starts of two runs, in seconds."""
        self.period = period
        self.due: float | None = None
        self.begun_at: float | None = None
        """Begin of the run in progress, None without one."""

    def start(self, first_at: float) -> None:
        """Let the first run be due at a time."""
        self.due, self.begun_at = first_at, None

    def stop(self) -> None:
        """Let no run be due; one in progress is forgotten."""
        self.due = self.begun_at = None

    def begin(self, now: float) -> None:
        """Note the begin of a run."""
        self.due, self.begun_at = None, now

    def end(self, now: float) -> bool:
        """Note the end of a run; return whether there was one.

        The next run begins half a period after the begin of this one at the earliest, and one and
        a half at the latest, unless this one took longer; after that, the interval is the period.
        """
        if self.begun_at is None:
            return False
        self.due = aligned(max(self.begun_at + self.period / 2, now), self.period)
        self.begun_at = None
        return True

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; a run in progress is due again at once."""
        return {"due": self.due if self.begun_at is None else self.begun_at}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self.stop()
        self.due = saved.get("due")
