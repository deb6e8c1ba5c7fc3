"""Stops of whole process trees: `killmode=tree`.

The tree of a program are its child, the members of the child's process group, and all their
descendants.  One that has left the group is found by its parent, and one that has lost its parent
as well by its mark: with `[supervisord] subreaper`, the daemon is then its parent, and the variable
SUPERVISOR_TREE in its environment names the program.  (A process may drop the variable, and
proc_pid_environ(5) is protected like the memory of the process.)

A scan of /proc, in steps, serves all trees that are being stopped.  No other process is ever hit:
the parents of all members are read once more before the first signal, and for each signal a pidfd
keeps the pid from being reused while the start time is compared.

`child.Subprocess` uses `ProcessTree` like a `LeaderlessGroup`.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from functools import partial

from supervisor.common.proc_stat import EXITED_STATES
from supervisor.common.process_table import ProcessTable
from supervisor.engine import posix
from supervisor.engine.pidfd import PidfdChannel
from supervisor.process.process_group import (
    EMPTY_SCANS,
    MAX_PIDFDS,
    POLL_SECONDS,
    SETTLE_SECONDS,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from supervisor.common.proc_stat import ProcessStat
    from supervisor.engine.loop import Loop, Timer
    from supervisor.loggers import Logger

MARK = "SUPERVISOR_TREE"
"""Variable of programs with `killmode=tree`, which names the program also to its orphans."""

READS_PER_STEP = 100
"""Processes that are read in one step (2 ms); an iteration of the loop has at most two."""

MEMBERS_PER_STEP = 50
"""Members of a tree that are signalled in one step (2 ms)."""


class ProcessTree:
    """The tree of one child that is being stopped; `pid` is the child's.

    `signal_child` signals the child and its process group, as long as the child has not been
    reaped.  Tell `watch` when it has.
    """

    def __init__(
        self,
        pid: int,
        mark: str,
        watcher: TreeWatcher,
        signal_child: Callable[[int], object],
        logger: Logger,
    ) -> None:
        self.pid = pid
        self.on_empty: Callable[[ProcessTree], object] | None = None
        self.closed = False
        self._mark = mark
        self._watcher = watcher
        self._signal_child = signal_child
        self._logger = logger
        self._is_killed = False
        self._signals: list[int] = []
        self._members: dict[int, int] = {}  # pid -> start time
        self._unkillable: dict[int, int] = {}
        self._channels: dict[int, PidfdChannel] = {}
        self._is_polled = False
        self._empty_scans = 0

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values.

        A member that has left the group and lost its parent would not be found again.
        """
        return {
            "signals": self._signals,
            "is_killed": self._is_killed,
            "members": list(self._members.items()),
            "unkillable": list(self._unkillable.items()),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self._is_killed = saved.get("is_killed") is True
        self._members = dict(saved.get("members") or ())
        self._unkillable = dict(saved.get("unkillable") or ())
        for signum in saved.get("signals", ()):
            self.signal(signum)

    def signal(self, signum: int) -> None:
        """Send a signal to all members, as soon as a scan has found them.

        The child gets it no earlier than the others: its death would hide its descendants.
        SIGKILL is also sent to those that later scans find.
        """
        self._signals.append(signum)
        self._is_killed |= signum == signal.SIGKILL
        self._watcher.add(self)

    def watch(self, pid: int, on_empty: Callable[[ProcessTree], object]) -> ProcessTree:
        """Call `on_empty` once when no member is left: the child, `pid`, has been reaped."""
        self.pid = pid
        self.on_empty = on_empty
        self._watcher.add(self)
        return self

    def abandon(self) -> None:
        """Report the tree as empty although it is not."""
        self._watcher.report_empty(self)

    @property
    def is_reaped(self) -> bool:
        """Whether the child has been reaped, so that its pid may be that of another process."""
        return self.on_empty is not None

    @property
    def needs_scan(self) -> bool:
        """Whether signals are due, or no pidfd will wake the loop when the last member exits."""
        return bool(self._signals) or (self.is_reaped and not self._channels)

    @property
    def is_polled(self) -> bool:
        """Whether a member has no pidfd."""
        return self._is_polled

    @property
    def is_empty(self) -> bool:
        """Whether enough scans in a row have found no member."""
        return self._empty_scans >= EMPTY_SCANS

    def update(self, scan: Scan) -> Iterator[None]:
        """Apply a scan in steps: send the signals that are due, and watch the members."""
        found = self._find(scan)
        members: dict[int, int] = {}
        for number, stat in enumerate(found.values(), 1):
            if self._is_member(stat, found):
                members[stat.pid] = stat.started
            if number % MEMBERS_PER_STEP == 0:
                yield
        self._members = members
        signals, self._signals = self._signals, []
        if self._is_killed and self.is_reaped and not signals:
            signals = [signal.SIGKILL]
        for signum in signals:  # not earlier: the members could lose the parents that prove them
            self._send_to_child(signum)
        self._is_polled = False
        for number, pid in enumerate(members, 1):
            if self.closed:
                return
            self._visit(found[pid], signals)
            if number % MEMBERS_PER_STEP == 0:
                yield
        if self.is_reaped:
            is_empty = not self._channels and not self._is_polled
            self._empty_scans = self._empty_scans + 1 if is_empty else 0

    def member_left(self, pid: int) -> None:
        """Stop watching a member that has exited."""
        self._channels.pop(pid).close()
        if not self._channels:
            self._watcher.scan_later(SETTLE_SECONDS)

    def close(self) -> None:
        """Stop watching; `on_empty` will not be called."""
        self.closed = True
        self._watcher.remove(self)
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            channel.close()

    # -- finding the members -----------------------------------------------------

    def _find(self, scan: Scan) -> dict[int, ProcessStat]:
        """Return the members by pid, except the child."""
        by_pid = scan.table.by_pid
        roots = [
            pid for pid, started in self._members.items() if _is_same(by_pid.get(pid), started)
        ]
        roots += scan.marked.get(self._mark, ())
        if not self.is_reaped or posix.is_leaderless_group(self.pid):
            roots.append(self.pid)
        found = scan.table.tree(roots)
        found.pop(self.pid, None)
        return {
            pid: stat
            for pid, stat in found.items()
            if stat.state not in EXITED_STATES and self._unkillable.get(pid) != stat.started
        }

    def _visit(self, stat: ProcessStat, signals: list[int]) -> None:
        """Signal and watch one member, if it has not exited."""
        try:
            fd = posix.open_pidfd(stat.pid)
        except ProcessLookupError:
            return
        try:
            if not _is_same(posix.read_stat(stat.pid), stat.started):
                return
            for signum in signals:
                # Its group got it as well; a second SIGKILL shows whether it may be killed.
                if stat.pgid != self.pid or signum == signal.SIGKILL:
                    self._send(stat, fd, signum)
            if self.is_reaped and self._unkillable.get(stat.pid) != stat.started:
                fd = self._watch(stat.pid, fd)
        finally:
            if fd is not None:
                os.close(fd)

    def _watch(self, pid: int, fd: int | None) -> int | None:
        """Watch a member; return the pidfd if it is not kept."""
        self._is_polled |= fd is None
        if fd is None or pid in self._channels or len(self._channels) >= MAX_PIDFDS:
            return fd
        on_exit = partial(self.member_left, pid)
        self._channels[pid] = PidfdChannel(fd, self._watcher.loop, on_exit)
        return None

    def _is_member(self, stat: ProcessStat, found: Mapping[int, ProcessStat]) -> bool:
        """Whether the process that has the pid now is the member of the scan.

        Between two reads of a scan its parent may have exited, and another process may have got
        the parent's pid.
        """
        now = posix.read_stat(stat.pid)
        if now is None or now.started != stat.started or now.state in EXITED_STATES:
            return False
        is_known = self._members.get(stat.pid) == stat.started
        if is_known or now.parent == os.getpid() or now.pgid == self.pid:
            return True
        if now.parent == self.pid:
            return not self.is_reaped
        parent = found.get(now.parent)
        return parent is not None and _is_same(posix.read_stat(parent.pid), parent.started)

    # -- signals -----------------------------------------------------------------

    def _send_to_child(self, signum: int) -> None:
        if not self.is_reaped:
            self._signal_child(signum)
        elif posix.is_leaderless_group(self.pid):
            with suppress(ProcessLookupError, PermissionError):  # `_send` reports it
                os.kill(-self.pid, signum)

    def _send(self, stat: ProcessStat, fd: int | None, signum: int) -> None:
        try:
            if fd is None:
                os.kill(stat.pid, signum)
            else:
                signal.pidfd_send_signal(fd, signum)
        except ProcessLookupError:
            return
        except OSError as error:
            if signum == signal.SIGKILL:
                self._unkillable[stat.pid] = stat.started
                self._logger.critical(
                    f"cannot kill process {stat.pid} of the tree of pid {self.pid}:"
                    f" {error.strerror}"
                )


def _is_same(stat: ProcessStat | None, started: int) -> bool:
    return stat is not None and stat.started == started


class Scan:
    """The processes of the machine, and the orphans with a mark by that mark.

    The children that the daemon has started are left out: no tree contains that of another program.
    """

    def __init__(self, children: Mapping[int, object]) -> None:
        self.table = ProcessTable()
        self.marked: dict[str, list[int]] = {}
        self._children = children
        self._daemon = os.getpid()

    def add(self, stat: ProcessStat) -> None:
        """Add a process; an orphan is a child that the daemon has not started."""
        if stat.parent == self._daemon:
            if stat.pid in self._children:
                return
            if stat.state not in EXITED_STATES:
                self.marked.setdefault(read_mark(stat.pid), []).append(stat.pid)
        self.table.add(stat)


def read_mark(pid: int) -> str:
    """Return the mark of a process, "" if it has none that can be read."""
    prefix = f"{MARK}=".encode()
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return ""
    marks = (each.removeprefix(prefix) for each in variables if each.startswith(prefix))
    return os.fsdecode(next(marks, b""))


class TreeWatcher:
    """All process trees that are being stopped; one scan serves them all."""

    def __init__(self, loop: Loop, children: Mapping[int, object]) -> None:
        """`children` are those that the daemon has started, by pid."""
        self.loop = loop
        self._children = children
        self._trees: dict[ProcessTree, None] = {}
        self._timer: Timer | None = None
        self._is_scanning = False

    def mark(self, group_name: str, name: str) -> dict[str, str]:
        """Return the variable of a process: the same for all its runs, and for no other daemon."""
        daemon = posix.read_stat(os.getpid())
        started = daemon.started if daemon else 0
        return {MARK: f"{os.getpid()}.{started}.{group_name}:{name}"}

    def tree(
        self,
        pid: int,
        name: tuple[str, str],
        signal_child: Callable[[int], object],
        logger: Logger,
    ) -> ProcessTree:
        """Return the tree of a child, given its pid, and the names of its group and process."""
        return ProcessTree(pid, self.mark(*name)[MARK], self, signal_child, logger)

    def add(self, tree: ProcessTree) -> None:
        """Scan for the members of a tree, now and until `remove`."""
        self._trees[tree] = None
        self.scan_later(0)

    def scan_later(self, seconds: float) -> None:
        """Schedule a scan, unless an earlier one is scheduled."""
        when = self.loop.clock.monotonic() + seconds
        if self._timer is None or when < self._timer.when:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_at(when, self._begin_scan)

    def report_empty(self, tree: ProcessTree) -> None:
        """Forget a tree and call its `on_empty` soon."""
        if tree in self._trees and tree.on_empty is not None:
            tree.close()
            on_empty = tree.on_empty
            self.loop.call_soon(lambda: on_empty(tree))

    def remove(self, tree: ProcessTree) -> None:
        """Forget a tree."""
        self._trees.pop(tree, None)

    def _begin_scan(self) -> None:
        self._timer = None
        if not self._is_scanning:  # else the end of the scan schedules the next one
            self._is_scanning = True
            self._run(self._scan())

    def _run(self, steps: Iterator[None]) -> None:
        """Take a step now and the others in the next iterations."""
        for _ in steps:
            self.loop.call_soon(lambda: self._run(steps))
            return

    def _scan(self) -> Iterator[None]:
        try:
            trees = [(tree, tree.is_reaped) for tree in self._trees if tree.needs_scan]
            scan = Scan(self._children)
            for number, stat in enumerate(posix.read_processes() if trees else (), 1):
                if stat is not None:
                    scan.add(stat)
                if number % READS_PER_STEP == 0:
                    yield
            for tree, was_reaped in trees:
                # A child that has died meanwhile has left orphans that this scan has not seen.
                if tree in self._trees and tree.is_reaped == was_reaped:
                    yield from tree.update(scan)
                    if tree.is_empty:
                        self.report_empty(tree)
        finally:
            self._is_scanning = False
        for tree in self._trees:
            if tree.needs_scan:
                self.scan_later(POLL_SECONDS if tree.is_polled else SETTLE_SECONDS)
