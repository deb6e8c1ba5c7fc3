"""CPU and memory of programs with their descendants, from samples of /proc."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from supervisor.common.proc_stat import ProcessStat, parse_stat
from supervisor.engine import posix
from supervisor.engine.deferred import NOT_DONE_YET, run_at_once
from supervisor.process import usage
from supervisor.process.usage import NO_USAGE, PAGE_BYTES, TICKS_PER_SECOND, Sample, Usage
from tests.support.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

WEB, WORKER, HELPER, LEFT, OTHER = 10, 11, 12, 13, 20


def stat(
    pid: int, parent: int, pgid: int = WEB, seconds: float = 0, started: int = 0
) -> ProcessStat:
    ticks = round(seconds * TICKS_PER_SECOND)
    return ProcessStat(pid, "S", parent, pgid, ticks, started, resident_pages=pid)


def tree(*, web: float = 0, worker: float = 0, other: float = 0) -> list[ProcessStat]:
    """Return web with a worker, its helper in a group of its own, and one that lost its parent."""
    return [
        stat(1, 0, 1),
        stat(WEB, 1, WEB, web),
        stat(WORKER, WEB, WEB, worker),
        stat(HELPER, WORKER, HELPER),
        stat(LEFT, 1, WEB),
        stat(OTHER, 1, OTHER, other),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", None),
        (b"7 (sh) S 1 7", None),
        (
            b"7 (a ) b) Z) R 1 5 5 0 -1 4 0 0 0 0 30 12 9 9 20 0 1 0 777 4096 25 1 1",
            ProcessStat(7, "R", 1, 5, 42, 777, 25),
        ),
    ],
)
def test_fields_of_proc_stat(text: bytes, expected: ProcessStat | None) -> None:
    assert parse_stat(text) == expected


def test_own_process_is_read() -> None:
    own = posix.read_stat(os.getpid())
    assert own is not None
    assert (own.pid, own.parent, own.pgid) == (os.getpid(), os.getppid(), os.getpgrp())
    assert own.resident_pages > 0
    assert own in [each and own for each in posix.read_processes() if each and each.pid == own.pid]


def test_descendants_and_members_of_the_group_belong_to_a_program() -> None:
    sample = Sample(0, tree())
    assert {each.pid for each in sample.tree(WEB)} == {WEB, WORKER, HELPER, LEFT}
    assert {each.pid for each in sample.tree(OTHER)} == {OTHER}


@pytest.mark.parametrize("pid", [0, 99])
def test_a_process_that_is_down_uses_nothing(pid: int) -> None:
    assert Sample(0, tree(web=5)).usage(pid, None) == NO_USAGE


def test_usage_since_the_start_and_since_the_previous_sample() -> None:
    first, second = Sample(10, tree(web=1, worker=4)), Sample(12, tree(web=2, worker=5))
    pages = WEB + WORKER + HELPER + LEFT
    assert first.usage(WEB, None) == Usage(50.0, 5.0, pages * PAGE_BYTES, 4)
    assert second.usage(WEB, first) == Usage(100.0, 7.0, pages * PAGE_BYTES, 4)
    assert second.usage(OTHER, first).cpu_percent == 0


def test_a_pid_that_is_used_again_is_another_process() -> None:
    first = Sample(10, [stat(WEB, 1, seconds=8)])
    second = Sample(20, [stat(WEB, 1, seconds=1, started=1500)])
    assert second.usage(WEB, first).cpu_percent == 10.0


def test_descendants_that_form_a_circle_are_counted_once() -> None:
    """Pids may be used again while /proc is being read."""
    sample = Sample(0, [stat(WEB, WORKER), stat(WORKER, WEB)])
    assert sample.usage(WEB, None).processes == 2


class Machine:
    """A machine whose processes use one second of CPU in each second."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.samples = 0
        self.is_broken = False
        self.steps: list[Generator[object, None, None]] = []

    def read(self) -> Iterator[ProcessStat]:
        self.samples += 1
        if self.is_broken:
            raise MemoryError
        yield from tree(web=self.clock.monotonic())

    def monitor(self, run: object = run_at_once) -> usage.UsageMonitor:
        return usage.UsageMonitor(self.clock, run, self.read, self.clock.monotonic)  # type: ignore[arg-type]


def test_a_sample_is_used_again_for_a_second() -> None:
    machine = Machine()
    monitor = machine.monitor()
    for advance, samples in [(0, 1), (0.5, 1), (0.4, 1), (0.1, 2), (5, 3)]:
        machine.clock.advance(advance)
        assert monitor.refreshed()() is True
        assert machine.samples == samples
    assert monitor.usage(WEB).cpu_percent == 100.0


def test_clients_share_a_sample_that_is_being_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "READS_PER_STEP", 2)
    machine = Machine()
    monitor = machine.monitor(machine.steps.append)
    first, second = monitor.refreshed(), monitor.refreshed()
    woken: list[str] = []
    assert first() is second() is NOT_DONE_YET
    first.wake_sources[0].add(lambda: woken.append("first"))  # type: ignore[attr-defined]
    (steps,) = machine.steps
    assert len(list(steps)) == 3
    assert woken == ["first"]
    assert first() is second() is True
    assert machine.samples == 1


def test_a_failure_to_read_is_not_for_ever() -> None:
    machine = Machine()
    machine.is_broken = True
    monitor = machine.monitor()
    with pytest.raises(MemoryError):
        monitor.refreshed()()
    assert monitor.usage(WEB) == NO_USAGE
    machine.is_broken = False
    machine.clock.advance(1)
    assert monitor.refreshed()() is True
