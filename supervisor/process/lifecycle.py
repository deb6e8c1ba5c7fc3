"""The state machine of a supervised process.

`_next_step()` is the rule: what happens next without a request, and when.  `transition()` takes the
step if it is due; it may be called at any time and by any code.  A timer, armed for
`next_deadline()`, ensures that it is called in time.  `change_state()` is the only writer of
`state`.

Policy is in small objects that the rule consults: `starts.Starts` while the process is down,
`startup.Startup` in STARTING, and `stop_deadline.StopDeadline`.  Everything that needs a pid, a
pipe or a signal is left to the subclass, `child.Subprocess`.
"""

from __future__ import annotations

import signal

from supervisor import events
from supervisor.process.health import make_health_monitor
from supervisor.process.starts import Starts, has_no_policy
from supervisor.process.startup import Startup
from supervisor.process.status import ProcessStatus
from supervisor.process.stop_deadline import StopDeadline
from supervisor.states import STOPPED_STATES, TRANSITIONS, ProcessStates, getProcessStateDescription

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from supervisor.config.model import ProcessConfig
    from supervisor.engine.loop import Timer
    from supervisor.process.runtime import Runtime

    Step: TypeAlias = tuple[float, Callable[[], object]]

UNEXPECTED_STATUS = -1
"""Exit status of a program that the watchdog has ended, as after a signal."""


