"""The watchdog of one program, and the end of a program that does not report any more.

The program gets SIGABRT, so that it can leave a core dump, and SIGKILL after `stopwaitsecs`, as
with `WatchdogSec=` and `TimeoutAbortSec=` of systemd.  It stays RUNNING until it has ended: that
is a crash, after which `autorestart` decides.
"""

from __future__ import annotations

import signal

from supervisor.common.notify_protocol import TRIGGER
from supervisor.process.stop_deadline import StopDeadline
from supervisor.process.watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from supervisor.common.notify_protocol import Notification
    from supervisor.process.monitored import Monitored, Step


class WatchdogMonitor:
    """The watchdog of one process, run after run."""

    def __init__(self, process: Monitored) -> None:
        self._process = process
        self._watchdog = Watchdog(process.config.health.watchdog)
        self._deadline = StopDeadline()
        self.abort_reason = ""
        """Why the watchdog has expired and the child got SIGABRT, "" otherwise."""
        self.aborted_at = 0.0
        """Time of SIGABRT in seconds since the epoch, 0 without one."""

    def next_step(self) -> Step | None:
        """Return the end of the time to report, or to end after SIGABRT."""
        if self.abort_reason:
            kill_at = self._deadline.kill_at
            return None if kill_at is None else (kill_at, self._kill)
        expires_at = self._watchdog.expires_at
        return None if expires_at is None else (expires_at, self._abort)

    def run_started(self, now: float) -> None:
        """Begin a run: the program is RUNNING."""
        self._watchdog.run_started(now)

    def run_ended(self) -> None:
        """Forget the run."""
        self._watchdog.reset()
        self.abort_reason, self.aborted_at = "", 0.0

    def notified(self, notification: Notification) -> None:
        """Follow a message of the program."""
        runtime = self._process.runtime
        self._watchdog.notified(notification, runtime.clock.monotonic())
        # The timer need not follow a deadline that moves away with each WATCHDOG=1.
        if notification.watchdog == TRIGGER or notification.watchdog_seconds is not None:
            runtime.loop.call_soon(self._process.transition)

    def _abort(self) -> None:
        process = self._process
        self.abort_reason = f"watchdog: {self._watchdog.failure_text()}"
        self.aborted_at = process.runtime.clock.time()
        process.runtime.logger.warn(
            f"aborting '{process.name}' ({process.pid}) with SIGABRT: {self.abort_reason}"
        )
        process.history.explain(self.abort_reason)
        process.runtime.services.description_changed(process)
        self._send(signal.SIGABRT, whole_group=process.config.stopasgroup)

    def _kill(self) -> None:
        process = self._process
        process.runtime.logger.warn(f"killing '{process.name}' ({process.pid}) with SIGKILL")
        self._send(signal.SIGKILL, whole_group=process.config.killasgroup)

    def _send(self, signum: int, *, whole_group: bool) -> None:
        process = self._process
        now = process.runtime.clock.monotonic()
        self._deadline.signalled(signum, process.config.stopwaitsecs, now)
        process.send_signal(signum, "killing", whole_group=whole_group)

    # -- saving ---------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "abort_reason": self.abort_reason,
            "aborted_at": self.aborted_at,
            "deadline": self._deadline.snapshot(),
            "watchdog": self._watchdog.snapshot(),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self.abort_reason = saved.get("abort_reason", "")
        self.aborted_at = saved.get("aborted_at", 0.0)
        self._deadline.restore(saved.get("deadline") or {})
        self._watchdog.restore(saved.get("watchdog") or {})
