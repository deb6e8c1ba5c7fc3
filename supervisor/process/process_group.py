"""Process groups that have lost their leader.

A program is the leader of a process group; when it dies, its children may keep running.  A stop of
the whole group has to wait for them, but they are not the daemon's children, and Unix does not
report the end of a group.  So `/proc` is scanned for members, and a pidfd of each wakes the loop
when it exits.  When none is left, the next scan finds those that were forked meanwhile.  Without
pidfds, a timer repeats the scan.

The number of the group may be reused once the group is empty.  Therefore each scan, and each
signal, begins with `posix.is_leaderless_group`, which proves that it is still the same group.

`child.Subprocess` and `orphans` use this through `GroupWatcher`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from functools import partial

from supervisor.engine import posix
from supervisor.engine.pidfd import PidfdChannel, has_exited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from supervisor.engine.loop import Loop, Timer

SETTLE_SECONDS = 0.01
"""Delay of a scan after a death: init reaps meanwhile, and one scan serves many deaths."""

POLL_SECONDS = 0.1
"""Interval between scans while a member has no pidfd."""

PIDS_PER_STEP = 1000
"""Processes checked in one iteration of the loop (3 ms); a machine may have 100,000."""

MAX_PIDFDS = 16
"""Members of one group that are watched at the same time; the next scan finds the others."""

EMPTY_SCANS = 2
"""Scans in a row that must find no member: one scan may miss a member that forks and exits."""


class LeaderlessGroup:
    """The orphans of one process group; created by `GroupWatcher.watch`.

    `pgid` is its number; `on_empty` is called once, with the group, when no member is left.
    """

    def __init__(
        self,
        pgid: int,
        on_empty: Callable[[LeaderlessGroup], object],
        watcher: GroupWatcher,
    ) -> None:
        self.pgid = pgid
        self.on_empty = on_empty
        self.is_polled = False
        self.empty_scans = 0
        self._watcher = watcher
        self._members: dict[int, PidfdChannel] = {}

    @property
    def is_watched(self) -> bool:
        """Whether a pidfd will trigger the next scan."""
        return bool(self._members)

    def signal(self, signum: int) -> None:
        """Send a signal to all members; do nothing if the group has ended.

        Raises `PermissionError` if there are members, but none may be signalled.
        """
        if posix.is_leaderless_group(self.pgid):
            with contextlib.suppress(ProcessLookupError):  # the last one has just been reaped
                os.kill(-self.pgid, signum)
        for pid in list(self._members):
            if not _is_member(pid, self.pgid):  # it may have moved to another group
                self.member_left(pid)

    def abandon(self) -> None:
        """Report the group as empty although it is not."""
        self._watcher.report_empty(self)

    def update(self, pids: list[int] | None) -> None:
        """Apply the result of a scan; None if members cannot be listed."""
        self.is_polled = pids is None
        for pid in itertools.islice(pids or (), MAX_PIDFDS):
            try:
                fd = posix.open_pidfd(pid)
            except ProcessLookupError:
                continue
            if fd is None:
                self.is_polled |= not posix.is_zombie(pid)
            elif has_exited(fd) or not _is_member(pid, self.pgid):
                os.close(fd)
            else:
                on_exit = partial(self.member_left, pid)
                self._members[pid] = PidfdChannel(fd, self._watcher.loop, on_exit)
        is_empty = not self._members and not self.is_polled
        self.empty_scans = self.empty_scans + 1 if is_empty else 0

    def member_left(self, pid: int) -> None:
        """Stop watching a member that has exited or left the group."""
        member = self._members.pop(pid, None)
        if member is not None:
            member.close()
        if not self._members:
            self._watcher.scan_later(SETTLE_SECONDS)

    def close(self) -> None:
        """Stop watching."""
        members, self._members = self._members, {}
        for member in members.values():
            member.close()


class GroupWatcher:
    """All process groups that have lost their leader; one scan serves them all."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._groups: dict[LeaderlessGroup, None] = {}
        self._timer: Timer | None = None
        self._is_scanning = False

    def watch(
        self, pgid: int, on_empty: Callable[[LeaderlessGroup], object]
    ) -> LeaderlessGroup | None:
        """Watch a group whose leader has been reaped; None if it is empty already."""
        if not posix.is_leaderless_group(pgid):
            return None
        group = LeaderlessGroup(pgid, on_empty, self)
        self._groups[group] = None
        self.scan_later(SETTLE_SECONDS)
        return group

    def unwatch(self, group: LeaderlessGroup) -> None:
        """Stop watching a group; `on_empty` will not be called."""
        group.close()
        self._groups.pop(group, None)

    def scan_later(self, seconds: float) -> None:
        """Schedule a scan, unless an earlier one is scheduled."""
        when = self.loop.clock.monotonic() + seconds
        if self._timer is None or when < self._timer.when:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_at(when, self._begin_scan)

    def _begin_scan(self) -> None:
        self._timer = None
        if self._is_scanning:  # its end schedules the next one
            return
        for group in self._unwatched():
            if not posix.is_leaderless_group(group.pgid):
                self.report_empty(group)
        if groups := self._unwatched():
            self._is_scanning = True
            self._scan(groups, posix.scan_processes(), {group.pgid: [] for group in groups})

    def _unwatched(self) -> list[LeaderlessGroup]:
        """Return the groups that need a scan, because no member has a pidfd."""
        return [group for group in self._groups if not group.is_watched]

    def _scan(
        self,
        groups: list[LeaderlessGroup],
        processes: Iterator[tuple[int, int]],
        members: dict[int, list[int]],
    ) -> None:
        """Check some processes now and the others in the next iterations."""
        seen = 0
        try:
            for pid, pgid in itertools.islice(processes, PIDS_PER_STEP):
                seen += 1
                if pgid in members:
                    members[pgid].append(pid)
        except OSError:
            members.clear()
            seen = 0
        if seen == PIDS_PER_STEP:
            self.loop.call_soon(lambda: self._scan(groups, processes, members))
        else:
            self._end_scan(groups, members)

    def _end_scan(self, groups: list[LeaderlessGroup], members: dict[int, list[int]]) -> None:
        self._is_scanning = False
        for group in groups:
            if group in self._groups:
                group.update(members.get(group.pgid))
                if group.empty_scans >= EMPTY_SCANS:
                    self.report_empty(group)
        for group in self._unwatched():
            self.scan_later(POLL_SECONDS if group.is_polled else SETTLE_SECONDS)

    def report_empty(self, group: LeaderlessGroup) -> None:
        """Stop watching a group and call its `on_empty` soon."""
        if group in self._groups:
            self.unwatch(group)
            self.loop.call_soon(lambda: group.on_empty(group))


def _is_member(pid: int, pgid: int) -> bool:
    try:
        return os.getpgid(pid) == pgid
    except ProcessLookupError:
        return False
