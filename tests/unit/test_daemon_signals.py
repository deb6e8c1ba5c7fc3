"""Signals to the daemon, dead children, and the end of a run."""

from __future__ import annotations

import os
import signal
from collections import deque
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from supervisor.common.faults import Faults, RPCError
from supervisor.daemon.cleanup import clean_up
from supervisor.daemon.reaping import reap_children
from supervisor.daemon.signals import SignalHandler
from supervisor.process.child import Subprocess
from supervisor.states import ProcessStates, SupervisorStates
from tests.support.world import World

if TYPE_CHECKING:
    from supervisor.config.model import ServerConfig
    from supervisor.http.server import HTTPServer

RUNNING, RESTARTING, SHUTDOWN = (
    SupervisorStates.RUNNING,
    SupervisorStates.RESTARTING,
    SupervisorStates.SHUTDOWN,
)


class FakeOptions:
    """Options with a queue of signals; as in the daemon, the mood is the state of the runtime."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.signals: deque[int] = deque()
        self.httpservers: list[tuple[ServerConfig, HTTPServer]] = []

    @property
    def mood(self) -> int:
        return self._world.runtime.daemon_state

    @mood.setter
    def mood(self, state: int) -> None:
        self._world.runtime.daemon_state = state

    def get_signal(self) -> int | None:
        return self.signals.popleft() if self.signals else None


class FakeDaemon:
    """A daemon that counts the calls of `reap`, with a configuration that may be invalid."""

    def __init__(self, world: World) -> None:
        self.runtime = world.runtime
        self.options = FakeOptions(world)
        self.process_groups: dict[str, Any] = {}
        self.reaped = 0
        self.is_valid = True

    def reap(self) -> None:
        self.reaped += 1

    def check_configuration(self) -> None:
        if not self.is_valid:
            raise RPCError(Faults.CANT_REREAD, "no such file")


@pytest.fixture
def daemon(world: World) -> Any:
    """A daemon with signals and no groups."""
    return FakeDaemon(world)


def received(daemon: Any, world: World, *signums: int) -> tuple[list[str], int]:
    """Handle signals; return what was logged and the state of the daemon."""
    world.recorder.lines.clear()
    daemon.options.signals.extend(signums)
    SignalHandler(daemon).handle_all()
    return [text for _, text in world.recorder.lines], daemon.options.mood


def test_each_signal_is_logged_and_changes_the_state(world: World, daemon: Any) -> None:
    exiting = "received {} indicating exit request"
    expected = {
        (signal.SIGTERM, RUNNING): ([exiting.format("SIGTERM")], SHUTDOWN),
        (signal.SIGINT, RUNNING): ([exiting.format("SIGINT")], SHUTDOWN),
        (signal.SIGQUIT, RESTARTING): ([exiting.format("SIGQUIT")], SHUTDOWN),
        (signal.SIGHUP, RUNNING): (["received SIGHUP indicating restart request"], RESTARTING),
        (signal.SIGHUP, SHUTDOWN): (
            ["ignored SIGHUP indicating restart request (shutdown in progress)"],
            SHUTDOWN,
        ),
        (signal.SIGUSR2, RUNNING): (
            ["received SIGUSR2 indicating log reopen request", "supervisord logreopen"],
            RUNNING,
        ),
        (signal.SIGUSR2, SHUTDOWN): (
            ["ignored SIGUSR2 indicating log reopen request (shutdown in progress)"],
            SHUTDOWN,
        ),
        (signal.SIGCHLD, RUNNING): (["received SIGCHLD indicating a child quit"], RUNNING),
    }
    handled = {}
    for signum, state in expected:
        daemon.options.mood = state
        handled[signum, state] = received(daemon, world, signum)
    assert handled == expected
    assert daemon.reaped == 1


def test_all_queued_signals_are_handled_in_order(world: World, daemon: Any) -> None:
    lines, state = received(daemon, world, signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP)
    assert [line.split()[:2] for line in lines] == [
        ["received", "SIGCHLD"],
        ["received", "SIGTERM"],
        ["ignored", "SIGHUP"],
    ]
    assert state == SHUTDOWN


def test_an_invalid_configuration_prevents_the_restart(world: World, daemon: Any) -> None:
    daemon.is_valid = False
    lines, state = received(daemon, world, signal.SIGHUP)
    assert lines[1:] == ["not restarted: CANT_REREAD: no such file"]
    assert state == RUNNING


def test_a_log_that_cannot_be_reopened_does_not_keep_the_others(world: World, daemon: Any) -> None:
    reopened = []

    def fail() -> None:
        raise RuntimeError("a plugin's process")

    processes = {
        "broken": SimpleNamespace(name="broken", reopenlogs=fail),
        "sound": SimpleNamespace(name="sound", reopenlogs=lambda: reopened.append("sound")),
    }
    daemon.process_groups["g"] = SimpleNamespace(processes=processes)
    lines, _ = received(daemon, world, signal.SIGUSR2)
    assert reopened == ["sound"]
    assert lines[2].startswith("reopening a log of broken failed\n")


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The (pid, wait status) pairs that waitpid reports, then no child at all."""
    pairs: list[tuple[int, int]] = []

    def waitpid(_pid: int, _flags: int) -> tuple[int, int]:
        if not pairs:
            raise ChildProcessError
        return pairs.pop(0)

    monkeypatch.setattr(os, "waitpid", waitpid)
    return pairs


