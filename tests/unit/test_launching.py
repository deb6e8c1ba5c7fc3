"""A process whose child is on its way to exec: reports, deaths and stops in every order."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from supervisor import events
from supervisor.common.faults import Faults, RPCError
from supervisor.engine import paths
from supervisor.process import child
from supervisor.process.plan import Launched
from supervisor.rpc import control
from supervisor.states import ProcessStates
from tests.support.world import World

if TYPE_CHECKING:
    from supervisor.process.child import Subprocess
    from supervisor.process.plan import SpawnPlan

PID = 1001
FAILED = 127 << 8
REASON = "couldn't chdir to /slow: ENOENT"


class Launching:
    """A process that has forked; the child's end of the report is in the hands of the test."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch, startsecs: int = 1) -> None:
        def launch(_plan: SpawnPlan) -> Launched:
            reader, self._writer = os.pipe()
            os.set_blocking(reader, False)
            return Launched(PID, reader)

        self._world = world
        self._writer = -1
        monkeypatch.setattr(child, "launch", launch)
        self.process: Subprocess = world.process(startsecs=startsecs)
        self.process.transition()

    @property
    def state(self) -> int:
        """The state of the process."""
        return self.process.state

    def report(self, text: str) -> None:
        """Report a failure; the daemon has not read it yet."""
        os.write(self._writer, text.encode())

    def end_report(self) -> None:
        """Close the child's end: exec has succeeded, or the child is dead."""
        os.close(self._writer)
        self._writer = -1

    def read(self) -> None:
        """Let the daemon read what has been reported."""
        assert self.process.launch_report is not None
        self.process.launch_report.handle_read_event()

    def die(self, status: int) -> None:
        """End the child, and let the daemon know."""
        if self._writer >= 0:
            self.end_report()
        self.process.finish(PID, status)
        self._world.pass_time(0)

    def close(self) -> None:
        """Leave no fd."""
        if self.process.pid:
            self.die(0)


@pytest.fixture
def launching(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Launching]:
    paths.mounts.slow_points()  # its fd stays open
    before = len(os.listdir("/proc/self/fd"))
    made = Launching(world, monkeypatch)
    yield made
    made.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_process_is_starting_for_as_long_as_it_takes(
    launching: Launching, world: World
) -> None:
    world.pass_time(3600)
    assert launching.state == ProcessStates.STARTING
    assert launching.process.pid == PID
    assert launching.process.next_deadline() is None
    assert world.lines("info") == []


def test_startsecs_count_from_exec(launching: Launching, world: World) -> None:
    world.pass_time(3600)
    launching.end_report()
    launching.read()
    assert world.lines("info") == [f"spawned: 'p' with pid {PID}"]
    assert launching.process.laststart == world.clock.time()
    world.pass_time(0.999)
    assert launching.state == ProcessStates.STARTING
    world.pass_time(0.001)
    assert launching.state == ProcessStates.RUNNING


def test_without_startsecs_it_runs_with_exec(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    launching = Launching(world, monkeypatch, startsecs=0)
    world.pass_time(10)
    assert launching.state == ProcessStates.STARTING
    launching.end_report()
    launching.read()
    world.pass_time(0)
    assert launching.state == ProcessStates.RUNNING
    launching.close()


@pytest.mark.parametrize("order", ["read", "read twice", "read to the end", "unread"])
def test_a_failure_is_that_of_the_other_launcher(
    launching: Launching, world: World, order: str
) -> None:
    """Neither `spawned:` nor `exited:` is logged; the report may also be read after the death."""
    launching.report(REASON)
    if order == "read to the end":
        launching.end_report()
    for _ in range({"read": 1, "unread": 0}.get(order, 2)):
        launching.read()
    assert launching.state == ProcessStates.STARTING
    launching.die(FAILED)
    assert launching.state == ProcessStates.BACKOFF
    assert (launching.process.spawnerr, launching.process.pid) == (REASON, 0)
    assert launching.process.dispatchers == {}
    assert world.lines("info", "warn") == [f"spawnerr: {REASON}"]


def test_the_reason_is_left_in_the_programs_log(launching: Launching) -> None:
    said: list[bytes] = []
    stderr = list(launching.process.dispatchers.values())[1]
    stderr.output_arrived = said.append  # type: ignore[attr-defined]
    launching.report(REASON)
    launching.die(FAILED)
    assert said == [f"supervisor: {REASON}\nsupervisor: child process was not spawned\n".encode()]


def test_a_life_shorter_than_a_turn_of_the_loop(launching: Launching, world: World) -> None:
    """The daemon hears of the death before it has seen exec."""
    world.pass_time(5)
    launching.die(0)
    assert launching.state == ProcessStates.BACKOFF
    assert world.lines("info", "warn") == [
        f"spawned: 'p' with pid {PID}",
        "exited: p (exit status 0; not expected)",
    ]


@pytest.mark.parametrize("ends_first", [True, False])
def test_a_stop_on_the_way(launching: Launching, world: World, *, ends_first: bool) -> None:
    assert launching.process.stop() is None
    assert launching.state == ProcessStates.STOPPING
    assert world.signals == [(PID, signal.SIGTERM)]
    world.pass_time(10)
    assert world.signals[-1] == (PID, signal.SIGKILL)
    if ends_first:
        launching.end_report()
        launching.read()
    launching.die(signal.SIGKILL)
    assert launching.state == ProcessStates.STOPPED
    lines = world.lines("info", "warn")
    assert lines[-1] == "stopped: p (terminated by SIGKILL)"
    assert not [line for line in lines if "spawned" in line]


def test_a_stop_that_crosses_a_failure(launching: Launching) -> None:
    launching.report(REASON)
    launching.process.stop()
    launching.die(FAILED)
    assert launching.state == ProcessStates.STOPPED


def test_output_of_a_program_that_does_not_heed_the_stop_is_read(launching: Launching) -> None:
    launching.process.stop()
    launching.end_report()
    launching.read()
    loop = launching.process.runtime.loop
    watched = loop._channels.values()
    assert set(launching.process.dispatchers.values()) <= set(watched)


def test_a_start_that_waits_for_a_failure(launching: Launching, world: World) -> None:
    """A start that waits ends with the fault of a failure to spawn."""
    seen: list[type] = []
    events.subscribe(events.ProcessStateEvent, lambda event: seen.append(type(event)))
    process = launching.process
    launching.die(0)
    world.pass_time(0)
    process.give_up()
    seen.clear()
    wait = control.start(process, "p", wait=True)
    assert callable(wait)
    launching.report(REASON)
    launching.die(FAILED)
    with pytest.raises(RPCError) as raised:
        wait()
    assert raised.value.code == Faults.SPAWN_ERROR
    assert seen[-1] is events.ProcessStateBackoffEvent
