"""Dependencies between live processes: what a start waits for, and the order of stops.

A `StartGate` belongs to a process with `depends_on` or a similar option.  While the process is
wanted and the gate is closed, the process waits, in the state that it had; the gate is notified by
the processes that it waits for.  So waiting costs nothing, and a decision looks at the requirements
of one process alone, however many processes there are.

A gate is *hopeless* while a process that it needs is down for good: nothing will start it without a
request.  A process whose own gate is hopeless is down for good as well.  The flag travels from gate
to gate by notifications, so a long chain needs no recursion.
"""

from __future__ import annotations

import enum
from functools import partial
from itertools import chain

from supervisor.common.dependency_graph import closure
from supervisor.common.records import record
from supervisor.states import STOPPED_STATES, ProcessStates, getProcessStateDescription

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, Protocol

    from supervisor.common.dependency_graph import Requirement
    from supervisor.config.model import ProcessConfig
    from supervisor.engine.deferred import Notifier
    from supervisor.engine.loop import Loop

    class Target(Protocol):
        """A process, as far as those that depend on it know it."""

        changed: Notifier
        has_exited: bool
        has_completed: bool

        def get_state(self) -> int:
            """Return the state, one of `ProcessStates`."""

        @property
        def is_down_for_good(self) -> bool:
            """Whether it is down and will not start without a request."""

    class Group(Protocol):
        """A group of processes."""

        @property
        def processes(self) -> Mapping[str, Any]:
            """The processes by name."""


class Kind(enum.Enum):
    """Kind of a requirement; the value is its name in snapshots."""

    RUNNING = "running"
    COMPLETED = "completed"
    EXITED = "exited"


@record(frozen=True)
class Condition:
    """A requirement of one kind."""

    kind: Kind
    requirement: Requirement

    def is_met_by(self, target: Target) -> bool:
        """Whether one process fulfils its part."""
        if self.kind is Kind.COMPLETED:
            return target.has_completed
        if self.kind is Kind.EXITED:
            return target.has_exited
        if target.get_state() == ProcessStates.RUNNING:
            return True
        return self.requirement.is_soft and target.is_down_for_good

    def describe(self, target: Target) -> str:
        """Return what is missing, as it is shown in parentheses."""
        if self.kind is Kind.COMPLETED:
            return "not completed"
        if self.kind is Kind.EXITED:
            return "not exited"
        return getProcessStateDescription(target.get_state()) or "UNKNOWN"


@record(frozen=True)
class Unmet:
    """A condition that holds up a start; `target` None if no process has the name."""

    condition: Condition
    target: Target | None

    @property
    def name(self) -> str:
        """The name, as it is configured."""
        return self.condition.requirement.target

    @property
    def text(self) -> str:
        """The missing part: `STARTING`, `not completed`."""
        return "unknown" if self.target is None else self.condition.describe(self.target)

    @property
    def is_hopeless(self) -> bool:
        """Whether only a request, or a change of the configuration, could end the wait."""
        return self.target is None or self.target.is_down_for_good

    def __str__(self) -> str:
        return f"{self.name} ({self.text})"


class ProcessIndex:
    """The live processes by the names that requirements use."""

    def __init__(self, groups: Mapping[str, Group]) -> None:
        self.waiting: set[StartGate] = set()
        """Gates of processes that wait for others."""
        self._groups = groups
        self._found: dict[str, list[Any]] = {}
        self._by_program: dict[str, list[Any]] | None = None

    def groups_changed(self) -> None:
        """Look names up again: a group has been added or removed."""
        self._found.clear()
        self._by_program = None
        for gate in list(self.waiting):
            gate.look_up_again()

    def find(self, target: str) -> Sequence[Any]:
        """Return the processes of a program, of `group:*`, or the one `group:process`."""
        found = self._found.get(target)
        if found is None:
            found = self._found[target] = self._look_up(target)
        return found

    def _look_up(self, target: str) -> list[Any]:
        group_name, colon, process_name = target.partition(":")
        if not colon:
            return self._programs().get(target, [])
        group = self._groups.get(group_name)
        if group is None:
            return []
        if process_name == "*":
            return list(group.processes.values())
        return [group.processes[process_name]] if process_name in group.processes else []

    def _programs(self) -> dict[str, list[Any]]:
        if self._by_program is None:
            self._by_program = {}
            for group in self._groups.values():
                for process in group.processes.values():
                    self._by_program.setdefault(process.config.program, []).append(process)
        return self._by_program


