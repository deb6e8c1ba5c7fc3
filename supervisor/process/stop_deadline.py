"""The deadlines of a stop: when it is reported again, and when SIGKILL follows.

Pure: `lifecycle.Lifecycle` and `child.Subprocess` pass the times in.
"""

from __future__ import annotations

import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MIN_KILL_INTERVAL_SECONDS = 1.0
"""Minimum interval between two SIGKILLs for one process, if `stopwaitsecs` is shorter."""

REPORT_SECONDS = 2.0
"""Interval between log lines about a process that is still stopping, in seconds."""


class StopDeadline:
    """The end of the time that a process has to stop.

    `kill_at` is in monotonic seconds, None while hooks delay the first signal.
    """

    def __init__(self) -> None:
        self.kill_at: float | None = 0.0
        self._signalled_at = 0.0
        self._least_seconds = 0.0

    def snapshot(self) -> dict[str, float | None]:
        """Return the state as JSON values."""
        return {
            "kill_at": self.kill_at,
            "signalled_at": self._signalled_at,
            "least_seconds": self._least_seconds,
        }

    def restore(self, saved: Mapping[str, float | None]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self.kill_at = saved.get("kill_at", 0.0)
        self._signalled_at = saved.get("signalled_at") or 0.0
        self._least_seconds = saved.get("least_seconds") or 0.0

    def await_signal(self) -> None:
        """Set no deadline yet: the signal is still to be sent."""
        self.kill_at = None

    def signalled(self, signum: int, stopwaitsecs: float, now: float) -> None:
        """Set the deadline after a signal that is meant to end the process."""
        self._signalled_at = now
        self._least_seconds = MIN_KILL_INTERVAL_SECONDS if signum == signal.SIGKILL else 0.0
        self.kill_at = self._after_signal(stopwaitsecs)

    def reschedule(self, stopwaitsecs: float) -> None:
        """Set the deadline again, from the same signal, if any: `stopwaitsecs` has changed."""
        if self.kill_at is not None:
            self.kill_at = self._after_signal(stopwaitsecs)

    def _after_signal(self, stopwaitsecs: float) -> float:
        return self._signalled_at + max(stopwaitsecs, self._least_seconds)

    def remaining(self, now: float) -> float:
        """Return the seconds until the deadline, 0 after it."""
        return 0.0 if self.kill_at is None else max(self.kill_at - now, 0.0)

    def report_due(self, last_report: float, now: float) -> bool:
        """Whether the stop should be reported; `last_report` is 0 if it has not been yet."""
        return not last_report or now >= last_report + REPORT_SECONDS

    def next_report(self, last_report: float) -> float | None:
        """Return the time of the next report, None if there is none before the deadline."""
        if not last_report:
            return None
        report_at = last_report + REPORT_SECONDS
        return report_at if self.kill_at is None or report_at < self.kill_at else None
