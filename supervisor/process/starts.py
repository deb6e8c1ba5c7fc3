"""The start of a process that is down: whether it is wanted, when it is due, and its turn.

A process is *wanted* if a client has requested a start, or if its configuration demands one
(`autostart`, `autorestart`, a retry after a failed start).  It is started when its gate, if it has
one, is open, the pause of its restart policy is over, and the queue of starts has reached it.
"""

from __future__ import annotations

from functools import partial

from supervisor.common.text import in_seconds
from supervisor.config.process_config import full_config
from supervisor.config.restart import restart_options
from supervisor.process.conditions import Hold
from supervisor.process.dependencies import StartGate, make_gate
from supervisor.process.dependency_watch import DependencyWatch, make_watch
from supervisor.process.planned_stop import PlannedStop
from supervisor.process.restarts import RestartPolicy
from supervisor.process.start_origin import StartOrigin
from supervisor.states import STOPPED_STATES, ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping
    from typing import Any, Protocol, TypeAlias

    from supervisor.config.model import ProcessConfig
    from supervisor.engine.deferred import Notifier
    from supervisor.process.conditions import Unmet
    from supervisor.process.history import History
    from supervisor.process.runtime import Runtime
    from supervisor.process.startup import Startup

    Step: TypeAlias = tuple[float, Callable[[], object]]

    class Startable(Protocol):
        """A process that can be started; see `lifecycle.Lifecycle`."""

        config: ProcessConfig
        runtime: Runtime
        state: int
        backoff: int
        laststart: float
        started_at: float
        start_requested: bool
        administrative_stop: bool
        is_plain: bool
        exitstatus: int | None

        changed: Notifier
        history: History
        starts: Starts
        startup: Startup

        @property
        def health(self) -> object:
            """The monitor of its health, None if there is none."""

        def transition(self) -> None:
            """Take the next step if it is due."""

        def spawn(self) -> int | None:
            """Start the process."""

        def stop(self) -> str | None:
            """Start to stop the process."""

        def arm(self) -> None:
            """Set the timer for the next deadline."""

        def fail(self, text: str, reason: str | None = None) -> None:
            """Give up: the process becomes FATAL."""


# Reasons of transitions, as `process.history` shows them.
AUTOSTART = "autostart"
RESTART = "automatic restart"
RETRY = "retry after a failed start"
STOP_WITH_DEPENDENCY = "follows a dependency (on_dependency_failure)"
START_WITH_DEPENDENCY = "dependencies are up again (on_dependency_failure)"

FOLLOWING_STATES = (ProcessStates.STARTING, ProcessStates.RUNNING)
"""States in which a process follows its dependencies (`on_dependency_failure`)."""


