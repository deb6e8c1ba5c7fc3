"""The state machine of a supervised process.

`_next_step()` is the rule: what happens next without a request, and when.  `transition()` takes the
step if it is due; it may be called at any time and by any code.  A timer, armed for
`next_deadline()`, ensures that it is called in time.
`change_state()` is the only writer of `state`.  Everything that needs a pid, a pipe or a signal is
left to the subclass, `child.Subprocess`.
"""

from __future__ import annotations

import signal

from supervisor import events
from supervisor.datatypes import RestartUnconditionally
from supervisor.engine.deferred import Notifier
from supervisor.states import (
    RUNNING_STATES,
    TRANSITIONS,
    ProcessStates,
    getProcessStateDescription,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisor.config.model import ProcessConfig
    from supervisor.engine.loop import Timer
    from supervisor.process.groups import ProcessGroupBase
    from supervisor.process.runtime import Runtime

RESTART_SECONDS = 1.0
"""Minimum interval between two starts, so that a flapping program does not spin.  In seconds."""

SPAWN_LOOK_SECONDS = 0.05
"""Poll interval while a `spawn` runs in another thread, in seconds."""

MIN_KILL_INTERVAL_SECONDS = 1.0
"""Minimum interval between two SIGKILLs for one process, if `stopwaitsecs` is shorter."""

REPORT_SECONDS = 2.0
"""Interval between log lines about a process that is still stopping, in seconds."""


class Lifecycle:
    """State, deadlines and restarts of one process.

    Plugins read and assign the public attributes, so these keep the names of Supervisor 4.
    `laststart` and `laststop` are wall-clock seconds (0: never), `backoff` counts the failed
    starts in a row, `killing` is true while a stop is requested.  `start_requested` requests a
    start as soon as the current stop is complete.
    """

    def __init__(self, config: ProcessConfig, runtime: Runtime) -> None:
        self.config = config
        self.runtime = runtime
        self.group: ProcessGroupBase | None = None
        self.state = ProcessStates.STOPPED
        self.pid = 0
        self._laststart = 0.0
        self.laststop = 0.0
        self.laststopreport = 0.0
        self.backoff = 0
        self.killing = False
        self.administrative_stop = False
        self.start_requested = False
        self.exitstatus: int | None = None
        self.spawnerr: str | None = None
        self.changed = Notifier()
        self._started_at = -RESTART_SECONDS
        self._retry_at = 0.0
        self._kill_at = 0.0
        self._timer: Timer | None = None
        self._is_removed = False

    def __repr__(self) -> str:
        name, state = self.config.name, getProcessStateDescription(self.get_state())
        return f"<Subprocess at {id(self)} with name {name} in state {state}>"

    def __lt__(self, other: Lifecycle) -> bool:
        return self.config.priority < other.config.priority

    @property
    def name(self) -> str:
        """The name without its group."""
        return self.config.name

    @property
    def group_name(self) -> str:
        """The name of the group, or the process's own while it has none."""
        return self.config.name if self.group is None else self.group.config.name

    @property
    def laststart(self) -> float:
        """Time of the last start; an assignment moves the monotonic start time along.

        Supvisors sets it to 0, as before the first start, and knot-resolver to a future time.
        """
        return self._laststart

    @laststart.setter
    def laststart(self, when: float) -> None:
        if when and self._laststart:
            self._started_at += when - self._laststart
        self._laststart = when

    def get_state(self) -> int:
        """Return the state, one of `ProcessStates`."""
        return self.state

    # -- transitions ------------------------------------------------------------

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

    def _next_step(self) -> tuple[float, Callable[[], object]] | None:
        """Return what happens next without a request: (deadline in monotonic seconds, action)."""
        state = self.state
        if state == ProcessStates.STARTING:
            if self.is_launching:  # the report of the child comes first
                return None
            running_at = self._started_at + self.config.startsecs
            if self.pid:
                return running_at, self._mark_running
            # `spawn` is still running: multivisor calls it from a thread.
            later = self.runtime.clock.monotonic() + SPAWN_LOOK_SECONDS
            return max(running_at, later), _wait
        if state == ProcessStates.STOPPING:
            report_at = self.laststopreport + REPORT_SECONDS
            if self.laststopreport and report_at < self._kill_at:
                return report_at, self.stop_report
            return self._kill_at, self._kill_stubborn
        if state == ProcessStates.BACKOFF and self.backoff > self.config.startretries:
            return 0.0, self._give_up_retrying
        return (self._start_at(), self.spawn) if self._wants_start() else None

    def _kill_stubborn(self) -> None:
        self.runtime.logger.warn(f"killing '{self.name}' ({self.pid}) with SIGKILL")
        self.kill(signal.SIGKILL)

    def _give_up_retrying(self) -> None:
        self.give_up()
        text = "entered FATAL state, too many start retries too quickly"
        self.runtime.logger.info(f"gave up: {self.name} {text}")

    def _wants_start(self) -> bool:
        """Whether the process should be started without a request."""
        if self._is_removed or not self.runtime.may_start:
            return False
        if self.state == ProcessStates.EXITED:
            if self.administrative_stop:
                return False
            wish = self.config.autorestart
            if wish is RestartUnconditionally:
                return True
            return bool(wish) and self.exitstatus not in self.config.exitcodes
        if self.state == ProcessStates.STOPPED:
            return self.start_requested or (self.config.autostart and not self.laststart)
        return self.state == ProcessStates.BACKOFF

    def _start_at(self) -> float:
        once_a_second = self._started_at + RESTART_SECONDS
        if self.state == ProcessStates.BACKOFF:
            return max(self._retry_at, once_a_second)
        return 0.0 if self.start_requested or not self.laststart else once_a_second

    def arm(self) -> None:
        """Set the timer for the next deadline."""
        when = self.next_deadline()
        if self._timer is None or self._timer.when != when:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None if when is None else self.runtime.loop.call_at(when, self._on_timer)

    def retire(self) -> None:
        """Never start again: the group has been removed."""
        self._is_removed = True
        self.arm()
        if self.start_requested:
            self.start_requested = False
            self.changed.notify()

    def _on_timer(self) -> None:
        self._timer = None
        # supervisor_twiddler removes single processes from their groups.
        if self.group is None or self.group.processes.get(self.name) is self:
            self.transition()

    def _assertInState(self, *states: int) -> None:
        if self.state not in states:  # knot-resolver calls this before it changes a state
            names = " ".join(getProcessStateDescription(code) or "" for code in states)
            raise AssertionError(f"{self!r} is not in {names}")

    def _mark_running(self) -> None:
        self.backoff = 0
        self.change_state(ProcessStates.RUNNING)
        self.runtime.logger.info(
            f"success: {self.name} entered RUNNING state, process has stayed up for"
            f" > than {self.config.startsecs} seconds (startsecs)"
        )

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
            self._retry_at = self.runtime.clock.monotonic() + self.backoff
        elif new_state == ProcessStates.STOPPED:
            self.backoff = 0  # the next start is not a retry
        self.state = new_state
        self.arm()
        event_type = events.PROCESS_STATE_EVENTS[new_state]
        if events.has_subscribers(event_type):
            self.runtime.publish(event_type(self, old_state, expected))
        self.changed.notify()
        return True

    # -- stopping -----------------------------------------------------------------

    def stop_or_give_up(self) -> None:
        """Stop, or give up trying to start, in any state."""
        self.start_requested = False
        if self.get_state() == ProcessStates.BACKOFF:
            self.give_up()
        elif self.is_running or self.awaits_restart:
            self.stop()

    @property
    def awaits_restart(self) -> bool:
        """Whether the process has exited and will be restarted without a request."""
        return self.state == ProcessStates.EXITED and self._wants_start()

    def stop_report(self) -> None:
        """Log every `REPORT_SECONDS` that the process is still stopping."""
        if self.state == ProcessStates.STOPPING:
            now = self.runtime.clock.monotonic()
            if not self.laststopreport or now >= self.laststopreport + REPORT_SECONDS:
                self.runtime.logger.info(f"waiting for {self.name} to stop")
                self.laststopreport = now
                self.arm()

    def give_up(self) -> None:
        """Stop trying to start the process."""
        self.backoff = 0
        self.change_state(ProcessStates.FATAL)

    @property
    def is_running(self) -> bool:
        """Whether a start would be refused because the process is running or starting."""
        return self.get_state() in RUNNING_STATES

    # -- left to the subclass -------------------------------------------------------

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


def _wait() -> None:
    """Do nothing yet."""