def spawned(world: World, *names: str) -> list[Subprocess]:
    """Return running processes."""
    processes = [world.process(name=name, startsecs=0) for name in names]
    for process in processes:
        process.spawn()
        process.transition()
    world.recorder.lines.clear()
    return processes


def test_dead_children_are_reaped_until_none_is_left(
    world: World, dead: list[tuple[int, int]]
) -> None:
    first, second, third = spawned(world, "first", "second", "third")
    dead += [(first.pid, 0), (99, 256), (second.pid, 256), (0, 0), (third.pid, 0)]
    reap_children(world.runtime)
    assert [process.exitstatus for process in (first, second, third)] == [0, 1, None]
    assert "reaped unknown pid 99 (exit status 1)" in world.lines()
    assert world.runtime.children == {third.pid: third}


def test_many_deaths_are_spread_over_iterations(
    world: World, dead: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = spawned(world, *"abcdefgh")
    dead += [(process.pid, 0) for process in processes]
    finish = Subprocess.finish

    def slow(process: Subprocess, pid: int, status: int) -> None:
        world.clock.advance(0.004)
        finish(process, pid, status)

    monkeypatch.setattr(Subprocess, "finish", slow)
    reap_children(world.runtime)
    counts = [len(dead)]
    while dead:
        world.runtime.loop.run_once(0)
        counts.append(len(dead))
    assert counts == [5, 2, 0]  # the third begins before 10 ms are over
    assert not world.runtime.children


def test_plugins_reap_one_child(world: World, dead: list[tuple[int, int]]) -> None:
    first, second = spawned(world, "first", "second")
    dead += [(first.pid, 0), (second.pid, 0)]
    reap_children(world.runtime, once=True)
    assert world.runtime.children == {second.pid: second}


def test_a_child_whose_end_cannot_be_handled_does_not_keep_the_others(
    world: World, dead: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound = spawned(world, "broken", "sound")

    def finish(_pid: int, _status: int) -> None:
        broken._close_dispatchers()
        raise RuntimeError("a plugin")

    monkeypatch.setattr(broken, "finish", finish)
    dead += [(broken.pid, 0), (sound.pid, 0)]
    reap_children(world.runtime)
    assert sound.state == ProcessStates.EXITED
    assert world.lines("critical")[0].startswith("the end of broken failed\n")


def test_a_resource_that_cannot_be_released_does_not_keep_the_others(world: World) -> None:
    released = []

    def fail() -> None:
        raise OSError("no such socket")

    group: Any = SimpleNamespace(before_remove=lambda: released.append("group"))
    pidfile: Any = SimpleNamespace(remove=lambda: released.append("pidfile"))
    clean_up(world.runtime, fail, [group], pidfile)
    assert released == ["group", "pidfile"]
    assert world.lines("critical")[0].startswith("cleaning up failed\n")