class Starts:
    """The automatic and requested starts of one process."""

    def __init__(self, process: Startable) -> None:
        self._process = process
        self.restarts = RestartPolicy()
        self.gate: StartGate | None = None
        self._watch: DependencyWatch | None = None
        self.planned_stop = PlannedStop(process)
        self.is_queued = False
        """Whether the start is in the queue; it may have become unwanted since."""
        self.held_by = ""
        """Description of the reason for which no start is possible, "" if there is none."""
        self.is_replaced = False
        """Whether an update has stopped the process, and will start it with its new options."""
        self._is_withdrawn = False
        self._is_retired = False
        self._is_alone = False
        self._request_reason = ""
        self.origin = StartOrigin()
        self.reconfigure()

    def reconfigure(self) -> None:
        """Follow the process's config, which has changed; a wait or a pause in progress goes on."""
        process, before = self._process, self.snapshot()
        config, runtime = full_config(process.config), process.runtime
        is_failed = process.state == ProcessStates.BACKOFF
        self.restarts.reconfigure(restart_options(config), process.backoff if is_failed else 0)
        if self.gate is not None:
            self.gate.stop_waiting()
        if self._watch is not None:
            self._watch.end()
        self.gate = make_gate(config, runtime, self._reconsider)
        self._watch = make_watch(config, self.gate, self._requeue)
        if self.gate is not None:
            self.gate.restore(before["gate"] or {})
        if self._watch is not None and process.state in FOLLOWING_STATES:
            was_stopped = (before["watch"] or {}).get("was_stopped", False)
            self._watch.begin(was_stopped=was_stopped)

    # -- the rule -----------------------------------------------------------------

    @property
    def is_wanted(self) -> bool:
        """Whether a process that is down should be up."""
        process = self._process
        if self._is_retired or not process.runtime.may_start:
            return False
        if process.state == ProcessStates.BACKOFF:
            return True
        if process.state not in STOPPED_STATES:
            return False
        if process.start_requested:
            return True
        if self.planned_stop.wants_restart:
            return True
        if process.state == ProcessStates.EXITED:
            return not process.administrative_stop and self.restarts.wants_restart(
                process.config, process.exitstatus
            )
        is_first = process.state == ProcessStates.STOPPED and not process.laststart
        return is_first and bool(process.config.autostart) and not self._is_withdrawn

    @property
    def has_closed_gate(self) -> bool:
        """Whether a hold or dependencies delay a start, wanted or not."""
        if self.held_by:
            return True
        if self.gate is None or self.gate.is_open:
            return False
        return not (self._is_alone and self._process.start_requested)

    @property
    def is_waiting(self) -> bool:
        """Whether a wanted start waits for the end of a hold, or for dependencies."""
        return self.is_wanted and self.has_closed_gate

    def unmet(self) -> Iterable[Unmet | Hold]:
        """Return the conditions that delay a wanted start."""
        if not self.is_waiting:
            return ()
        if self.held_by:
            return (Hold(self.held_by),)
        return () if self.gate is None else self.gate.unmet()

    @property
    def next_start_at(self) -> float | None:
        """Time of the next start without a request, in monotonic seconds; None if unknown."""
        step = self.next_step()
        return step[0] if step is not None and step[1] == self._enqueue else None

    def next_step(self) -> Step | None:
        """Return what happens next without a request: (deadline in monotonic seconds, action)."""
        process = self._process
        if process.state == ProcessStates.BACKOFF and self.restarts.is_exhausted(
            process.config, process.backoff
        ):
            return 0.0, partial(process.fail, "too many start retries too quickly")
        if self.planned_stop.wants_failure:
            return 0.0, self.planned_stop.give_up
        if self.is_queued or not self.is_wanted:
            return None
        if self.has_closed_gate:
            deadline = None if self.gate is None or self.held_by else self.gate.deadline
            return None if deadline is None else (deadline, self._give_up_waiting)
        return self._due_at(), self._enqueue

    def _due_at(self) -> float:
        process = self._process
        is_failed = process.state == ProcessStates.BACKOFF
        if process.start_requested or not (is_failed or process.laststart):
            return 0.0
        return self.restarts.next_start(process.started_at, failed=is_failed)

    # -- starting -----------------------------------------------------------------

    def request(self, *, alone: bool = False, reason: str = "") -> None:
        """Request a start as soon as it is possible; `alone`, without waiting for dependencies.

        `reason` is for the history; without it, a person has requested the start.
        """
        self._process.start_requested = True
        self._is_alone = alone
        self._request_reason = reason

    def withdraw_request(self) -> None:
        """Drop a request that has failed; a start that was wanted before it is still wanted."""
        process = self._process
        process.start_requested = False
        self.origin.clear()
        process.arm()
        process.changed.notify()
        self._process.runtime.services.description_changed(self._process)

    def _enqueue(self) -> None:
        self.is_queued = True
        self._process.runtime.services.start_queue.put(self._start_in_turn())

    def _start_in_turn(self) -> Generator[None, None, None]:
        """Start the process, unless the reason to do so has gone since it was queued."""
        self.is_queued = False
        step, process = self.next_step(), self._process
        now = process.runtime.clock.monotonic()
        if step is not None and step[1] == self._enqueue and now >= step[0]:
            is_restart = not process.start_requested and bool(process.laststart)
            reason = self.restarts.limit_reason(now) if is_restart else None
            if reason is not None:
                process.fail("restarted too often", reason)
            else:
                self._note_start(now, is_restart=is_restart)
                process.spawn()
                process.startup.follows_queue = True
        process.arm()
        yield

    def _note_start(self, now: float, *, is_restart: bool) -> None:
        """Record what starts the process."""
        process = self._process
        if is_restart:
            self.restarts.restarted(now)
            process.history.restarted(process.runtime.clock.time())
            is_retry = process.state == ProcessStates.BACKOFF
            process.history.explain(RETRY if is_retry else RESTART)
        else:
            self.restarts.started_by_hand()
            is_requested = process.start_requested
            process.history.explain(self._request_reason if is_requested else AUTOSTART)

    def spawning(self) -> None:
        """Note that the process is being started, by the queue or by hand."""
        self.is_replaced = False
        self._is_withdrawn = False
        self._request_reason = ""
        self.planned_stop.clear()
        if self.gate is not None:
            self.gate.stop_waiting()

    def entered(self, state: int) -> None:
        """Note that the process has entered a state."""
        now = self._process.runtime.clock.monotonic()
        if state in STOPPED_STATES and not self._process.start_requested:
            self.origin.clear()
        if state == ProcessStates.BACKOFF:
            self.restarts.start_failed(self._process.backoff, now)
        elif state == ProcessStates.EXITED or self.planned_stop.wants_restart:
            self.restarts.exited(now)
        elif state == ProcessStates.RUNNING:
            self.restarts.entered_running(now)
        if self._watch is not None:
            if state == ProcessStates.STARTING:
                self._watch.begin()
            elif state not in FOLLOWING_STATES:
                self._watch.end()

    def withdraw(self) -> None:
        """Drop the wish of `autostart` for a first start."""
        self._is_withdrawn = True
        self._request_reason = ""
        self.origin.clear()
        self._process.runtime.services.description_changed(self._process)

    # -- waiting ------------------------------------------------------------------

    def hold(self, reason: str) -> None:
        """Delay all starts for a reason, which the description of a wanted one has; "" ends it."""
        self.held_by = reason
        self._process.is_plain = has_no_policy(self._process)
        self._reconsider()

    def update_wait(self) -> None:
        """Begin or end the wait for dependencies, after a change of the process."""
        if self.gate is None:
            return
        was_waiting = self.gate.waiting_since is not None
        if self.is_waiting:
            self.gate.wait()
        else:
            self.gate.stop_waiting()
        if was_waiting != (self.gate.waiting_since is not None):
            self._process.runtime.services.description_changed(self._process)

    def _reconsider(self) -> None:
        """Start, if the dependencies are up; else notify the processes that depend on it."""
        self._process.transition()
        self._process.changed.notify()
        self._process.runtime.services.description_changed(self._process)

    def _requeue(self) -> None:
        """Stop the process, and start it again when its dependencies are up."""
        self._process.history.explain(STOP_WITH_DEPENDENCY)
        self._process.stop()
        self.origin.clear()
        self.request(reason=START_WITH_DEPENDENCY)

    def _give_up_waiting(self) -> None:
        """Fail, because `dependency_timeout` is over."""
        if self.gate is not None:
            text = f"waited {in_seconds(self.gate.timeout)} for {next(self.gate.unmet())}"
            self._process.fail("its dependencies were not ready in time", text)

    def retire(self) -> None:
        """Never start again."""
        self._is_retired = True

    # -- saving ---------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; the place in the queue is not part of it."""
        return {
            "gate": None if self.gate is None else self.gate.snapshot(),
            "is_alone": self._is_alone,
            "is_retired": self._is_retired,
            "is_withdrawn": self._is_withdrawn,
            "planned_stop": self.planned_stop.snapshot(),
            "origin": self.origin.snapshot(),
            "restarts": self.restarts.snapshot(),
            "watch": None if self._watch is None else self._watch.snapshot(),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored.

        `lifecycle.Lifecycle.arm` queues a start again that is due.
        """
        self._is_alone = saved.get("is_alone", False)
        self._is_retired = saved.get("is_retired", False)
        self._is_withdrawn = saved.get("is_withdrawn", False)
        self.planned_stop.restore(saved.get("planned_stop") or {})
        self.origin.restore(saved.get("origin") or {})
        self.restarts.restore(saved.get("restarts") or {})
        if self.gate is not None:
            self.gate.restore(saved.get("gate") or {})
        if self._watch is not None:
            self._watch.restore(saved.get("watch") or {})


def has_no_policy(process: Startable) -> bool:
    """Whether a process has nothing beyond Supervisor 4 that its description may show."""
    starts, readiness, health = process.starts, process.startup.readiness, process.health
    policies = (starts.gate, starts.restarts.limits, readiness, health)
    has_hooks = bool(full_config(process.config).hooks.names)
    return not (starts.held_by or has_hooks) and policies == (None, None, None, None)
