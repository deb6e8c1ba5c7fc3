"""Conditions that many processes share: the cost of a change, and that none is forgotten."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from supervisor.process.child import Subprocess
from supervisor.process.conditions import Condition
from supervisor.process.dependencies import StartGate
from supervisor.process.stop_order import StopOrder
from supervisor.rpc import control
from supervisor.states import ProcessStates
from tests.support.programs import EXIT_3, Programs
from tests.support.world import World

S = ProcessStates

COUNT = 40


@pytest.fixture
def programs(world: World) -> Programs:
    return Programs(world)


class Calls(Counter[str]):
    """Counts the calls of methods."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *methods: tuple[type, str]) -> None:
        super().__init__()
        for owner, name in methods:
            monkeypatch.setattr(owner, name, self._counting(name, getattr(owner, name)))

    def _counting(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            self[name] += 1
            return method(*args, **options)

        return counted


def processes(programs: Programs, name: str) -> list[Subprocess]:
    return list(programs.groups[name].processes.values())


def many_on_many(programs: Programs, **options: Any) -> tuple[list[Subprocess], list[Subprocess]]:
    """Boot a program with many processes that depends on one with as many; return both."""
    programs.add("web", "db", count=COUNT, **options)
    programs.add("db", count=COUNT, startsecs=100)
    programs.boot()
    return processes(programs, "web"), processes(programs, "db")


def run_all(programs: Programs, databases: list[Subprocess]) -> None:
    for process in databases:
        process.mark_running()
    for _ in range(10):
        programs.world.pass_time(1)
    assert set(programs.states().values()) == {S.RUNNING}


def test_a_change_costs_as_much_as_it_releases(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, databases = many_on_many(programs, on_dependency_failure="restart")
    programs.world.pass_time(0)
    calls = Calls(monkeypatch, (Condition, "is_met_by"), (StartGate, "decide"))
    for process in databases[:-1]:
        process.mark_running()
        programs.world.pass_time(0)
    assert calls == {"is_met_by": COUNT - 1}
    calls.clear()
    databases[-1].mark_running()
    programs.world.pass_time(0)
    assert calls == {"is_met_by": 1, "decide": COUNT}
    programs.world.pass_time(1)
    assert set(programs.states().values()) == {S.RUNNING}


def test_a_failure_costs_as_much_as_it_stops(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    web, databases = many_on_many(programs, on_dependency_failure="stop")
    run_all(programs, databases)
    calls = Calls(monkeypatch, (Condition, "is_met_by"), (StartGate, "decide"))
    programs.die(databases[3], EXIT_3)  # is started again
    programs.world.pass_time(1)
    databases[3].mark_running()
    programs.world.pass_time(0)
    assert set(programs.states().values()) == {S.RUNNING}
    assert calls["is_met_by"] <= 4
    databases[5].stop()
    programs.die(databases[5])
    assert {process.state for process in web} == {S.STOPPING}


def test_the_release_of_many_is_spread_over_iterations(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, databases = many_on_many(programs)
    decide, decided = StartGate.decide, []

    def slow(gate: StartGate) -> None:
        programs.world.clock.advance(0.004)
        decided.append(gate)
        decide(gate)

    monkeypatch.setattr(StartGate, "decide", slow)
    for process in databases:
        process.mark_running()
    counts = []
    while len(decided) < COUNT:
        before = len(decided)
        programs.world.runtime.loop.run_once(0)
        counts.append(len(decided) - before)
    assert max(counts) == 3  # the third begins before 10 ms are over


def test_a_dependent_that_fails_does_not_hold_up_the_others(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    web, databases = many_on_many(programs, startsecs=0)
    decide = StartGate.decide

    def failing(gate: StartGate) -> None:
        if gate is web[0].starts.gate:
            raise ValueError("broken")
        decide(gate)

    monkeypatch.setattr(StartGate, "decide", failing)
    for process in databases:
        process.mark_running()
    programs.world.pass_time(0)
    programs.world.pass_time(1)
    assert [process.state for process in web] == [S.STOPPED] + [S.RUNNING] * (COUNT - 1)
    [line] = programs.world.lines("critical")
    assert line.startswith("a dependency on db failed\n")


def test_a_wait_that_begins_during_a_change_ends(programs: Programs) -> None:
    """The dependency is down when the wait begins, and up again when it is decided."""
    db = programs.add("db", startsecs=0)
    programs.add("edge", "db", startsecs=0)
    web = programs.add("web", "db", startsecs=0, autostart=False)
    programs.boot()
    programs.world.pass_time(1)
    db.finish(db.pid, EXIT_3)  # is to be started again
    web.starts.request()
    web.transition()
    assert programs.waits(web) == ["db (EXITED)"]
    db.spawn()
    db.mark_running()
    programs.world.pass_time(0)
    programs.world.pass_time(0)
    assert web.state == S.RUNNING


def test_a_soft_dependency_that_waits_in_vain_from_the_beginning(programs: Programs) -> None:
    """Groups that are added later: `app` waits before `web`, whose dependency has failed."""
    db = programs.add("db", startretries=0)
    programs.boot()
    programs.die(db, EXIT_3)
    programs.world.pass_time(1)
    assert db.state == S.FATAL
    app = programs.add("app", "-web")
    web = programs.add("web", "db")
    app.arm()
    web.arm()
    programs.world.pass_time(0)
    assert (app.state, web.state) == (S.STARTING, S.STOPPED)


def test_processes_that_are_added_and_removed_are_looked_up_again(programs: Programs) -> None:
    programs.add("db", count=2, startsecs=0)
    programs.add("web", "db:*", startsecs=0)
    programs.boot()
    programs.world.pass_time(0)
    web = programs.process("web")
    assert web.state == S.RUNNING
    for process in processes(programs, "db"):
        process.stop()
        programs.die(process)
    programs.die(web, EXIT_3)
    programs.world.pass_time(1)
    assert programs.waits(web) == ["db:* (STOPPED)"]
    del programs.groups["db"]
    programs.world.runtime.services.processes.groups_changed()
    assert programs.waits(web) == ["db:* (unknown)"]
    programs.add("db", count=3, startsecs=0)
    programs.boot()
    programs.world.pass_time(1)
    assert web.state == S.RUNNING


def test_conditions_that_no_process_has_are_forgotten(programs: Programs) -> None:
    for number in range(COUNT):
        programs.add("web", f"db{number}")
    gc.collect()
    assert len(programs.world.runtime.services.processes._watches) == 1


# -- the order of stops -----------------------------------------------------------------


def test_the_order_of_stops_costs_as_much_as_it_stops(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    web, databases = many_on_many(programs)
    run_all(programs, databases)
    calls = Calls(monkeypatch, (Subprocess, "get_state"))
    order = StopOrder([*databases, *web], programs.world.runtime.loop)
    stopped: list[Subprocess] = []
    for process in databases:
        assert order.holds(process)
        order.stop_later(process, lambda process=process: stopped.append(process))  # type: ignore[misc]
    assert calls["get_state"] <= 3 * COUNT
    for process in web:
        process.stop()
        assert not stopped
        programs.die(process)
    programs.world.pass_time(0)
    assert stopped == databases
    assert calls["get_state"] <= 30 * COUNT


def test_many_stops_after_the_last_dependent_are_spread_over_iterations(
    programs: Programs,
) -> None:
    web, databases = many_on_many(programs)
    run_all(programs, databases)
    order = StopOrder([*databases, *web], programs.world.runtime.loop)
    stopped: list[Subprocess] = []

    def stop(process: Subprocess) -> None:
        programs.world.clock.advance(0.004)
        stopped.append(process)
        if process is databases[1]:
            raise ValueError("broken")

    for process in databases:
        order.stop_later(process, lambda process=process: stop(process))  # type: ignore[misc]
    errors: list[str] = []
    programs.world.runtime.loop.on_error = errors.append
    for process in web:
        process.stop()
        process.finish(process.pid, 0)
    counts = []
    while len(stopped) < COUNT:
        before = len(stopped)
        programs.world.runtime.loop.run_once(0)
        counts.append(len(stopped) - before)
    assert max(counts) == 3
    assert stopped == databases
    assert len(errors) == 1


def test_a_process_with_dependents_of_two_kinds_stops_after_both(programs: Programs) -> None:
    db = programs.add("db", startsecs=0)
    web = programs.add("web", "db", startsecs=0)
    edge = programs.add("edge", "db:*", startsecs=0)
    programs.boot()
    programs.world.pass_time(1)
    members = [(programs.groups[each.name], each) for each in (db, web, edge)]
    stop = control.in_order(
        members, lambda name, wait: control.stop(programs.process(name), name, wait=wait)
    )
    for _, process in members:
        stop(process.name, wait=False)
    assert (db.state, web.state, edge.state) == (S.RUNNING, S.STOPPING, S.STOPPING)
    programs.die(web)
    assert db.state == S.RUNNING
    programs.die(edge)
    assert db.state == S.STOPPING
