"""The limit of a program's memory: whether it has been above it in several looks in a row.

Pure; one look above the limit may be a peak that is over in a moment.
"""

from __future__ import annotations

from supervisor.process.periodic import PeriodicTask, aligned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MAX_LOOKS = 3
"""Number of looks in a row above the limit after which it counts."""

MIB = 1024 * 1024


class MemoryLimit:
    """The limit of one program; times are monotonic seconds."""

    def __init__(self, limit: int, period: float) -> None:
        """`limit` is in bytes; `period` is between two looks, in seconds."""
        self._limit = limit
        self.task = PeriodicTask(period)
        self._memory = 0
        self._looks_above = 0

    def run_ended(self) -> None:
        """Forget the run; no look is due until `run_started`."""
        self.task.stop()
        self._looks_above = 0

    def run_started(self, now: float) -> None:
        """Begin a run: the program is RUNNING."""
        self.run_ended()
        self.task.start(aligned(now, self.task.period))

    def looked(self, now: float, memory: int) -> bool:
        """Take the result of a look, in bytes; return whether the program is to be restarted."""
        if not self.task.end(now):
            return False
        self._memory = memory
        self._looks_above = self._looks_above + 1 if memory > self._limit else 0
        return self._looks_above >= MAX_LOOKS

    def failure_text(self) -> str:
        """Return why the program is restarted, for logs."""
        used, allowed = self._memory / MIB, self._limit / MIB
        return f"uses {used:.1f} MB of memory (max_memory_restart: {allowed:.1f} MB)"

    # -- saving ---------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {"looks_above": self._looks_above, "task": self.task.snapshot()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self._looks_above = saved.get("looks_above", 0)
        self.task.restore(saved.get("task") or {})
