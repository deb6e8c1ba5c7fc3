"""The use of CPU and memory by programs, with their descendants.

/proc is read only when a client asks or a memory limit is due, at most once a second, and in
steps, because a machine may have many processes.  The last two samples are kept: their difference
gives the use of CPU.

A process belongs to a program if it descends from it or is in its process group.  One that has
moved to another group and lost its parent is not found.  Resident memory is added up, so pages
that processes share count once for each.
"""

from __future__ import annotations

import os
import time

from supervisor.common.process_table import ProcessTable
from supervisor.common.records import record
from supervisor.engine import posix
from supervisor.engine.deferred import NOT_DONE_YET, Notifier, deferred

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from typing import Any

    from supervisor.common.proc_stat import ProcessStat
    from supervisor.engine.deferred import Deferred
    from supervisor.engine.loop import Clock

MIN_SECONDS = 1.0
"""Age below which a sample is used again, in seconds."""

READS_PER_STEP = 50
"""Processes that are read in one step (about a millisecond)."""

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@record(frozen=True)
class Usage:
    """The use of CPU and memory by one program.

    `cpu_percent` is 100 for one busy core: since the previous sample, or since the processes were
    started if there is none.  `cpu_seconds` is the time used by the processes that are alive.
    """

    cpu_percent: float = 0.0
    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    processes: int = 0


NO_USAGE = Usage()


class Sample:
    """The processes of the machine at one time, in seconds since its boot."""

    def __init__(self, taken_at: float, processes: Iterable[ProcessStat]) -> None:
        self.taken_at = taken_at
        self._table = ProcessTable(processes)

    def tree(self, pid: int) -> list[ProcessStat]:
        """Return a process, its descendants, and the members of its process group."""
        return list(self._table.tree([pid]).values()) if pid in self._table.by_pid else []

    def usage(self, pid: int, before: Sample | None) -> Usage:
        """Return the use by the tree of a process; `before` is the previous sample."""
        tree = self.tree(pid)
        if before is None:
            share = sum(each.cpu_ticks / self._ticks_since(each.started) for each in tree)
        else:
            ticks = sum(each.cpu_ticks - before.cpu_ticks_of(each) for each in tree)
            share = ticks / self._ticks_since(before.taken_at * TICKS_PER_SECOND)
        return Usage(
            cpu_percent=round(100.0 * share, 1),
            cpu_seconds=sum(each.cpu_ticks for each in tree) / TICKS_PER_SECOND,
            memory_bytes=_resident_bytes(tree),
            processes=len(tree),
        )

    def memory(self, pid: int) -> int:
        """Return the resident memory of the tree of a process, in bytes."""
        return _resident_bytes(self.tree(pid))

    def cpu_ticks_of(self, process: ProcessStat) -> int:
        """Return the CPU time that a process had used by then, 0 if it is a later one."""
        known = self._table.by_pid.get(process.pid)
        return known.cpu_ticks if known is not None and known.started == process.started else 0

    def _ticks_since(self, ticks: float) -> float:
        return max(self.taken_at * TICKS_PER_SECOND - ticks, 1)


def _resident_bytes(processes: Iterable[ProcessStat]) -> int:
    return sum(each.resident_pages for each in processes) * PAGE_BYTES


def seconds_since_boot() -> float:
    """Return the time by the clock of `ProcessStat.started`, in seconds; see clock_gettime(2)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def age_of(process: ProcessStat) -> float:
    """Return the time since the start of a process, in seconds."""
    return seconds_since_boot() - process.started / TICKS_PER_SECOND


class UsageMonitor:
    """The last two samples; `run` spreads the steps of a generator over loop iterations."""

    def __init__(
        self,
        clock: Clock,
        run: Callable[[Generator[object, None, None]], None],
        read: Callable[[], Iterable[ProcessStat | None]] = posix.read_processes,
        uptime: Callable[[], float] = seconds_since_boot,
    ) -> None:
        self._clock = clock
        self._run = run
        self._read = read
        self._uptime = uptime
        self._sample: Sample | None = None
        self._usages: dict[int, Usage] = {}
        self._before: Sample | None = None
        self._is_current_until = 0.0
        self._is_reading = False
        self._done = Notifier()

    def refreshed(self) -> Deferred:
        """Return a deferred function whose result is True once there is a recent sample."""
        return deferred(self._poll, wake_sources=[self._done])

    def when_refreshed(self, callback: Callable[[], None]) -> None:
        """Call `callback` once there is a recent sample, perhaps at once."""
        if self._poll() is NOT_DONE_YET:
            self._done.add(callback)
        else:
            callback()

    def memory(self, pid: int) -> int:
        """Return the resident memory of a child and its descendants, in bytes, as `usage`."""
        return 0 if self._sample is None else self._sample.memory(pid)

    def usage(self, pid: int) -> Usage:
        """Return the use of CPU and memory by a child, by the last sample.

        Kept until the next one: a page sorts by it and shows it.
        """
        if self._sample is None:
            return NO_USAGE
        known = self._usages.get(pid)
        if known is None:
            known = self._usages[pid] = self._sample.usage(pid, self._before)
        return known

    def tree(self, pid: int) -> list[ProcessStat]:
        """Return a child, its descendants and its process group, by the last sample."""
        return [] if self._sample is None else self._sample.tree(pid)

    def _poll(self) -> Any:
        if not self._is_reading and self._clock.monotonic() >= self._is_current_until:
            self._is_reading = True
            self._run(self._take())
        return NOT_DONE_YET if self._is_reading else True

    def _take(self) -> Generator[None, None, None]:
        taken_at, found = self._uptime(), []
        try:
            for number, stat in enumerate(self._read(), 1):
                if stat is not None:
                    found.append(stat)
                if number % READS_PER_STEP == 0:
                    yield
            self._before, self._sample = self._sample, Sample(taken_at, found)
            self._usages = {}
        finally:
            self._is_current_until = self._clock.monotonic() + MIN_SECONDS
            self._is_reading = False
            self._done.notify()
