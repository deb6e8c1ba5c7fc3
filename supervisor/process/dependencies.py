"""Dependencies between live processes: what a start waits for.

A `StartGate` belongs to a process with `depends_on` or a similar option.  While the process is
wanted and the gate is closed, the process waits, in the state that it had; the gate is notified by
its conditions (see `conditions`).  So waiting costs nothing.

A gate is *hopeless* while a process that it needs is down for good: nothing will start it without a
request.  A process whose own gate is hopeless is down for good as well.  The flag travels from gate
to gate by notifications, so a long chain needs no recursion.
"""

from __future__ import annotations

from weakref import WeakValueDictionary

from supervisor.common.dependency_graph import closure
from supervisor.engine.deferred import Notifier
from supervisor.process.conditions import Condition, ConditionWatch, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, Protocol

    from supervisor.config.model import ProcessConfig
    from supervisor.process import conditions
    from supervisor.process.conditions import Unmet

    class Runtime(conditions.Runtime, Protocol):
        """The part of the runtime context that a gate needs."""

        @property
        def services(self) -> Services:
            """The objects that all processes share."""

    class Services(conditions.Services, Protocol):
        """The part of these objects that a gate needs."""

        processes: ProcessIndex

    class Group(Protocol):
        """A group of processes."""

        @property
        def processes(self) -> Mapping[str, Any]:
            """The processes by name."""


class ProcessIndex:
    """The live processes by the names that requirements use."""

    def __init__(self, groups: Mapping[str, Group]) -> None:
        self.waiting: set[StartGate] = set()
        """Gates of processes that wait for others."""
        self.changed = Notifier()
        """Notified when a group or a process has been added or removed."""
        self._groups = groups
        self._watches: WeakValueDictionary[Condition, ConditionWatch] = WeakValueDictionary()
        self._found: dict[str, list[Any]] = {}
        self._by_program: dict[str, list[Any]] | None = None

    def groups_changed(self) -> None:
        """Look names up again: a group or a process has been added or removed."""
        self._found.clear()
        self._by_program = None
        for watch in list(self._watches.values()):
            watch.reset()
        for gate in list(self.waiting):
            gate.look_up_again()
        self.changed.notify()

    def watch(self, condition: Condition, runtime: Runtime) -> ConditionWatch:
        """Return the watch of a condition, which all that have it share."""
        watch = self._watches.get(condition)
        if watch is None:
            watch = self._watches[condition] = ConditionWatch(condition, self.find, runtime)
        return watch

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
        runtime: Runtime,
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
        self.watches = [runtime.services.processes.watch(each, runtime) for each in conditions]
        self._index = runtime.services.processes
        self._loop = runtime.loop
        self._on_change = on_change
        self._outlook: tuple[bool, tuple[str, ...]] | None = None
        self._is_due = False

    def targets(self, condition: Condition) -> Sequence[Any]:
        """Return the processes that a condition names."""
        return self._index.find(condition.requirement.target)

    def unmet(self) -> Iterator[Unmet]:
        """Yield each condition that is not met, with one process that does not meet it."""
        for watch in self.watches:
            unmet = watch.unmet()
            if unmet is not None:
                yield unmet

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
        return [target for watch in self.watches for target in watch.unmet_targets()]

    def wait(self) -> None:
        """Wait until the gate may be open; a wait in progress goes on."""
        if self.waiting_since is None:
            self._begin(self._loop.clock.monotonic())
            self._watch()
            if self.is_hopeless:  # those that wait for this process have to know
                self._schedule()

    def _begin(self, since: float) -> None:
        self.waiting_since = since
        self._index.waiting.add(self)

    def stop_waiting(self) -> None:
        """End the wait: the process has started, or is not wanted any more."""
        if self.waiting_since is not None:
            self.waiting_since = None
            self.is_hopeless = False
            self._outlook = None
            self._index.waiting.discard(self)
            for watch in self.watches:
                watch.discard_waiter(self)

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
            for watch in self.watches:
                watch.reset()
            self._begin(since)
            self._schedule()

    def look_up_again(self) -> None:
        """Examine the wait again: groups or processes have been added or removed."""
        self._schedule()

    def renew(self) -> None:
        """Regard a wait as new: processes that it waits for have been requested.

        If they fail at once, the wait looks as before, but those that wait have to know.
        """
        self.is_hopeless = False
        self._outlook = None
        self._schedule()

    def hopeless(self) -> Unmet | None:
        """Return the first condition that will not be met without a request, if any."""
        return next((each for each in self.unmet() if each.is_hopeless), None)

    def _watch(self) -> list[Unmet]:
        """Watch the conditions that are not met, and return them."""
        unmet = []
        for watch in self.watches:
            found = watch.unmet()
            if found is None:
                watch.discard_waiter(self)
            else:
                watch.add_waiter(self)
                unmet.append(found)
        self.is_hopeless = any(each.is_hopeless for each in unmet)
        return unmet

    def _schedule(self) -> None:
        """Decide at the end of this loop iteration."""
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self.decide)

    def decide(self) -> None:
        """Examine the wait again: a condition looks different."""
        self._is_due = False
        if self.waiting_since is None:
            return
        unmet = self._watch()
        outlook = (self.is_hopeless, tuple(map(str, unmet)))
        if outlook != self._outlook:
            self._outlook = outlook
            self._on_change()


def make_gate(
    config: ProcessConfig, runtime: Runtime, on_change: Callable[[], object]
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
    return StartGate(conditions, config.dependency_timeout, runtime, on_change)


def request_with_dependencies(process: Any) -> None:
    """Request the start of a process, and of all that it waits for, those first."""
    wanted = closure(
        [process],
        lambda each: [] if each.starts.gate is None else each.starts.gate.unmet_targets(),
    )
    down = [each for each in reversed(wanted) if not each.is_running]
    for each in down:  # all of them before the first decision: none waits in vain for another
        if each is process or not each.awaits_start:
            each.starts.request()
        if each is not process:
            each.starts.origin.pull_in()
        if each.starts.gate is not None:
            each.starts.gate.renew()
    for each in down:
        each.transition()
        each.changed.notify()
