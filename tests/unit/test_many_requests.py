"""Many requests at once: the loop serves others in between, results and logs stay the same."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import pytest

from supervisor.common.faults import Faults
from supervisor.engine.deferred import NOT_DONE_YET
from supervisor.process.child import Subprocess
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.states import ProcessStates
from supervisor.xmlrpc import SystemNamespaceRPCInterface, supervisor_xmlrpc_handler
from tests.support.programs import Programs
from tests.support.world import World

COUNT = 12
START_SECONDS = 0.004
MAX_STARTS = 3
"""Starts in one iteration: the third begins before 10 ms are over."""

S = ProcessStates


class Site:
    """A daemon with programs that take 4 ms to start, and its RPC interface."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        self.world = world
        self.programs = Programs(world)
        self.starts_by_iteration: list[int] = []
        for name in self.names():
            self.programs.add(name, **{"autostart": False, "startsecs": 0, **options})
        daemon: Any = SimpleNamespace(
            options=SimpleNamespace(mood=1, logger=world.runtime.logger),
            process_groups=self.programs.groups,
            runtime=world.runtime,
        )
        self.rpc = SupervisorNamespaceRPCInterface(daemon)
        namespaces = [("supervisor", self.rpc)]
        self.system = SystemNamespaceRPCInterface(namespaces, world.runtime.loop)
        self.handler = supervisor_xmlrpc_handler(daemon, [*namespaces, ("system", self.system)])
        spawn = Subprocess._spawn_as_child

        def slow(process: Subprocess, *args: Any) -> int | None:
            world.clock.advance(START_SECONDS)
            return spawn(process, *args)

        monkeypatch.setattr(Subprocess, "_spawn_as_child", slow)

    @staticmethod
    def names() -> list[str]:
        return [f"p{number}" for number in range(COUNT)]

    def calls(self, method: str, *params: Any) -> list[dict[str, Any]]:
        """Return the calls of a method for all programs, for a multicall."""
        return [
            {"methodName": f"supervisor.{method}", "params": [name, *params]}
            for name in self.names()
        ]

    def result(self, value: Any) -> Any:
        """Return the result of a call; count the starts of each iteration until it is there."""
        plans = self.world.plans
        if not self.starts_by_iteration:
            self.starts_by_iteration = [len(plans)]
        for _ in range(20 * COUNT):
            result = value() if callable(value) else value
            if result is not NOT_DONE_YET:
                return result
            before = len(plans)
            self.world.runtime.loop.run_once(0)
            self.starts_by_iteration.append(len(plans) - before)
        raise AssertionError("no result")

    def lines(self) -> list[str]:
        """Return the names in the lines of the activity log about starts, `!` for a success."""
        return [
            line.split("'")[1] if line.startswith("spawned") else line.split()[1] + "!"
            for line in self.world.lines("info")
        ]


@pytest.fixture
def site(world: World, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(world, monkeypatch)


@pytest.mark.parametrize("wait", [True, False])
def test_a_multicall_of_many_starts_is_spread_over_iterations(site: Site, wait: bool) -> None:  # noqa: FBT001 - a parameter
    assert site.result(site.system.multicall(site.calls("startProcess", wait))) == [True] * COUNT
    assert max(site.starts_by_iteration) <= MAX_STARTS
    assert len(site.world.plans) == COUNT


def test_each_start_is_complete_before_the_next(site: Site) -> None:
    """In the log, too, as in Supervisor 4."""
    site.result(site.system.multicall(site.calls("startProcess")))
    assert site.lines() == [line for name in site.names() for line in (name, f"{name}!")]


def test_a_multicall_keeps_its_results_in_order(site: Site) -> None:
    site.rpc.startProcess("p3")
    asked = site.calls("startProcess", False)
    asked[5:5] = [{"methodName": "supervisor.startProcess", "params": ["unknown"]}]
    faults = {3: Faults.ALREADY_STARTED, 5: Faults.BAD_NAME}
    results = site.result(site.system.multicall(asked))
    assert [each if each is True else each["faultCode"] for each in results] == [
        faults.get(number, True) for number in range(COUNT + 1)
    ]


def test_a_multicall_of_a_few_cheap_calls_is_answered_at_once(site: Site) -> None:
    """Also while many starts wait."""
    for name in site.names():
        site.handler.call("supervisor.startProcess", [name])
    assert site.world.runtime.services.start_queue
    results = site.system.multicall([{"methodName": "supervisor.getState"}] * 3)
    assert results == [{"statecode": 1, "statename": "RUNNING"}] * 3


def test_other_calls_of_a_long_multicall_pause_as_well(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[str] = []

    def stop(process: Subprocess) -> None:
        site.world.clock.advance(START_SECONDS)
        stopped.append(process.name)

    site.result(site.system.multicall(site.calls("startProcess")))
    monkeypatch.setattr(Subprocess, "stop", stop)
    value = site.system.multicall(site.calls("stopProcess", False))
    assert stopped == site.names()[:MAX_STARTS]
    assert site.result(value) == [True] * COUNT
    assert stopped == site.names()


@pytest.mark.parametrize("wait", [True, False])
def test_a_stop_of_many_is_spread_over_iterations(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    wait: bool,  # noqa: FBT001 - a parameter
) -> None:
    site.result(site.system.multicall(site.calls("startProcess")))
    stop, stopped = Subprocess.stop, []

    def slow(process: Subprocess) -> str | None:
        site.world.clock.advance(START_SECONDS)
        stopped.append(process)
        return stop(process)

    monkeypatch.setattr(Subprocess, "stop", slow)
    value = site.rpc.stopAllProcesses(wait)
    assert value() is NOT_DONE_YET
    assert len(stopped) == MAX_STARTS
    while len(stopped) < COUNT:
        site.world.runtime.loop.run_once(0)
    for process in stopped:
        process.finish(process.pid, 0)
    results = site.result(value)
    assert [each["name"] for each in results] == site.names()
    assert {each["status"] for each in results} == {Faults.SUCCESS}


def test_many_clients_take_turns(site: Site) -> None:
    values = [site.handler.call("supervisor.startProcess", [name]) for name in site.names()]
    assert [value for value in values if value is True] == [True] * MAX_STARTS
    assert [site.result(value) for value in values] == [True] * COUNT
    assert max(site.starts_by_iteration) <= MAX_STARTS
    assert site.lines() == [line for name in site.names() for line in (name, f"{name}!")]


@pytest.mark.parametrize("method", ["startProcess", "startProcessAlone"])
def test_plugins_find_the_process_started(site: Site, method: str) -> None:
    """However many they start."""
    for name in site.names():
        assert getattr(site.rpc, method)(name, wait=False) is True
        assert site.programs.process(name).state == S.RUNNING


def test_a_method_that_a_plugin_has_wrapped_is_called_at_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wrapper may expect that, and may be for another namespace."""
    original = SupervisorNamespaceRPCInterface.startProcess

    @functools.wraps(original)
    def wrapped(*args: Any) -> Any:
        return original(*args)

    monkeypatch.setattr(SupervisorNamespaceRPCInterface, "startProcess", wrapped)
    for name in site.names():
        assert site.handler.call("supervisor.startProcess", [name, False]) is True


def test_a_request_whose_client_has_left_is_carried_out(site: Site) -> None:
    for name in site.names():
        site.handler.call("supervisor.startProcess", [name])
    while site.world.runtime.services.start_queue:
        site.world.runtime.loop.run_once(0)
    assert len(site.world.plans) == COUNT
