"""Supervision of a running program: liveness checks, watchdog, memory and time.

One object for each program that has such options.  It is asked for its next step while the process
is RUNNING, as `lifecycle` asks other policies in other states, so it has no timer of its own.  The
pure machines in `liveness`, `watchdog` and `memory_limit` decide; here are the probes and actions.

A restart is a stop, followed by an automatic start: pauses and limits of restarts apply.  Only the
watchdog has no time for a stop: the program gets SIGABRT, and its end is a crash.
"""

from __future__ import annotations

import random
import signal
from operator import itemgetter

from supervisor import events
from supervisor.common.notify_protocol import TRIGGER
from supervisor.common.text import in_seconds
from supervisor.config.health import RESTART, STOP
from supervisor.process.helper_launch import probe_runner
from supervisor.process.liveness import LivenessCheck
from supervisor.process.memory_limit import MemoryLimit
from supervisor.process.stop_deadline import StopDeadline
from supervisor.process.watchdog import Watchdog
from supervisor.states import ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from typing import Any, Protocol, TypeAlias

    from supervisor.common.notify_protocol import Notification
    from supervisor.common.probes import Probe
    from supervisor.config.model import ProcessConfig
    from supervisor.process.history import History
    from supervisor.process.planned_stop import PlannedStop
    from supervisor.process.runtime import Runtime

    Step: TypeAlias = tuple[float, Callable[[], object]]

    class Starts(Protocol):
        """The starts of a process; see `starts.Starts`."""

        @property
        def planned_stop(self) -> PlannedStop:
            """The stop that the daemon itself has decided."""

    class Monitored(Protocol):
        """A process that is supervised; see `lifecycle.Lifecycle`."""

        config: ProcessConfig
        runtime: Runtime
        state: int
        pid: int
        history: History

        @property
        def name(self) -> str:
            """The name without its group."""

        @property
        def group_name(self) -> str:
            """The name of the group."""

        @property
        def starts(self) -> Starts:
            """The starts of the process."""

        def arm(self) -> None:
            """Set the timer for the next deadline."""

        def transition(self) -> None:
            """Take the next step if it is due."""

        def send_signal(self, signum: int, doing: str, *, whole_group: bool) -> str | None:
            """Send a signal to the child or its group."""


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
        self._check = None
        if options.liveness_check_script is not None:
            self._check = LivenessCheck(options)
        self._watchdog = None
        if options.watchdog and process.config.notify:
            self._watchdog = Watchdog(options.watchdog)
        self._memory = None
        if options.max_memory_restart:
            self._memory = MemoryLimit(options.max_memory_restart, options.memory_check_period)
        self._restart_at: float | None = None
        self._abort_deadline = StopDeadline()
        self.abort_reason = ""
        """Why the watchdog has expired and the child got SIGABRT, "" otherwise."""
        self._runner = probe_runner(process, "liveness check")
        self._command_runner = probe_runner(process, "liveness_check_failure_action")

    # -- for users ----------------------------------------------------------------

    @property
    def text(self) -> str:
        """The health for users: "" if unknown, `ok`, or that of `failure`."""
        if self.abort_reason:
            return ABORTING
        return "" if self._check is None else self._check.text

    @property
    def failure(self) -> str:
        """The failure for users, such as `failing (2/3)`; "" without one."""
        text = self.text
        return "" if text == "ok" else text

    # -- the rule -----------------------------------------------------------------

    def next_step(self) -> Step | None:
        """Return what happens next in RUNNING: (deadline in monotonic seconds, action)."""
        if self.abort_reason:
            return self._abort_deadline.kill_at, self._kill
        steps: list[Step] = []
        if self._check is not None and self._check.task.due is not None:
            steps.append((self._check.task.due, self._start_check))
        if self._watchdog is not None and self._watchdog.expires_at is not None:
            steps.append((self._watchdog.expires_at, self._abort))
        if self._memory is not None and self._memory.task.due is not None:
            steps.append((self._memory.task.due, self._look_at_memory))
        if self._restart_at is not None:
            steps.append((self._restart_at, self._end_run))
        return min(steps, key=itemgetter(0), default=None)

    def entered(self, state: int) -> None:
        """Note that the process has entered a state."""
        if state == ProcessStates.RUNNING:
            now = self._now()
            self._begin(now, now)
        else:
            self._end()

    def _now(self) -> float:
        return self._process.runtime.clock.monotonic()

    def continue_run(self, before: HealthMonitor | None) -> None:
        """Supervise a run that has begun with other options, and perhaps with another monitor.

        Checks and looks begin again, but `max_runtime` counts from the begin of RUNNING.
        """
        clock = self._process.runtime.clock
        lived = max(clock.time() - self._process.history.changed_at, 0)
        self._begin(clock.monotonic(), clock.monotonic() - lived)
        if before is not None:
            self._restore_watchdog(before.snapshot())  # not live: the child knows its time

    def cancel_check(self) -> None:
        """End the running check without a result."""
        self._runner.cancel()

    def _begin(self, now: float, running_since: float) -> None:
        if self._check is not None:
            self._check.run_started(now)
        if self._watchdog is not None:
            self._watchdog.run_started(now)
        if self._memory is not None:
            self._memory.run_started(now)
        options = self._process.config.health
        if options.max_runtime:
            jitter = self._random_share() * options.max_runtime_jitter
            self._restart_at = running_since + options.max_runtime + jitter

    def _end(self) -> None:
        """Forget the run; a command of `liveness_check_failure_action` may restart the program."""
        self.cancel_check()
        if not self._process.runtime.may_start:
            self._command_runner.cancel()
        for each in (self._check, self._watchdog, self._memory):
            if each is not None:
                each.reset()
        self._restart_at = None
        self.abort_reason = ""

    # -- the liveness check -------------------------------------------------------

    def _start_check(self) -> None:
        """Queue the probe: checks are due together, and starting a command takes a while."""
        if self._check is not None:
            now = self._now()
            self._check.task.begin(now)
            self._process.runtime.services.start_queue.put(self._probe_in_turn(self._check, now))

    def _probe_in_turn(self, check: LivenessCheck, begun_at: float) -> Generator[None, None, None]:
        """Start the probe, unless its run of the program has ended since it was queued."""
        options = check.options
        if check.task.begun_at == begun_at and options.liveness_check_script is not None:
            self._runner.start(
                options.liveness_check_script, options.liveness_check_timeout, self._checked
            )
        yield

    def _checked(self, failure: str | None) -> None:
        check, process = self._check, self._process
        if check is None:
            return
        before = check.text
        has_new_verdict = check.probe_finished(self._now(), failure)
        if check.text != before:
            self._log_change(check, before)
            process.runtime.services.description_changed(process)
        if has_new_verdict:
            self._publish(check)
            if not check.is_healthy:
                self._act(check)
        process.arm()

    def _log_change(self, check: LivenessCheck, before: str) -> None:
        name, logger = self._process.name, self._process.runtime.logger
        if check.reason:
            logger.warn(f"{name}: liveness check {check.text}: {check.reason}")
        elif before:
            logger.info(f"{name}: liveness check {check.text}")

    def _publish(self, check: LivenessCheck) -> None:
        kind = events.ProcessHealthOkEvent if check.is_healthy else events.ProcessHealthFailedEvent
        if events.has_subscribers(kind):
            event = kind(self._process, check.failures, check.reason)
            self._process.runtime.publish(event)

    def _act(self, check: LivenessCheck) -> None:
        action, process = check.options.liveness_check_failure_action, self._process
        reason = check.failure_text()
        if action == RESTART:
            self._restart(reason, is_timeout=True)
        elif action == STOP:
            process.runtime.logger.warn(f"stopping {process.name}: {reason}")
            process.starts.planned_stop.stop(reason, gives_up=True, is_timeout=True)
        elif not isinstance(action, str):
            self._run(action, check.options.liveness_check_timeout)

    def _run(self, command: Probe, timeout: float) -> None:
        """Run the command of `liveness_check_failure_action`, with the timeout of the check."""
        name, logger = self._process.name, self._process.runtime.logger
        logger.warn(f"{name}: running liveness_check_failure_action: {command.text}")

        def ended(failure: str | None) -> None:
            if failure is not None:
                logger.warn(f"{name}: liveness_check_failure_action failed: {failure}")

        self._command_runner.start(command, timeout, ended)

    # -- restarts -----------------------------------------------------------------

    def _restart(self, reason: str, *, is_timeout: bool = False) -> None:
        process = self._process
        process.runtime.logger.warn(f"restarting {process.name}: {reason}")
        process.starts.planned_stop.stop(reason, is_timeout=is_timeout)

    def _end_run(self) -> None:
        process = self._process
        reason = f"has run for {in_seconds(process.config.health.max_runtime)} (max_runtime)"
        process.runtime.logger.info(f"restarting {process.name}: {reason}")
        process.starts.planned_stop.stop(reason)

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
            self._restart(memory.failure_text())
        process.arm()

    # -- the watchdog -------------------------------------------------------------

    def notified(self, notification: Notification) -> None:
        """Follow a message of the program."""
        if self._watchdog is None:
            return
        self._watchdog.notified(notification, self._now())
        # The timer need not follow a deadline that moves away with each WATCHDOG=1.
        if notification.watchdog == TRIGGER or notification.watchdog_seconds is not None:
            self._process.runtime.loop.call_soon(self._process.transition)

    def _abort(self) -> None:
        """End a program that hangs, as a crash that leaves a core dump."""
        if self._watchdog is None:
            return
        process = self._process
        self.abort_reason = f"watchdog: {self._watchdog.failure_text()}"
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
        self._abort_deadline.signalled(signum, process.config.stopwaitsecs, self._now())
        process.send_signal(signum, "killing", whole_group=whole_group)

    # -- saving ---------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "abort_deadline": self._abort_deadline.snapshot(),
            "abort_reason": self.abort_reason,
            "check": None if self._check is None else self._check.snapshot(),
            "memory": None if self._memory is None else self._memory.snapshot(),
            "restart_at": self._restart_at,
            "watchdog": None if self._watchdog is None else self._watchdog.snapshot(),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self._restore_watchdog(saved)
        self._restart_at = saved.get("restart_at")
        if self._check is not None:
            self._check.restore(saved.get("check") or {})
        if self._memory is not None:
            self._memory.restore(saved.get("memory") or {})

    def _restore_watchdog(self, saved: Mapping[str, Any]) -> None:
        self._abort_deadline.restore(saved.get("abort_deadline") or {})
        self.abort_reason = saved.get("abort_reason", "")
        if self._watchdog is not None:
            self._watchdog.restore(saved.get("watchdog") or {})
