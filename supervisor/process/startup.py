"""The time of STARTING: from the spawn until the process is RUNNING, or the start has failed.

A process is RUNNING when `startsecs` are over and, if its program declares readiness, it is ready.
An exit before that is a failed start.  A program that is not ready in time is stopped like any
other, but stays STARTING until its child has ended: then the start has failed.
"""

from __future__ import annotations

import signal

from supervisor.common.text import in_seconds
from supervisor.config.changes import changed_options
from supervisor.config.process_config import ProcessConfig, full_config
from supervisor.process.stop_deadline import StopDeadline
from supervisor.states import ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol, TypeAlias

    from supervisor.config.model import ProcessConfig
    from supervisor.process.health_monitor import HealthMonitor
    from supervisor.process.readiness_monitor import ReadinessMonitor
    from supervisor.process.runtime import Runtime
    from supervisor.process.status import HooksStatus

    Step: TypeAlias = tuple[float, Callable[[], object]]

    class Starting(Protocol):
        """A process in STARTING; see `lifecycle.Lifecycle`."""

        config: ProcessConfig
        runtime: Runtime
        state: int
        pid: int
        started_at: float
        health: HealthMonitor | None
        hooks: HooksStatus | None

        @property
        def name(self) -> str:
            """The name without its group."""

        @property
        def group_name(self) -> str:
            """The name of the group."""

        @property
        def is_launching(self) -> bool:
            """Whether there is a child that has not executed the program yet."""

        def mark_running(self) -> None:
            """Enter RUNNING."""

        def transition(self) -> None:
            """Take the next step if it is due."""

        def arm(self) -> None:
            """Set the timer for the next deadline."""

        def send_signal(self, signum: int, doing: str, *, whole_group: bool) -> str | None:
            """Send a signal to the child or its group."""


SPAWN_POLL_SECONDS = 0.05
"""Poll interval while a `spawn` runs in another thread, in seconds."""


CHECK_OPTIONS = (
    "readiness_check_script",
    "readiness_check_initial_delay",
    "readiness_check_period",
    "readiness_check_timeout",
    "readiness_check_success_threshold",
    "ready_timeout",
)
"""Options of readiness that can change during a run."""


class Startup:
    """The start in progress of one process."""

    def __init__(self, process: Starting) -> None:
        self._process = process
        self._deadline = StopDeadline()
        self._failure: str | None = None
        self._is_held = False
        self.timed_out = False
        """Whether the last start has failed because `ready_timeout` was over."""
        self.follows_queue = False
        """Whether other starts in the queue come before RUNNING."""
        self.readiness = _monitor(process)

    def begin(self) -> None:
        """Prepare the next child; raises `ProcessException` if that fails."""
        self.follows_queue = False
        self._failure = None  # of a child that was stopped by request, before it had failed
        if self.readiness is not None:
            self.readiness.open()

    def reconfigure(self, before: ProcessConfig) -> None:
        """Follow the process's config, which has replaced `before`."""
        process = self._process
        self._deadline.reschedule(process.config.stopwaitsecs)
        if not process.pid or self.readiness is None:
            self.readiness = _monitor(process)
            if self.readiness is not None and process.pid:
                if process.state == ProcessStates.STARTING:
                    self.readiness.started(process.pid, process.started_at)
                else:
                    self.readiness.assume_ready()
        elif not full_config(process.config).declares_readiness:
            self.readiness.close()
            self.readiness = None
        elif any(name in CHECK_OPTIONS for name in changed_options(before, process.config)):
            self.readiness.reconfigure(process.started_at)

    def next_step(self) -> Step | None:
        """Return what happens next in STARTING: (deadline in monotonic seconds, action)."""
        process, monitor = self._process, self.readiness
        if process.is_launching:  # the report of the child is pending
            return None
        running_at = process.started_at + process.config.startsecs
        if not process.pid:  # `spawn` is still running: multivisor calls it from a thread
            later = process.runtime.clock.monotonic() + SPAWN_POLL_SECONDS
            return max(running_at, later), _wait
        kill_at = self._deadline.kill_at
        if self._failure is not None and kill_at is not None:
            return kill_at, self._kill
        if monitor is None or monitor.is_ready:
            return self._after_other_starts(running_at)
        return None if monitor.timeout_at is None else (monitor.timeout_at, self._give_up)

    def _after_other_starts(self, running_at: float) -> Step | None:
        """Return the step to RUNNING; it follows all starts in the queue, as in Supervisor 4.

        There, automatic starts hold up everything else, so their lines are first in the log.  A
        start that a client has requested is followed by RUNNING, before the next request.
        """
        if self._is_held:
            return None
        if self.follows_queue and self._process.runtime.services.start_queue.has_waiting:
            return running_at, self._hold
        return running_at, self._succeed

    def _succeed(self) -> None:
        """Enter RUNNING, and run the hook that follows."""
        self._process.mark_running()
        if self._process.hooks is not None:
            self._process.hooks.entered_running()

    def _hold(self) -> None:
        self._is_held = True
        self._process.runtime.services.start_queue.drained.add(self._release)

    def _release(self) -> None:
        self._is_held = False
        self._process.transition()

    def success_text(self) -> str:
        """Return why the process is RUNNING, for the log."""
        process = self._process
        if self.readiness is None:
            seconds = process.config.startsecs
            return f"process has stayed up for > than {seconds} seconds (startsecs)"
        lived = process.runtime.clock.monotonic() - process.started_at
        return f"process was ready after {lived:.1f} seconds"

    def failure_after(self, lived: float) -> str | None:
        """Return why an exit after some seconds is a failed start, None if it is not."""
        reason, self._failure = self._failure, None
        if reason is not None:
            self.timed_out = True
            return reason
        if lived < self._process.config.startsecs:
            return "Exited too quickly (process log may have details)"
        if self.readiness is not None and not self.readiness.is_ready:
            return "Exited before it was ready (process log may have details)"
        return None

    def _give_up(self) -> None:
        """Stop the child, because it is not ready in time."""
        process = self._process
        self._failure = f"not ready after {in_seconds(process.config.ready_timeout)}"
        process.runtime.logger.warn(f"{process.name} is {self._failure}, stopping it")
        self._send(process.config.stopsignal, whole_group=process.config.stopasgroup)

    def _kill(self) -> None:
        process = self._process
        process.runtime.logger.warn(f"killing '{process.name}' ({process.pid}) with SIGKILL")
        self._send(signal.SIGKILL, whole_group=process.config.killasgroup)

    def _send(self, signum: int, *, whole_group: bool) -> None:
        process = self._process
        now = process.runtime.clock.monotonic()
        self._deadline.signalled(signum, process.config.stopwaitsecs, now)
        process.send_signal(signum, "killing", whole_group=whole_group)
        process.arm()

    # -- saving ---------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "deadline": self._deadline.snapshot(),
            "failure": self._failure,
            "readiness": None if self.readiness is None else self.readiness.snapshot(),
            "timed_out": self.timed_out,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self._deadline.restore(saved.get("deadline") or {})
        self._failure = saved.get("failure")
        self.timed_out = saved.get("timed_out", False)
        if self.readiness is not None:
            self.readiness.restore(saved.get("readiness") or {})


def _monitor(process: Starting) -> ReadinessMonitor | None:
    if not full_config(process.config).declares_readiness:
        return None
    from supervisor.process.readiness_monitor import ReadinessMonitor  # few programs need it

    return ReadinessMonitor(process)


def _wait() -> None:
    """Do nothing yet."""
