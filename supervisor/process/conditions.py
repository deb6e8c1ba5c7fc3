"""Conditions of a start: the needs of a process, watched for all processes with the same ones.

A `ConditionWatch` belongs to one condition, such as "all processes of db are RUNNING", and all
processes that have it share it.  It knows the processes that do not meet the condition.  A process
that changes marks itself, so a look at the condition costs as much as there were changes: with n
processes that need m others, no step costs n times m.  Nothing is watched before the first look.
"""

from __future__ import annotations

import enum
from functools import partial

from supervisor.common.records import record
from supervisor.states import ProcessStates, getProcessStateDescription

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from typing import Any, Protocol

    from supervisor.common.dependency_graph import Requirement
    from supervisor.engine.deferred import Notifier
    from supervisor.engine.loop import Loop
    from supervisor.engine.start_queue import StartQueue

    class Runtime(Protocol):
        """The part of the runtime context that conditions need."""

        @property
        def loop(self) -> Loop:
            """The loop."""

        @property
        def services(self) -> Services:
            """The objects that all processes share."""

        def run_guarded(self, callback: Callable[[], object], what: str) -> None:
            """Run a callback; an exception is logged."""

    class Services(Protocol):
        """The part of these objects that conditions need."""

        @property
        def start_queue(self) -> StartQueue:
            """The queue of starts."""

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

    class Waiter(Protocol):
        """A gate that waits for a condition."""

        def decide(self) -> None:
            """Examine the wait again: the condition looks different."""

    class Follower(Protocol):
        """A process that is up and follows its dependencies."""

        def decide(self, *, has_failed: bool) -> None:
            """Follow a dependency that is down for good, or dependencies that are up again."""


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


@record(frozen=True)
class Hold:
    """A reason for which no start is possible for a while; not a dependency."""

    reason: str

    target = None
    is_hopeless = False

    def __str__(self) -> str:
        return self.reason


UNKNOWN = object()
"""Outlook of a condition that a new gate has seen, but perhaps not the others."""


class ConditionWatch:
    """The processes that one condition names, for all gates and dependents that have it."""

    def __init__(
        self, condition: Condition, find: Callable[[str], Sequence[Any]], runtime: Runtime
    ) -> None:
        """`find` returns the processes that a name means."""
        self.condition = condition
        self.stops = 0
        """Stops of the processes that have been seen, each of which dependents may follow."""
        self._find = find
        self._runtime = runtime
        self._waiters: dict[Waiter, None] = {}
        self._followers: dict[Follower, None] = {}
        self._callbacks: dict[Target, Callable[[], None]] | None = None
        self._unmet: dict[Target, None] = {}
        self._failed: dict[Target, None] = {}  # those of them that are down for good
        self._stale: dict[Target, None] = {}
        self._changed: list[Target] = []
        self._outlook: object = UNKNOWN
        self._was_met = False
        self._is_due = False

    def unmet(self) -> Unmet | None:
        """Return one process that does not meet the condition, None if all do.

        One that is down for good is preferred, because the condition is then hopeless.
        """
        self._refresh()
        if self._unmet:
            return Unmet(self.condition, next(iter(self._failed or self._unmet)))
        if not self._callbacks and not self.condition.requirement.is_soft:
            return Unmet(self.condition, None)
        return None

    def unmet_targets(self) -> Iterable[Any]:
        """Return all processes that do not meet the condition."""
        self._refresh()
        return tuple(self._unmet)

    def reset(self) -> None:
        """Look the processes up again: groups have been added or removed."""
        if self._callbacks is not None:
            for target, callback in self._callbacks.items():
                target.changed.discard(callback)
            self._callbacks = None
            self._outlook = UNKNOWN
            if self._followers:
                self._refresh()
            elif self._waiters:  # else a change of the processes would not wake them
                self._schedule()

    def look_again(self) -> None:
        """Treat all processes as changed: states have been restored."""
        if not self._is_due:
            for target in self._callbacks or ():
                self._mark(target)

    # -- gates and dependents ---------------------------------------------------------

    def add_waiter(self, waiter: Waiter) -> None:
        """Call `decide` of a gate, which has seen the condition unmet, when it looks different."""
        if waiter not in self._waiters:
            self._waiters[waiter] = None
            self._outlook = UNKNOWN

    def discard_waiter(self, waiter: Waiter) -> None:
        """Remove a gate."""
        self._waiters.pop(waiter, None)

    def add_follower(self, follower: Follower) -> None:
        """Call `decide` of a dependent when a process fails, or when all are up again."""
        self._followers[follower] = None
        self._was_met = False
        self._refresh()

    def discard_follower(self, follower: Follower) -> None:
        """Remove a dependent."""
        self._followers.pop(follower, None)

    # -- changes ----------------------------------------------------------------------

    def _refresh(self) -> None:
        """Look at the processes that have changed since the last look."""
        if self._callbacks is None:
            targets = self._find(self.condition.requirement.target)
            self._callbacks = {target: partial(self._mark, target) for target in targets}
            self._unmet, self._failed = {}, {}
            self._stale = dict.fromkeys(targets)
        if self._stale:
            stale, self._stale = self._stale, {}
            for target in stale:
                target.changed.add(self._callbacks[target])
                is_met = self.condition.is_met_by(target)
                _update(self._unmet, target, is_in=not is_met)
                _update(self._failed, target, is_in=not is_met and target.is_down_for_good)

    def _mark(self, target: Target) -> None:
        """Note a change; decide at the end of this loop iteration, when it is complete."""
        self._stale[target] = None
        if self._followers:
            self._changed.append(target)
            if target.get_state() == ProcessStates.STOPPING:
                self.stops += 1  # it may be up again before `_decide`
                self._was_met = False
        if self._waiters or self._followers:
            self._schedule()

    def _schedule(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._runtime.loop.call_soon(self._decide)

    def _decide(self) -> None:
        """Notify those whom the changes concern, in the queue: it may be the start of many."""
        self._is_due = False
        unmet = self.unmet()
        outlook = None if unmet is None else (unmet.is_hopeless, unmet.text)
        steps: list[Callable[[], object]] = []
        if outlook != self._outlook:  # else another process of the same program is missing now
            self._outlook = outlook
            steps += [each.decide for each in self._waiters]
        changed, self._changed = self._changed, []
        has_failed = any(target.is_down_for_good for target in changed)
        if has_failed or (unmet is None and not self._was_met):
            steps += [partial(each.decide, has_failed=has_failed) for each in self._followers]
        self._was_met = unmet is None
        if steps:
            self._runtime.services.start_queue.put(self._in_turn(steps))

    def _in_turn(self, steps: Iterable[Callable[[], object]]) -> Generator[None, None, None]:
        for step in steps:
            self._runtime.run_guarded(step, f"a dependency on {self.condition.requirement}")
            yield


def _update(found: dict[Target, None], target: Target, *, is_in: bool) -> None:
    """Add a target to an ordered set, or remove it."""
    if is_in:
        found[target] = None
    else:
        found.pop(target, None)
