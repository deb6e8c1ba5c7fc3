"""Going down: group by group, the highest priority number first, each awaited."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from supervisor.config.model import ProcessConfig, ProcessGroupConfig
from supervisor.process.groups import ProcessGroup
from supervisor.shutdown import Shutdown
from supervisor.states import ProcessStates, SupervisorStates
from tests.support.world import World

if TYPE_CHECKING:
    pass


def group(world: World, name: str, priority: int, *processes: str) -> ProcessGroup:
    """Return a group whose processes are all starting."""
    configs = [
        ProcessConfig(each, "/bin/cat", stdout_logfile=None, stderr_logfile=None)
        for each in processes
    ]
    made = ProcessGroup(ProcessGroupConfig(name, priority, configs), world.context)
    made.transition()
    return made


def begin(world: World, *groups: ProcessGroup) -> Shutdown:
    world.context.mood = SupervisorStates.SHUTDOWN
    return Shutdown(groups, world.context)


def test_one_group_after_the_other(world: World) -> None:
    first, last = group(world, "first", 1, "a"), group(world, "last", 999, "b", "c")
    shutdown = begin(world, first, last)
    a, b, c = first.processes["a"], last.processes["b"], last.processes["c"]
    assert world.signals == [(c.pid, signal.SIGTERM), (b.pid, signal.SIGTERM)]
    b.finish(b.pid, 0)
    assert not shutdown.advance()
    assert a.state == ProcessStates.STARTING
    c.finish(c.pid, 0)
    assert not shutdown.advance()
    assert a.state == ProcessStates.STOPPING
    a.finish(a.pid, 0)
    assert shutdown.advance()


def test_of_equal_priorities_the_last_one_added_goes_first(world: World) -> None:
    groups = [group(world, name, 999, name) for name in ("b", "a", "c")]
    begin(world, *groups)
    assert groups[2].processes["c"].state == ProcessStates.STOPPING
    assert groups[0].processes["b"].state == ProcessStates.STARTING


def test_backoff_is_given_up(world: World) -> None:
    only = group(world, "g", 999, "a")
    process = only.processes["a"]
    process.finish(process.pid, 1 << 8)
    assert process.state == ProcessStates.BACKOFF
    shutdown = begin(world, only)
    assert process.state == ProcessStates.FATAL
    assert shutdown.advance()


def test_those_who_are_awaited_are_named_every_three_seconds(world: World) -> None:
    first, last = group(world, "first", 1, "b", "a"), group(world, "last", 999, "c")
    begin(world, last, first)
    for _ in range(70):
        world.pass_time(0.1)
    assert world.lines("info").count("waiting for b, a, c to die") == 3


def test_the_process_group_of_a_program_has_its_time(world: World) -> None:
    """With `stopasgroup`, also that part of it which outlives its leader."""
    only = group(world, "g", 999, "a")
    process = only.processes["a"]
    process.config.stopasgroup = process.config.killasgroup = True
    shutdown = begin(world, only)
    pid = process.pid
    world.orphans[pid] = [7]
    process.finish(pid, 0)
    world.pass_time(3)
    assert not shutdown.advance()
    assert world.signals == [(-pid, signal.SIGTERM)]
    world.orphans.clear()
    world.pass_time(0.1)
    assert shutdown.advance()
    world.context.leftovers.end()
    assert world.signals == [(-pid, signal.SIGTERM)]


class Busy(ProcessGroup):
    """A group that has something to finish first, as event listeners do."""

    busy = True

    def has_work(self) -> bool:
        return self.busy


def test_a_busy_group_may_finish_first(world: World) -> None:
    busy = Busy(group(world, "g", 999, "a").config, world.context)
    busy.transition()
    shutdown = begin(world, busy)
    assert world.signals == []
    busy.busy = False
    assert not shutdown.advance()
    assert len(world.signals) == 1


def test_a_busy_group_has_one_second(world: World) -> None:
    busy = Busy(group(world, "g", 999, "a").config, world.context)
    busy.transition()
    shutdown = begin(world, busy)
    world.pass_time(0.9)
    shutdown.advance()
    assert world.signals == []
    world.pass_time(0.1)
    shutdown.advance()
    assert len(world.signals) == 1


def test_nothing_to_stop(world: World) -> None:
    assert begin(world).advance()


def test_hundreds_of_processes_cost_a_look_each(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cost of a turn during a shutdown does not grow with the number of processes."""
    many = group(world, "g", 999, *(f"p{number:04}" for number in range(300)))
    shutdown = begin(world, many)
    looks = 0
    process_type = type(many.processes["p0000"])
    plain = process_type.get_state

    def counting(self: object) -> int:
        nonlocal looks
        looks += 1
        return plain(self)  # type: ignore[arg-type]

    for process in many.processes.values():
        process.finish(process.pid, 0)
        monkeypatch.setattr(process_type, "get_state", counting)
        shutdown.advance()
        monkeypatch.setattr(process_type, "get_state", plain)
    assert looks < 3 * len(many.processes)
