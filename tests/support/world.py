"""Processes without children: a fake clock, a still loop, and what would have happened."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from supervisor import loggers
from supervisor.config.model import ProcessConfig, ProcessGroupConfig, Settings
from supervisor.engine import posix
from supervisor.engine.loop import Loop
from supervisor.process import child, helper_launch
from supervisor.process.child import Subprocess
from supervisor.process.groups import ProcessGroup
from supervisor.process.plan import Launched
from supervisor.process.runtime import Runtime
from tests.support.clock import FakeClock

if TYPE_CHECKING:
    import pytest

    from supervisor.process.plan import SpawnError, SpawnPlan


LEVELS = {
    number: name for name, number in vars(loggers.LevelsByDescription).items() if name[0] != "_"
}


class StillPoller:
    """A poller in which nothing is ever ready."""

    def set(self, fd: int, interest: int) -> None:
        """Take no notice."""

    def poll(self, _seconds: float | None) -> list[tuple[int, int]]:
        """Return at once."""
        return []

    def close(self) -> None:
        """Nothing is held."""


class Recorder(loggers.Handler):
    """A log handler that keeps (level name, text)."""

    def __init__(self) -> None:
        super().__init__()
        self.level = loggers.LevelsByName.BLAT
        self.lines: list[tuple[str, str]] = []

    def emit(self, record: Any) -> None:
        """Keep a record."""
        self.lines.append((LEVELS[record.level], record.msg))


@dataclass
class World:
    """A daemon's surroundings with nothing real in them.

    `orphans` are the members of process groups whose leader has died, by the leader's pid; there
    are no pidfds.
    """

    clock: FakeClock
    runtime: Runtime
    recorder: Recorder
    plans: list[SpawnPlan] = field(default_factory=list)
    signals: list[tuple[int, int]] = field(default_factory=list)
    orphans: dict[int, list[int]] = field(default_factory=dict)
    failure: SpawnError | None = None

    def launch(self, plan: SpawnPlan) -> Launched:
        """Stand in for `launchers.launch`: pids 1001, 1002, ..."""
        if self.failure is not None:
            raise self.failure
        self.plans.append(plan)
        return Launched(1000 + len(self.plans))

    def process(self, **options: Any) -> Subprocess:
        """Make a process alone in its group."""
        options = {
            "name": "p",
            "command": "/bin/cat",
            "stdout_logfile": None,
            "stderr_logfile": None,
        } | options
        config = ProcessConfig(**options)
        group = ProcessGroup(ProcessGroupConfig(config.name, 999, [config]), self.runtime)
        return group.processes[config.name]

    def pass_time(self, seconds: float) -> None:
        """Advance the clock and run what has come due."""
        self.clock.advance(seconds)
        self.runtime.loop.run_once(0)
        self.runtime.loop.run_once(0)

    def close(self) -> None:
        """Leave no fd."""
        for each in list(self.runtime.children.values()):
            if isinstance(each, Subprocess):
                each._close_dispatchers()
            else:
                each.cancel()  # a helper
        self.runtime.loop.close()

    def lines(self, *levels: str) -> list[str]:
        """Return the texts logged at some levels (all of them without an argument)."""
        return [text for level, text in self.recorder.lines if not levels or level in levels]


def make_world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Build a world; `monkeypatch` keeps real processes out of it."""
    clock = FakeClock()
    loop = Loop(clock, StillPoller())
    logger = loggers.getLogger(loggers.LevelsByName.BLAT)
    recorder = Recorder()
    logger.handlers.append(recorder)
    world = World(clock, Runtime(loop, logger, Settings(configfile=None, here=None)), recorder)
    monkeypatch.setattr(child, "launch", world.launch)
    monkeypatch.setattr(posix, "is_leaderless_group", lambda pgid: bool(world.orphans.get(pgid)))
    monkeypatch.setattr(posix, "open_pidfd", lambda _pid: None)
    monkeypatch.setattr(posix, "is_zombie", lambda _pid: False)
    monkeypatch.setattr(
        posix,
        "scan_processes",
        lambda: ((pid, pgid) for pgid, pids in world.orphans.items() for pid in pids),
    )
    monkeypatch.setattr(helper_launch, "launch", world.launch)
    monkeypatch.setattr(os, "kill", lambda pid, signum: world.signals.append((pid, signum)))
    monkeypatch.setattr(os, "killpg", lambda pgid, signum: world.signals.append((-pgid, signum)))
    return world
