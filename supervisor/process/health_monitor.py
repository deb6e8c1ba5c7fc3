"""Supervision of a running program: liveness checks, watchdog, memory and time.

One object for each program that has such options.  It is asked for its next step while the process
is RUNNING, as `lifecycle` asks other policies in other states, so it has no timer of its own.

A restart is a stop, followed by an automatic start: pauses and limits of restarts apply.  Only the
watchdog has no time for a stop.
"""

from __future__ import annotations

import random
from operator import itemgetter

from supervisor.common.text import in_seconds
from supervisor.process.liveness_monitor import LivenessMonitor
from supervisor.process.memory_limit import MemoryLimit
from supervisor.process.watchdog_monitor import WatchdogMonitor
from supervisor.states import ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from supervisor.common.notify_protocol import Notification
    from supervisor.process.monitored import Monitored, Step

ABORTING = "failing (watchdog)"


class HealthMonitor:
    """The supervision of one process, run after run."""

    def __init__(
        self, process: Monitored, random_share: Callable[[], float] = random.random
    ) -> None:
        """`random_share` returns a number from 0 to 1 for `max_runtime_jitter`."""
        options = process.config.health
        self._process = process
        self._random_share = random_share
        self._liveness = None
        if options.liveness_check_script is not None:
            self._liveness = LivenessMonitor(process, options.liveness_check_script)
        self._watchdog = None
        if options.watchdog and process.config.notify:
            self._watchdog = WatchdogMonitor(process)
        self._memory = None
        if options.max_memory_restart:
            self._memory = MemoryLimit(options.max_memory_restart, options.memory_check_period)
        self._restart_at: float | None = None

    # -- for users ----------------------------------------------------------------

    @property
    def abort_reason(self) -> str:
        """Why the watchdog has expired and the child got SIGABRT, "" otherwise."""
        return "" if self._watchdog is None else self._watchdog.abort_reason

    @property
    def text(self) -> str:
        """The health for users: "" if unknown, `ok`, or that of `failure`."""
        if self.abort_reason:
            return ABORTING
        return "" if self._liveness is None else self._liveness.text

    @property
    def failure(self) -> str:
        """The failure for users, such as `failing (2/3)`; "" without one."""
        text = self.text
        return "" if text == "ok" else text

    @property
    def failing_check(self) -> tuple[str, float]:
        """The reason of the failure, and its begin in seconds since the epoch.

        "" and 0 without a failure.
        """
        if self._watchdog is not None and self._watchdog.abort_reason:
            return self._watchdog.abort_reason, self._watchdog.aborted_at
        if self._liveness is None or not self.failure:
            return "", 0.0
        return self._liveness.failing_check

    # -- the rule -----------------------------------------------------------------

    def next_step(self) -> Step | None:
        """Return what happens next in RUNNING: (deadline in monotonic seconds, action)."""
        if self._watchdog is not None and self._watchdog.abort_reason:
            return self._watchdog.next_step()
        steps = [
            None if self._liveness is None else self._liveness.next_step(),
            None if self._watchdog is None else self._watchdog.next_step(),
            self._next_look(),
            None if self._restart_at is None else (self._restart_at, self._end_run),
        ]
        return min(filter(None, steps), key=itemgetter(0), default=None)

    def entered(self, state: int) -> None:
        """Note that the process has entered a state."""
        if state == ProcessStates.RUNNING:
            now = self._now()
            self._begin(now, now)
        else:
            self._end()

    def _now(self) -> float:
        return self._process.runtime.clock.monotonic()

    def _begin(self, now: float, running_since: float) -> None:
        for each in (self._liveness, self._watchdog, self._memory):
            if each is not None:
                each.run_started(now)
        options = self._process.config.health
        if options.max_runtime:
            jitter = self._random_share() * options.max_runtime_jitter
            self._restart_at = running_since + options.max_runtime + jitter

    def _end(self) -> None:
        for each in (self._liveness, self._watchdog, self._memory):
            if each is not None:
                each.run_ended()
        self._restart_at = None

    def continue_run(self, before: HealthMonitor | None) -> None:
        """Supervise a run that has begun with other options, and perhaps with another monitor.

        Checks and looks begin again, but `max_runtime` counts from the begin of RUNNING.
        """
        clock, now = self._process.runtime.clock, self._now()
        self._begin(now, now - max(clock.time() - self._process.history.changed_at, 0))
        if before is not None:
            self._restore_watchdog(before.snapshot())  # not live: the child knows its time

    def cancel_check(self) -> None:
        """End the running check without a result."""
        if self._liveness is not None:
            self._liveness.cancel()

    def notified(self, notification: Notification) -> None:
        """Follow a message of the program."""
        if self._watchdog is not None:
            self._watchdog.notified(notification)

    # -- memory and time ----------------------------------------------------------

    def _next_look(self) -> Step | None:
        due = None if self._memory is None else self._memory.task.due
        return None if due is None else (due, self._look_at_memory)

    def _look_at_memory(self) -> None:
        if self._memory is not None:
            self._memory.task.begin(self._now())
            self._process.runtime.services.usage.when_refreshed(self._sampled)

    def _sampled(self) -> None:
        memory, process = self._memory, self._process
        if memory is None:
            return
        used = process.runtime.services.usage.memory(process.pid) if process.pid else 0
        if memory.looked(self._now(), used):
            reason = memory.failure_text()
            process.runtime.logger.warn(f"restarting {process.name}: {reason}")
            process.starts.planned_stop.stop(reason)
        process.arm()

    def _end_run(self) -> None:
        process = self._process
        reason = f"has run for {in_seconds(process.config.health.max_runtime)} (max_runtime)"
        process.runtime.logger.info(f"restarting {process.name}: {reason}")
        process.starts.planned_stop.stop(reason)

    # -- saving ---------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "liveness": None if self._liveness is None else self._liveness.snapshot(),
            "memory": None if self._memory is None else self._memory.snapshot(),
            "restart_at": self._restart_at,
            "watchdog": None if self._watchdog is None else self._watchdog.snapshot(),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self._restart_at = saved.get("restart_at")
        if self._liveness is not None:
            self._liveness.restore(saved.get("liveness") or {})
        if self._memory is not None:
            self._memory.restore(saved.get("memory") or {})
        self._restore_watchdog(saved)

    def _restore_watchdog(self, saved: Mapping[str, Any]) -> None:
        if self._watchdog is not None:
            self._watchdog.restore(saved.get("watchdog") or {})