class Lifecycle(ProcessStatus):
    """States, deadlines and restarts of one process."""

    def __init__(self, config: ProcessConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self.starts = Starts(self)
        self.startup = Startup(self)
        self.health = make_health_monitor(self)
        self.is_plain = has_no_policy(self)
        """Whether the description is that of Supervisor 4."""
        self.stop_deadline = StopDeadline()
        self._timer: Timer | None = None

    def get_state(self) -> int:
        """Return the state, one of `ProcessStates`.

        A process whose start is in the queue counts as STARTING: in Supervisor 4, clients are
        answered only when it has been started.
        """
        is_due = self.starts.is_queued and self.starts.is_wanted
        return ProcessStates.STARTING if is_due else self.state

    # -- the rule ---------------------------------------------------------------

    def transition(self) -> None:
        """Take the next step if it is due; harmless if none is."""
        step = self._next_step()
        if step is not None:
            deadline, action = step
            if self.runtime.clock.monotonic() >= deadline:
                action()
        self.arm()

    def next_deadline(self) -> float | None:
        """Return when the next step is due (monotonic seconds), None if there is none."""
        step = self._next_step()
        return None if step is None else step[0]

    def _next_step(self) -> Step | None:
        """Return what happens next without a request: (deadline in monotonic seconds, action)."""
        state = self.state
        if state == ProcessStates.STARTING:
            return self.startup.next_step()
        if state == ProcessStates.STOPPING:
            return self._step_while_stopping()
        if state == ProcessStates.RUNNING:
            return None if self.health is None else self.health.next_step()
        return self.starts.next_step()

    def _step_while_stopping(self) -> Step | None:
        report_at = self.stop_deadline.next_report(self.laststopreport)
        if report_at is not None:
            return report_at, self.stop_report
        kill_at = self.stop_deadline.kill_at
        return None if kill_at is None else (kill_at, self._kill_stubborn)

    def _kill_stubborn(self) -> None:
        self.runtime.logger.warn(f"killing '{self.name}' ({self.pid}) with SIGKILL")
        self.kill(signal.SIGKILL)

    def mark_running(self) -> None:
        """Enter RUNNING."""
        if self.startup.readiness is not None:
            self.history.explain("ready")
        self.backoff = 0
        self.change_state(ProcessStates.RUNNING)
        self.runtime.logger.info(
            f"success: {self.name} entered RUNNING state, {self.startup.success_text()}"
        )

    def observer_of_output(self) -> Callable[[bytes], object] | None:
        """Return a function to call with the output of one stream, None if none is needed."""
        monitor = self.startup.readiness
        return None if monitor is None else monitor.output_observer()

    # -- the timer --------------------------------------------------------------

    def arm(self) -> None:
        """Set the timer for the next deadline."""
        self.starts.update_wait()
        when = self.next_deadline()
        if self._timer is None or self._timer.when != when:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None if when is None else self.runtime.loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        # supervisor_twiddler removes single processes from their groups.
        if self.group is None or self.group.processes.get(self.name) is self:
            self.transition()

    def retire(self) -> None:
        """Never start again: the group has been removed."""
        self.starts.retire()
        self.arm()
        if self.start_requested:
            self.start_requested = False
            self.changed.notify()

    # -- the state --------------------------------------------------------------

    def change_state(self, new_state: int, expected: bool = True) -> bool:  # noqa: FBT001, FBT002 - plugins call it
        """Enter a state: publish the event, wake the waiting callers, arm the timer.

        Returns False if the process is in that state already.  A transition that is not in
        `TRANSITIONS` is made, but logged, because plugins assign states.
        """
        old_state = self.state
        if new_state == old_state:
            return False
        if new_state not in TRANSITIONS.get(old_state, ()):
            names = [getProcessStateDescription(code) for code in (old_state, new_state)]
            self.runtime.logger.debug(f"{self.name}: unusual transition {names[0]} to {names[1]}")
        if new_state == ProcessStates.BACKOFF:
            self.backoff += 1
        elif new_state == ProcessStates.STOPPED:
            self.backoff = 0  # the next start is not a retry
        self.state = new_state
        self.history.entered(new_state, self.runtime.clock.time(), self.spawnerr)
        self.starts.entered(new_state)
        if self.health is not None:
            self.health.entered(new_state)
        self.arm()
        event_type = events.PROCESS_STATE_EVENTS[new_state]
        if events.has_subscribers(event_type):
            self.runtime.publish(event_type(self, old_state, expected))
        self.changed.notify()
        return True

    def _exited(self, exit_status: int, text: str) -> None:
        """Enter the state that follows an exit; `text` describes the exit for the log."""
        abort = "" if self.health is None else self.health.abort_reason
        if abort:
            exit_status = UNEXPECTED_STATUS  # a handler of SIGABRT may choose any
        expected = exit_status in self.config.exitcodes
        logger = self.runtime.logger
        lived = self.runtime.clock.monotonic() - self.started_at
        if self.killing:
            self.killing = False
            self.exitstatus = exit_status
            (logger.info if expected else logger.warn)(f"stopped: {self.name} ({text})")
            self.change_state(ProcessStates.STOPPED)
            return
        if self.state == ProcessStates.STARTING:
            failure = self.startup.failure_after(lived)
            if failure is not None:
                self.exitstatus = None
                self.spawnerr = failure
                logger.warn(f"exited: {self.name} ({text}; not expected)")
                self.change_state(ProcessStates.BACKOFF)
                return
            self.mark_running()
        self.backoff = 0
        self.exitstatus = exit_status
        self.has_exited = True
        self.has_completed |= expected
        if expected:
            logger.info(f"exited: {self.name} ({text}; expected)")
        else:
            self.spawnerr = abort or f"Bad exit code {exit_status}"
            logger.warn(f"exited: {self.name} ({text}; not expected)")
        self.change_state(ProcessStates.EXITED, expected)

    # -- stopping ---------------------------------------------------------------

    def stop_or_give_up(self) -> None:
        """Stop, or give up trying to start, in any state."""
        self.start_requested = False
        if self.state == ProcessStates.STOPPING:
            self.administrative_stop = True  # nothing follows that the daemon has planned
        elif self.get_state() == ProcessStates.BACKOFF:
            self.give_up()
        elif self.is_running or self.awaits_start:
            self.stop()

    @property
    def awaits_start(self) -> bool:
        """Whether the process is down and will be started without a further request."""
        return self.state in STOPPED_STATES and self.starts.is_wanted

    @property
    def is_down_for_good(self) -> bool:
        """Whether the process is down and nothing but a request will start it."""
        if self.state not in STOPPED_STATES or self.starts.is_replaced:
            return False
        gate = self.starts.gate
        return not self.starts.is_wanted or (gate is not None and gate.is_hopeless)

    def stop_report(self) -> None:
        """Log every `stop_deadline.REPORT_SECONDS` that the process is still stopping."""
        if self.state == ProcessStates.STOPPING:
            now = self.runtime.clock.monotonic()
            if self.stop_deadline.report_due(self.laststopreport, now):
                self.runtime.logger.info(f"waiting for {self.name} to stop")
                self.laststopreport = now
                self.arm()

    def give_up(self) -> None:
        """Stop trying to start the process."""
        self.backoff = 0
        self.change_state(ProcessStates.FATAL)

    def fail(self, text: str, reason: str | None = None) -> None:
        """Give up and log why; `reason` is kept as `spawnerr`."""
        self.start_requested = False
        if reason is not None:
            self.spawnerr = reason
        self.history.explain(reason or text)
        self.give_up()
        self.runtime.logger.info(f"gave up: {self.name} entered FATAL state, {text}")

    # -- left to the subclass ---------------------------------------------------

    @property
    def is_launching(self) -> bool:
        """Whether there is a child that has not executed the program yet."""
        raise NotImplementedError

    def spawn(self) -> int | None:
        """Start the process; return its pid, or None if that failed (see `spawnerr`)."""
        raise NotImplementedError

    def stop(self) -> str | None:
        """Start to stop the process; return None, or the reason of a failure."""
        raise NotImplementedError

    def kill(self, signum: int) -> str | None:
        """Send a signal that is meant to end the process; return None or the error text."""
        raise NotImplementedError

    def send_signal(self, signum: int, doing: str, *, whole_group: bool) -> str | None:
        """Send a signal to the child or its group; return None or the error text."""
        raise NotImplementedError
