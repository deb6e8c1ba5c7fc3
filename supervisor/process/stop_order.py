"""The order of stops: the dependents of a process stop before the process.

Dependents are kept by the requirement that they share, so with n processes that need m others there
are n + m entries.
"""

from __future__ import annotations

from collections import deque
from itertools import chain

from supervisor.common.dependency_graph import closure
from supervisor.engine.start_queue import MAX_SECONDS
from supervisor.process.conditions import Kind
from supervisor.states import STOPPED_STATES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from supervisor.engine.loop import Loop


def with_dependents(named: Iterable[Any], processes: Iterable[Any]) -> list[Any]:
    """Return processes and those of `processes` that need them RUNNING, also through others."""
    dependents = _dependents(processes, with_soft=False)
    return closure(named, lambda each: chain.from_iterable(dependents.get(each, ())))


def _dependents(processes: Iterable[Any], *, with_soft: bool) -> dict[Any, list[list[Any]]]:
    """Return process -> lists of those of `processes` that need it to be RUNNING.

    There is one list for each requirement, which all processes that it names share.
    """
    lists: dict[str, list[Any]] = {}
    found: dict[Any, list[list[Any]]] = {}
    for process in processes:
        gate = process.starts.gate
        for condition in () if gate is None else gate.conditions:
            requirement = condition.requirement
            if condition.kind is not Kind.RUNNING or (requirement.is_soft and not with_soft):
                continue
            if requirement.target not in lists:
                lists[requirement.target] = []
                for target in gate.targets(condition):
                    found.setdefault(target, []).append(lists[requirement.target])
            lists[requirement.target].append(process)
    return found


class StopOrder:
    """The order of stops: first the dependents of a process, then the process."""

    def __init__(self, processes: Iterable[Any], loop: Loop) -> None:
        """Take all processes that are to be stopped."""
        made: dict[int, _Dependents] = {}
        self._dependents = {
            target: [made.setdefault(id(each), _Dependents(each, loop)) for each in lists]
            for target, lists in _dependents(processes, with_soft=True).items()
        }

    def holds(self, process: Any) -> bool:
        """Whether dependents of the process are still up."""
        return self._first_up(process) is not None

    def _first_up(self, process: Any) -> _Dependents | None:
        return next((each for each in self._dependents.get(process, ()) if each.are_up), None)

    def stop_later(self, process: Any, stop: Callable[[], object]) -> None:
        """Call `stop` in the loop once the dependents are down."""
        dependents = self._first_up(process)
        if dependents is None:
            stop()
        else:  # the others are looked at when these are down
            dependents.when_down(lambda: self.stop_later(process, stop))


class _Dependents:
    """Processes with a requirement in common, as far as they are still up."""

    def __init__(self, processes: list[Any], loop: Loop) -> None:
        self._processes = processes
        self._loop = loop
        self._callbacks: deque[Callable[[], object]] = deque()

    @property
    def are_up(self) -> bool:
        """Whether one of them is up; one that was down once does not count again."""
        while self._processes and _is_down(self._processes[-1]):
            self._processes.pop()
        return bool(self._processes)

    def when_down(self, callback: Callable[[], object]) -> None:
        """Call back in the loop, once all are down; many calls are spread over iterations."""
        self._callbacks.append(callback)
        if len(self._callbacks) == 1:
            self._watch()

    def _watch(self) -> None:
        self._processes[-1].changed.add(self._schedule)

    def _schedule(self) -> None:
        self._loop.call_soon(self._decide)

    def _decide(self) -> None:
        if self.are_up:
            self._watch()
            return
        ends_at = self._loop.clock.monotonic() + MAX_SECONDS
        try:
            while self._callbacks and self._loop.clock.monotonic() < ends_at:
                self._callbacks.popleft()()
        finally:
            if self._callbacks:
                self._schedule()


def _is_down(process: Any) -> bool:
    """Whether a process is down and will not start without a request."""
    return process.get_state() in STOPPED_STATES and not process.awaits_start
