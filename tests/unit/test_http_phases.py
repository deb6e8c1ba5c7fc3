"""The table of phases, and the timer of the current one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from supervisor.engine.loop import Loop
from supervisor.http import phases
from supervisor.http.phases import Input, OnEOF, OnTimeout, Phase, PhaseMachine
from tests.support.clock import FakeClock
from tests.support.tables import assert_none

TABLE = [each for each in vars(phases).values() if isinstance(each, Phase)]


class Machine(PhaseMachine):
    """A machine with a fake clock, which counts its timeouts."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.loop = Loop(clock=self.clock)
        self.timeouts = 0
        super().__init__(self.loop, self._count)

    def _count(self) -> None:
        self.timeouts += 1

    def pass_time(self, seconds: float) -> int:
        """Advance the clock; return the number of timeouts since then."""
        before = self.timeouts
        self.clock.advance(seconds)
        self.loop.run_once(0)
        return self.timeouts - before


@pytest.fixture
def machine() -> Iterator[Machine]:
    made = Machine()
    yield made
    made.loop.close()


def test_phases_are_consistent() -> None:
    assert len({phase.name for phase in TABLE}) == len(TABLE) == 8
    assert_none(
        phase.name
        for phase in TABLE
        if phase.serves is not (phase.input in {Input.ALL, Input.AHEAD})
        or (phase.on_timeout is OnTimeout.CLOSE_IF_STALLED and not phase.writes)
        or (phase.on_eof is OnEOF.COMPLETE and phase.input is Input.ALL)
    )


@pytest.mark.parametrize("phase", TABLE, ids=lambda phase: phase.name)
def test_a_phase_lasts_for_the_time_in_the_table(machine: Machine, phase: Phase) -> None:
    machine.pass_time(30)
    machine.enter(phase)
    if phase.timeout is None:
        assert machine.pass_time(1_000_000) == 0
    else:
        started = 30 if phase is phases.NEW else 0  # it has begun already
        assert machine.pass_time(phase.timeout - started - 0.1) == 0
        assert machine.pass_time(0.2) == 1
        assert machine.pass_time(1_000_000) == 0


def test_a_phase_that_continues_keeps_its_timer(machine: Machine) -> None:
    machine.enter(phases.RECEIVING)
    machine.pass_time(59)
    machine.enter(phases.RECEIVING)
    assert machine.pass_time(2) == 1


@pytest.mark.parametrize("phase", [phases.SENDING, phases.CLOSING], ids=lambda phase: phase.name)
def test_a_client_that_reads_has_another_minute(machine: Machine, phase: Phase) -> None:
    machine.enter(phase)
    for _ in range(3):
        machine.pass_time(59)
        machine.progressed()
        assert machine.pass_time(2) == 0
    assert machine.pass_time(60) == 1


def test_reading_does_not_extend_other_phases(machine: Machine) -> None:
    machine.enter(phases.LINGERING)
    machine.progressed()
    assert machine.pass_time(3) == 1


def test_a_closed_machine_stays_closed(machine: Machine) -> None:
    machine.enter(phases.RECEIVING)
    machine.close()
    assert machine.phase is phases.CLOSED
    assert machine.pass_time(1_000_000) == 0
