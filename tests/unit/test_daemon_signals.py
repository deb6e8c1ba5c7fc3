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
from supervisor.daemon.reaping import Reaper
from supervisor.daemon.signals import SignalHandler
from supervisor.engine import posix
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


def test_exit_requests_are_counted(daemon: Any) -> None:
    handler = SignalHandler(daemon)
    daemon.options.signals.extend((signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD, signal.SIGINT))
    handler.handle_all()
    assert handler.exit_requests == ["SIGTERM", "SIGINT"]


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
    Reaper(world.runtime).reap()
    assert [process.exitstatus for process in (first, second, third)] == [0, 1, None]
    assert "reaped unknown pid 99 (exit status 1)" in world.lines()
    assert world.runtime.children == {third.pid: third}


@pytest.fixture
def subreapers(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The calls to become a subreaper, or to be none any more."""
    calls: list[bool] = []
    monkeypatch.setattr(posix, "set_subreaper", lambda *, is_subreaper: calls.append(is_subreaper))
    return calls


def test_orphans_are_news_only_to_a_daemon_that_did_not_ask_for_them(
    world: World,
    dead: list[tuple[int, int]],
    subreapers: list[bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def level() -> str:
        world.recorder.lines.clear()
        dead.append((99, 0))
        reaper.reap()
        ((level, _),) = world.recorder.lines
        return level

    reaper = Reaper(world.runtime)
    assert level() == "info"
    reaper.adopt_orphans()
    assert level() == "debug"
    reaper.close()
    reaper.close()
    assert level() == "info"
    assert subreapers == [True, False]
    monkeypatch.setattr(os, "getpid", lambda: posix.PID_OF_INIT)
    assert level() == "debug"


def test_a_system_without_subreapers_is_one_line_in_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "plan9")
    reaper = Reaper(world.runtime)
    reaper.adopt_orphans()
    reaper.close()
    assert world.recorder.lines == [
        ("warn", "subreaper=true has no effect: this system has no subreapers")
    ]


def test_endless_orphans_leave_time_for_the_loop(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a successor when it has been reaped, and each postpones the rest but once."""
    reaped = 0

    def waitpid(_pid: int, _flags: int) -> tuple[int, int]:
        nonlocal reaped
        reaped += 1
        world.clock.advance(0.001)
        return reaped, 0

    monkeypatch.setattr(os, "waitpid", waitpid)
    reaper = Reaper(world.runtime)
    for _ in range(3):
        before, started_at = reaped, world.clock.monotonic()
        reaper.reap()
        world.runtime.loop.run_once(0)
        assert world.clock.monotonic() - started_at < 0.02
        assert reaped > before


def test_endless_signals_leave_time_for_the_loop(world: World, daemon: Any) -> None:
    def reap() -> None:
        world.clock.advance(0.001)
        daemon.options.signals.append(signal.SIGCHLD)

    daemon.reap = reap
    started_at = world.clock.monotonic()
    received(daemon, world, signal.SIGCHLD)
    assert 0 < world.clock.monotonic() - started_at < 0.02
    assert len(daemon.options.signals) == 1


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
    Reaper(world.runtime).reap()
    counts = [len(dead)]
    while dead:
        world.runtime.loop.run_once(0)
        counts.append(len(dead))
    assert counts == [6, 4, 2, 0]  # the second begins before 5 ms are over
    assert not world.runtime.children


def test_plugins_reap_one_child(world: World, dead: list[tuple[int, int]]) -> None:
    first, second = spawned(world, "first", "second")
    dead += [(first.pid, 0), (second.pid, 0)]
    Reaper(world.runtime).reap(once=True)
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
    Reaper(world.runtime).reap()
    assert sound.state == ProcessStates.EXITED
    assert world.lines("critical")[0].startswith("the end of broken failed\n")


def test_a_resource_that_cannot_be_released_does_not_keep_the_others(world: World) -> None:
    released = []

    def fail() -> None:
        raise OSError("no such socket")

    group: Any = SimpleNamespace(before_remove=lambda: released.append("group"))
    pidfile: Any = SimpleNamespace(remove=lambda: released.append("pidfile"))
    clean_up(world.runtime, [fail], [group], pidfile, lambda: released.append("conclusion"))
    assert released == ["group", "pidfile", "conclusion"]
    assert world.lines("critical")[0].startswith("cleaning up failed\n")