class StartGate:
    """The conditions of one process's start, and the wait for them."""

    def __init__(
        self,
        conditions: Sequence[Condition],
        timeout: float,
        index: ProcessIndex,
        loop: Loop,
        on_change: Callable[[], object],
    ) -> None:
        """`timeout` is in seconds, 0 for none.

        `on_change` is called in the loop when a wait may be over, or has become hopeless.
        """
        self.conditions = conditions
        self.timeout = timeout
        self.waiting_since: float | None = None
        """Begin of the wait in monotonic seconds, None while there is none."""
        self.is_hopeless = False
        self._index = index
        self._loop = loop
        self._on_change = on_change
        self._sources: tuple[Notifier, ...] = ()
        self._found_at = [0] * len(conditions)
        self._outlook: tuple[bool, tuple[str, ...]] | None = None
        self._is_due = False

    def targets(self, condition: Condition) -> Sequence[Any]:
        """Return the processes that a condition names."""
        return self._index.find(condition.requirement.target)

    def unmet(self) -> Iterator[Unmet]:
        """Yield each condition that is not met, with one process that does not meet it.

        The search begins at the process that was found last, so it is short while a program with
        many processes becomes ready.
        """
        for number, condition in enumerate(self.conditions):
            targets = self.targets(condition)
            if not targets and not condition.requirement.is_soft:
                yield Unmet(condition, None)
            begin = self._found_at[number]
            for position in chain(range(begin, len(targets)), range(min(begin, len(targets)))):
                if not condition.is_met_by(targets[position]):
                    self._found_at[number] = position
                    yield Unmet(condition, targets[position])
                    break

    @property
    def is_open(self) -> bool:
        """Whether all conditions are met."""
        return next(self.unmet(), None) is None

    @property
    def deadline(self) -> float | None:
        """End of the wait in monotonic seconds, None if there is none."""
        if self.waiting_since is None or not self.timeout:
            return None
        return self.waiting_since + self.timeout

    def unmet_targets(self) -> list[Any]:
        """Return all processes that hold up the start."""
        return [
            target
            for condition in self.conditions
            for target in self.targets(condition)
            if not condition.is_met_by(target)
        ]

    def wait(self) -> None:
        """Wait until the gate may be open; a wait in progress goes on."""
        if self.waiting_since is None:
            self.waiting_since = self._loop.clock.monotonic()
            self._index.waiting.add(self)
        self._watch()

    def stop_waiting(self) -> None:
        """End the wait: the process has started, or is not wanted any more."""
        if self.waiting_since is not None:
            self.waiting_since = None
            self.is_hopeless = False
            self._outlook = None
            self._index.waiting.discard(self)
            self._unwatch()

    def snapshot(self) -> dict[str, float | None]:
        """Return the state as JSON values; times are of the monotonic clock."""
        return {"waiting_since": self.waiting_since}

    def restore(self, saved: Mapping[str, float | None]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored.

        The processes that it waits for exist; their states may be restored later.
        """
        self.stop_waiting()
        since = saved.get("waiting_since")
        if since is not None:
            self.wait()
            self.waiting_since = since
            self._schedule()

    def look_up_again(self) -> None:
        """Examine the wait again: groups have been added or removed."""
        self._schedule()

    def hopeless(self) -> Unmet | None:
        """Return the first condition that will not be met without a request, if any."""
        return next((each for each in self.unmet() if each.is_hopeless), None)

    def _watch(self) -> list[Unmet]:
        """Watch a process for each condition that is not met; return these conditions."""
        self._unwatch()
        unmet = list(self.unmet())
        self.is_hopeless = any(each.is_hopeless for each in unmet)
        self._sources = tuple(each.target.changed for each in unmet if each.target is not None)
        for source in self._sources:
            source.add(self._schedule)
        return unmet

    def _unwatch(self) -> None:
        for source in self._sources:
            source.discard(self._schedule)
        self._sources = ()

    def _schedule(self) -> None:
        """Decide at the end of this loop iteration: the notifier is still changing its state."""
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._decide)

    def _decide(self) -> None:
        self._is_due = False
        if self.waiting_since is None:
            return
        unmet = self._watch()
        outlook = (self.is_hopeless, tuple(map(str, unmet)))
        if outlook != self._outlook:  # else another process of the same program is missing now
            self._outlook = outlook
            self._on_change()


class DependencyWatch:
    """Stop with a dependency, and restart with it: `on_dependency_failure`.

    It watches while the process is up.  A process that is being restarted after a crash is not
    down for good, so it does not affect its dependents.
    """

    def __init__(
        self,
        gate: StartGate,
        loop: Loop,
        requeue: Callable[[], object],
        follows_restarts: bool,  # noqa: FBT001 - the rule of this process
    ) -> None:
        """`requeue` stops the process and starts it again when its gate is open."""
        self._gate = gate
        self._loop = loop
        self._requeue = requeue
        self._follows_restarts = follows_restarts
        self._watched: dict[Target, Callable[[], None]] = {}
        self._changed: list[Target] = []
        self._was_stopped = False

    def begin(self) -> None:
        """Watch the dependencies of a process that has been started."""
        self.end()
        self._watched = {
            target: partial(self._schedule, target)
            for condition in self._gate.conditions
            if condition.kind is Kind.RUNNING and not condition.requirement.is_soft
            for target in self._gate.targets(condition)
        }
        self._was_stopped = False
        for target, callback in self._watched.items():
            target.changed.add(callback)

    def end(self) -> None:
        """Stop watching: the process is down, or is being stopped."""
        for target, callback in self._watched.items():
            target.changed.discard(callback)
        self._watched = {}

    def snapshot(self) -> dict[str, bool]:
        """Return the state as JSON values."""
        return {"is_watching": bool(self._watched), "was_stopped": self._was_stopped}

    def restore(self, saved: Mapping[str, bool]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self.end()
        if saved.get("is_watching", False):
            self.begin()
            self._was_stopped = saved.get("was_stopped", False)
            for target in self._watched:
                self._schedule(target)

    def _schedule(self, target: Target) -> None:
        if target.get_state() == ProcessStates.STOPPING:
            self._was_stopped = True  # it may be up again before `_decide`
        if not self._changed:
            self._loop.call_soon(self._decide)
        self._changed.append(target)

    def _decide(self) -> None:
        """Look at the processes that have changed, and watch them again."""
        changed, self._changed = self._changed, []
        changed = [target for target in changed if target in self._watched]
        if any(target.is_down_for_good for target in changed) or self._has_restarted():
            self.end()
            self._requeue()
            return
        for target in changed:
            target.changed.add(self._watched[target])

    def _has_restarted(self) -> bool:
        """Whether all dependencies are up again after a stop that has to be followed."""
        if not (self._follows_restarts and self._was_stopped and self._watched):
            return False
        return all(each.get_state() == ProcessStates.RUNNING for each in self._watched)


def make_gate(
    config: ProcessConfig, processes: ProcessIndex, loop: Loop, on_change: Callable[[], object]
) -> StartGate | None:
    """Return the gate of a process, None if it depends on no other."""
    conditions = [
        Condition(kind, requirement)
        for kind, requirements in (
            (Kind.RUNNING, config.depends_on),
            (Kind.COMPLETED, config.depends_on_completed),
            (Kind.EXITED, config.depends_on_exited),
        )
        for requirement in requirements
    ]
    if not conditions:
        return None
    return StartGate(conditions, config.dependency_timeout, processes, loop, on_change)


def request_with_dependencies(process: Any) -> None:
    """Request the start of a process, and of all that it waits for, those first."""
    wanted = closure(
        [process],
        lambda each: [] if each.starts.gate is None else each.starts.gate.unmet_targets(),
    )
    down = [each for each in reversed(wanted) if not each.is_running]
    for each in down:  # all of them before the first decision: none waits in vain for another
        if not each.awaits_start:
            each.starts.request()
        if each.starts.gate is not None:
            each.starts.gate.is_hopeless = False
    for each in down:
        each.transition()
        each.changed.notify()


def with_dependents(named: Iterable[Any], processes: Iterable[Any]) -> list[Any]:
    """Return processes and those of `processes` that need them RUNNING, also through others."""
    dependents = _dependents(processes, with_soft=False)
    return closure(named, lambda each: dependents.get(each, ()))


def _dependents(processes: Iterable[Any], *, with_soft: bool) -> dict[Any, list[Any]]:
    """Return process -> those of `processes` that need it to be RUNNING."""
    found: dict[Any, list[Any]] = {}
    for process in processes:
        gate = process.starts.gate
        for condition in () if gate is None else gate.conditions:
            if condition.kind is Kind.RUNNING and (with_soft or not condition.requirement.is_soft):
                for target in gate.targets(condition):
                    found.setdefault(target, []).append(process)
    return found


class StopOrder:
    """The order of stops: first the dependents of a process, then the process."""

    def __init__(self, processes: Iterable[Any], loop: Loop) -> None:
        """Take all processes that are to be stopped."""
        self._loop = loop
        self._dependents = _dependents(processes, with_soft=True)

    def holds(self, process: Any) -> bool:
        """Whether dependents of the process are still up."""
        return any(not _is_down(each) for each in self._dependents.get(process, ()))

    def stop_later(self, process: Any, stop: Callable[[], object]) -> None:
        """Call `stop` in the loop once the dependents are down."""
        sources = [each.changed for each in self._dependents[process] if not _is_down(each)]

        def decide() -> None:
            for source in sources:
                source.discard(schedule)
            if self.holds(process):
                self.stop_later(process, stop)
            else:
                stop()

        def schedule() -> None:
            self._loop.call_soon(decide)

        # Any one that is still up will do: the others are looked at when it is down.
        sources[0].add(schedule)


def _is_down(process: Any) -> bool:
    """Whether a process is down and will not start without a request."""
    return process.get_state() in STOPPED_STATES and not process.awaits_start
