"""The watchdog of a program: the time until which it must report again (sd_notify(3)).

Pure.  As with systemd, the time begins when the program is RUNNING.  The program may change its
length with `WATCHDOG_USEC=`, and end it with `WATCHDOG=trigger`, also before that.
"""

from __future__ import annotations

from supervisor.common.notify_protocol import KEEP_ALIVE, TRIGGER
from supervisor.common.text import in_seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from supervisor.common.notify_protocol import Notification


class Watchdog:
    """The watchdog of one run; all times are in seconds, and monotonic."""

    def __init__(self, seconds: float) -> None:
        """`seconds` is the time at the begin of each run."""
        self._configured = seconds
        self.reset()

    def reset(self) -> None:
        """Forget the run: nothing expires until the program is RUNNING."""
        self._seconds = self._configured
        self._reported_at: float | None = None
        self._is_triggered = False

    def run_started(self, now: float) -> None:
        """Begin the time: the program is RUNNING."""
        self._reported_at = now

    def notified(self, notification: Notification, now: float) -> None:
        """Follow a message of the program."""
        if notification.watchdog == TRIGGER:
            self._is_triggered = True
        if notification.watchdog_seconds is not None:
            self._seconds = notification.watchdog_seconds
        is_report = notification.watchdog == KEEP_ALIVE or notification.watchdog_seconds is not None
        if is_report and self._reported_at is not None:
            self._reported_at = now

    @property
    def expires_at(self) -> float | None:
        """The time at which the watchdog expires, None if it does not."""
        if self._reported_at is None:
            return None
        if self._is_triggered:
            return self._reported_at
        return self._reported_at + self._seconds if self._seconds else None

    def failure_text(self) -> str:
        """Return why the watchdog has expired, for logs."""
        if self._is_triggered:
            return "WATCHDOG=trigger was sent"
        return f"no WATCHDOG=1 for {in_seconds(self._seconds)}"

    # -- saving ---------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "is_triggered": self._is_triggered,
            "reported_at": self._reported_at,
            "seconds": self._seconds,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self._is_triggered = saved.get("is_triggered", False)
        self._reported_at = saved.get("reported_at")
        self._seconds = saved.get("seconds", self._configured)
