"""The time of STARTING of a program that declares readiness, by the clock."""

from __future__ import annotations

import os
import re
import signal
from typing import Any

import pytest

from supervisor.common.probes import parse_probe
from supervisor.process.child import Subprocess
from supervisor.process.details import failing_check
from supervisor.process.dispatchers import POutputDispatcher
from supervisor.process.probes import ProbeRunner
from supervisor.states import ProcessStates
from tests.support.world import World

S = ProcessStates
EXIT_0 = 0
TERM, KILL = signal.SIGTERM, signal.SIGKILL


class Program:
    """A program with `ready_log_line`, in STARTING."""

    def __init__(self, world: World, **options: Any) -> None:
        self.world = world
        options = {"ready_log_line": re.compile("ready"), "startsecs": 1} | options
        self.process: Subprocess = world.process(**options)
        self.process.transition()

    @property
    def state(self) -> int:
        return self.process.state

    def report_ready(self) -> None:
        """Let the program say that it is ready."""
        assert self.process.startup.readiness is not None
        self.process.startup.readiness._message_arrived()
        self.world.pass_time(0)

    def die(self, status: int = EXIT_0) -> None:
        """The child ends, and the daemon hears of it."""
        self.process.finish(self.process.pid, status)
        self.world.pass_time(0)

    def start_again(self) -> None:
        """Start it as by a request."""
        self.process.spawn()
        self.world.signals.clear()


def test_running_means_startsecs_and_ready(world: World) -> None:
    """In either order."""
    for steps in (["ready", "time"], ["time", "ready"]):
        program = Program(world)
        states = []
        for step in steps:
            if step == "ready":
                program.report_ready()
            else:
                world.pass_time(1)
            states.append(program.state)
        assert states == [S.STARTING, S.RUNNING]


def test_an_exit_before_it_is_ready_is_a_failed_start(world: World) -> None:
    program = Program(world)
    world.pass_time(100)
    program.die()
    assert (program.state, program.process.backoff) == (S.BACKOFF, 1)
    assert program.process.spawnerr == "Exited before it was ready (process log may have details)"


def test_a_program_that_is_not_ready_in_time_is_stopped_and_tried_again(world: World) -> None:
    program = Program(world, ready_timeout=5.0, stopwaitsecs=10)
    world.pass_time(4.9)
    assert world.signals == []
    world.pass_time(0.1)
    world.pass_time(10)
    assert world.signals == [(program.process.pid, TERM), (program.process.pid, KILL)]
    program.die(KILL)
    assert (program.state, program.process.spawnerr) == (S.BACKOFF, "not ready after 5 seconds")
    world.pass_time(1)
    program.report_ready()
    world.pass_time(1)
    assert program.state == S.RUNNING


def stdout_of(program: Program) -> POutputDispatcher:
    """Return the pipe of the present run."""
    stdout, *_ = program.process.dispatchers.values()
    assert isinstance(stdout, POutputDispatcher)
    return stdout


def test_a_grandchild_of_the_run_before_does_not_make_a_run_ready(world: World) -> None:
    """Its output is still read for a moment."""
    program = Program(world)
    before = stdout_of(program)
    grandchild = os.open(f"/proc/self/fd/{before.fd}", os.O_WRONLY)
    program.die()
    os.close(grandchild)
    program.start_again()
    assert not before.closed
    for stdout, state in ((before, S.STARTING), (stdout_of(program), S.RUNNING)):
        stdout.output_arrived(b"ready\n")
        world.pass_time(1)
        assert program.state == state


def test_a_program_that_is_stopped_is_not_probed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    probes: list[object] = []
    monkeypatch.setattr(ProbeRunner, "start", lambda _self, probe, *_: probes.append(probe))
    check = parse_probe("tcp://127.0.0.1:1")
    options = {"ready_log_line": None, "readiness_check_script": check}
    for stop in (False, True):
        program = Program(world, readiness_check_initial_delay=5.0, **options)
        if stop:
            program.process.stop()
        world.pass_time(5)
        program.die(TERM)
    assert probes == [check]


def test_the_reason_of_a_failing_check(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shown, with the time of the first failure in a row, until the program is ready."""
    answers: list[Any] = []
    monkeypatch.setattr(ProbeRunner, "start", lambda *call: answers.append(call[-1]))
    changed: list[object] = []
    world.runtime.services.description_subscribers.append(changed.append)
    process = Program(
        world,
        ready_log_line=None,
        readiness_check_script=parse_probe("tcp://127.0.0.1:1"),
        readiness_check_period=10.0,
        readiness_check_success_threshold=2,
    ).process
    now = world.clock.time()
    refused, timed_out = "connection refused", "timed out after 5 seconds"
    for seconds, result, expected, changes in (
        (0, refused, (refused, now), 1),
        (10, refused, (refused, now), 1),
        (20, timed_out, (timed_out, now), 2),
        (30, None, ("", 0.0), 3),
        (40, refused, (refused, now + 40), 4),
        (50, None, ("", 0.0), 5),
    ):
        world.pass_time(now + seconds - world.clock.time())
        answers[-1](result)
        assert failing_check(process) == expected, seconds
        assert changed.count(process) == changes, seconds
    world.pass_time(10)
    answers[-1](None)
    world.pass_time(0)
    assert (process.state, failing_check(process)) == (S.RUNNING, ("", 0.0))


def test_a_clock_that_is_set_does_not_move_the_end_of_the_wait(world: World) -> None:
    program = Program(world, ready_timeout=5.0)
    world.clock.set_wall(world.clock.time() + 100_000)
    world.pass_time(4.9)
    world.clock.set_wall(5)
    world.pass_time(0)
    assert world.signals == []
    world.pass_time(0.1)
    assert world.signals == [(program.process.pid, TERM)]


def test_a_stop_of_a_program_that_was_not_ready_in_time_ends_its_failure(world: World) -> None:
    """The next start begins from the beginning; nothing of the last one is left to be killed."""
    program = Program(world, ready_timeout=5.0, stopwaitsecs=10, autorestart=False)
    world.pass_time(5)
    assert world.signals == [(program.process.pid, TERM)]
    program.process.stop()
    program.die(TERM)
    assert program.state == S.STOPPED
    program.start_again()
    world.pass_time(1)
    world.pass_time(0)
    assert world.signals == []
    program.report_ready()
    assert program.state == S.RUNNING
