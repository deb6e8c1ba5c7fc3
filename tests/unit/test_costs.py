"""Costs grow with what happens, not with what is there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

import pytest

from supervisor.dispatchers import POutputDispatcher
from supervisor.engine.loop import Loop
from supervisor.process.child import Subprocess
from supervisor.process.plan import Launched, SpawnPlan
from supervisor.states import ProcessStates
from tests.support.world import World, make_world

MANY = 30
METHODS = (
    (Subprocess, "transition", "next_deadline", "drain", "finish"),
    (POutputDispatcher, "readable", "writable", "handle_read_event", "handle_write_event"),
)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Processes without children, but with real pipes in a real loop."""
    made = make_world(monkeypatch)
    made.runtime.loop.close()
    made.runtime = copy(made.runtime)
    made.runtime.loop = Loop(made.clock)
    yield made
    made.runtime.loop.close()


def counted(monkeypatch: pytest.MonkeyPatch, calls: Counter[str]) -> None:
    """Count who is called, by the name of the process."""

    def counting(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *args: Any) -> Any:
            calls[getattr(self, "process", self).config.name] += 1
            return method(self, *args)

        return call

    for kind, *names in METHODS:
        for name in names:
            monkeypatch.setattr(kind, name, counting(getattr(kind, name)))


def test_a_turn_with_one_ready_fd_touches_no_other_process(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers: list[int] = []

    def launch(plan: SpawnPlan) -> Launched:
        writers.append(os.dup(plan.stdout))
        return World.launch(world, plan)

    monkeypatch.setattr("supervisor.process.child.launch", launch)
    processes = [world.process(name=f"p{number}", startsecs=0) for number in range(MANY)]
    for process in processes:
        process.spawn()
    world.pass_time(1)
    assert {process.get_state() for process in processes} == {ProcessStates.RUNNING}

    calls: Counter[str] = Counter()
    counted(monkeypatch, calls)
    os.write(writers[7], b"hello\n")
    world.runtime.loop.run_once(1)
    assert calls.keys() == {"p7"}

    calls.clear()
    processes[9].finish(processes[9].pid, 0)
    world.runtime.loop.run_once(0)
    assert calls.keys() == {"p9"}
    for fd in writers:
        os.close(fd)
    for process in processes:
        process.finish(process.pid, 0)
