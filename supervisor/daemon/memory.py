"""The memory of the daemon: what it has learned of its processes, for the next daemon.

With `statefile`, a daemon remembers which processes a client has stopped, how often each has
started, and which children run.  The next one reads this before it starts anything.

A change of a process marks its line as stale, and a timer writes the file: soon after the first
change, then at most once a second.  Only stale lines are made again, a bounded number in each
iteration of the loop, so a change costs the same with any number of processes.
"""

from __future__ import annotations

import os

from supervisor.common.namespec import make_namespec
from supervisor.common.saved_state import (
    Identity,
    SavedChild,
    SavedProcess,
    SavedState,
    decode,
    decode_processes,
    encode,
)
from supervisor.config.state import KILL, REMEMBER
from supervisor.daemon import statefile
from supervisor.daemon.leftovers import Leftovers, is_alive
from supervisor.daemon.updates import MAX_PROCESSES
from supervisor.engine import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Final

    from supervisor.config.scales import Scales
    from supervisor.engine.loop import Timer
    from supervisor.process.child import Subprocess
    from supervisor.process.groups import ProcessGroupBase
    from supervisor.process.runtime import Runtime

SETTLE_SECONDS: Final = 0.05
"""Delay of a write after the first change: one write serves changes that follow each other."""

MIN_INTERVAL_SECONDS: Final = 1.0
"""Minimum interval between two writes, in seconds."""

RETRY_SECONDS: Final = 30.0
"""Delay of the next attempt after a write that failed, in seconds."""

MAX_LINES: Final = 100
"""Number of lines that are made in one iteration of the loop (2 ms)."""

EARLIER_REQUEST: Final = "requested before supervisord was started"


class Entry:
    """The line of one process; `on_change` is called when it is stale."""

    def __init__(
        self, name: str, process: Subprocess, on_change: Callable[[Entry], object]
    ) -> None:
        self.name = name
        self.process = process
        self.line = ""
        self._on_change = on_change
        self._saved = SavedProcess(name)
        self._child: SavedChild | None = None

    def changed(self) -> None:
        """Handle a change of the process."""
        self._on_change(self)

    def update(self, leftover: SavedChild | None, *, is_stopping: bool) -> None:
        """Make the line, and wait for the next change.

        While the daemon is stopping, only the child changes: the stop is not a client's request.
        """
        process, history = self.process, self.process.history
        if not is_stopping:
            will_start = process.start_requested or process.starts.is_replaced
            self._saved = SavedProcess(
                self.name,
                is_stopped=process.administrative_stop and not will_start,
                starts=history.starts,
                restarts=history.restarts,
            )
        before, saved = self._child, self._saved
        self._child = child = _child_of(process, before) if process.pid else leftover
        self.line = SavedProcess(
            saved.name, saved.is_stopped, saved.starts, saved.restarts, child
        ).encode()
        process.changed.add(self.changed)

    def close(self) -> None:
        """Wait for no change any more."""
        self.process.changed.discard(self.changed)


class Memory:
    """The state file of a running daemon."""

    def __init__(
        self,
        runtime: Runtime,
        groups: Mapping[str, ProcessGroupBase],
        scales: Scales,
        path: str,
    ) -> None:
        """Read the file; `scales` gets the numbers of processes that it contains."""
        self._runtime = runtime
        self._groups = groups
        self._scales = scales
        self._path = path
        self._leftovers = Leftovers(runtime, self._arm)
        self._entries: dict[Subprocess, Entry] = {}
        self._stale: dict[Entry, None] = {}
        self._has_new_groups = False
        self._is_stopping = False
        self._is_enabled = True
        self._is_failing = False
        self._timer: Timer | None = None
        self._earliest = 0.0  # time of the next write, in monotonic seconds
        self._machine = machine()
        self._daemon: Identity | None = None
        self._saved = self._read()
        if self._saved.machine == self._machine and self._is_in_use(self._saved.daemon):
            self._is_enabled = False
            self._saved = SavedState()
        scales.restore(
            {
                section: scale
                for section, scale in self._saved.scales.items()
                if 1 <= scale["count"] <= MAX_PROCESSES
            }
        )

    # -- the beginning ------------------------------------------------------------

    def restore(self) -> None:
        """Take over what the file says of processes, and remember from now on."""
        self._daemon = identity_of(os.getpid())
        saved, self._saved = self._saved, SavedState()
        processes = self._processes()
        for name, process in processes.items():
            if name in saved.processes:
                self._take_over(saved.processes[name], process)
        if saved.machine and saved.machine == self._machine:
            kills = self._runtime.settings.leftovers == KILL
            for each in saved.processes.values():
                if kills:
                    self._leftovers.stop(each, processes.get(each.name))
                else:
                    self._leftovers.report(each)
        if self._is_enabled:
            self._groups_changed()

    def snapshot(self) -> list[str]:
        """Return the lines of the leftovers that have not ended."""
        return [saved.encode() for saved in self._leftovers.pending.values()]

    def resume(self, lines: Iterable[str]) -> None:
        """Go on remembering, in another daemon, and stopping the leftovers."""
        self._daemon = identity_of(os.getpid())
        self._saved = SavedState()
        processes = self._processes()
        for saved in decode_processes(lines):
            self._leftovers.stop(saved, processes.get(saved.name))
        if self._is_enabled:
            self._groups_changed()

    def _processes(self) -> dict[str, Subprocess]:
        return {
            make_namespec(name, each.name): each
            for name, group in self._groups.items()
            for each in group.processes.values()
        }

    def _read(self) -> SavedState:
        try:
            contents = statefile.read(self._path)
            return SavedState() if contents is None else decode(contents)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            self._runtime.logger.warn(f"the state file {self._path} is ignored: {reason}")
            return SavedState()

    def _is_in_use(self, daemon: Identity | None) -> bool:
        """Whether the daemon that wrote the file still runs; its children are no leftovers."""
        if daemon is None or daemon.pid == os.getpid() or not is_alive(daemon):
            return False
        self._runtime.logger.warn(
            f"the state file {self._path} is ignored: supervisord with pid {daemon.pid} uses it"
        )
        return True

    def _take_over(self, saved: SavedProcess, process: Subprocess) -> None:
        process.history.starts = saved.starts
        process.history.restarts = saved.restarts
        if saved.is_stopped and process.config.autostart == REMEMBER:
            process.administrative_stop = True
            process.starts.withdraw()
            process.history.explain(f"stop {EARLIER_REQUEST}")
            process.history.entered(process.state, self._runtime.clock.time(), None)
            self._runtime.logger.info(f"{saved.name} stays stopped, as {EARLIER_REQUEST}")

    # -- changes --------------------------------------------------------------------

    def _groups_changed(self) -> None:
        self._has_new_groups = True
        self._arm()

    def _look_up_groups(self) -> None:
        """Have an entry for each process that exists."""
        self._has_new_groups = False
        self._runtime.services.processes.changed.add(self._groups_changed)
        entries, self._entries = self._entries, {}
        for name, group in self._groups.items():
            for process in group.processes.values():
                entry = entries.pop(process, None)
                if entry is None:
                    entry = Entry(make_namespec(name, process.name), process, self._changed)
                    self._stale[entry] = None
                self._entries[process] = entry
        for entry in entries.values():
            entry.close()
            self._stale.pop(entry, None)

    def _changed(self, entry: Entry) -> None:
        self._stale[entry] = None
        self._arm()

    def _arm(self) -> None:
        if self._timer is None and self._is_enabled:
            when = max(self._runtime.clock.monotonic() + SETTLE_SECONDS, self._earliest)
            self._timer = self._runtime.loop.call_at(when, self._save)

    # -- writing --------------------------------------------------------------------

    def _save(self) -> None:
        """Make some of the stale lines; write the file when none is left."""
        if self._has_new_groups:
            self._look_up_groups()
        for _ in range(min(len(self._stale), MAX_LINES)):
            self._update(next(iter(self._stale)))
        if self._stale:
            self._timer = self._runtime.loop.call_later(0, self._save)
            return
        self._timer = None
        self._earliest = self._runtime.clock.monotonic() + MIN_INTERVAL_SECONDS
        if not self._write():
            self._earliest += RETRY_SECONDS
            self._arm()

    def _update(self, entry: Entry) -> None:
        del self._stale[entry]
        leftover = self._leftovers.pending.get(entry.name)
        child = None if leftover is None else leftover.child
        entry.update(child, is_stopping=self._is_stopping)

    def _write(self, *, is_last: bool = False) -> bool:
        """Write the file; return whether that succeeded."""
        contents = encode(self._machine, self._daemon, self._lines(), self._scales.snapshot())
        try:
            statefile.replace(self._path, contents, is_last=is_last)
        except OSError as error:
            if not self._is_failing:
                text = f"cannot write the state file {self._path}: {error.strerror}"
                self._runtime.logger.warn(text)
            self._is_failing = True
            return False
        if self._is_failing:
            self._runtime.logger.info(f"the state file {self._path} is written again")
        self._is_failing = False
        return True

    def _lines(self) -> Iterator[str]:
        names = set()
        for entry in self._entries.values():
            names.add(entry.name)
            yield entry.line
        for name, saved in self._leftovers.pending.items():
            if name not in names:  # its program is no longer configured
                yield SavedProcess(name, child=saved.child).encode()

    # -- the end --------------------------------------------------------------------

    def stopping(self) -> None:
        """Note that the daemon is about to stop all processes."""
        self._update_all()
        self._is_stopping = True

    def close(self) -> None:
        """Write the file for the last time."""
        if self._timer is not None:
            self._timer.cancel()
        for entry in self._entries.values():
            self._stale[entry] = None
        self._update_all()
        if self._is_enabled:
            self._write(is_last=True)
        self._leftovers.close()
        for entry in self._entries.values():
            entry.close()
        self._runtime.services.processes.changed.discard(self._groups_changed)

    def _update_all(self) -> None:
        if self._has_new_groups:
            self._look_up_groups()
        while self._stale:
            self._update(next(iter(self._stale)))


def identity_of(pid: int) -> Identity | None:
    """Return the identity of a process, None without /proc."""
    stat = posix.read_stat(pid)
    return None if stat is None else Identity(pid, stat.started)


def machine() -> str:
    """Return what identifies the machine since its boot, and the namespace of pids.

    See random(4) and pid_namespaces(7); "" if a part is unknown.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _child_of(process: Subprocess, before: SavedChild | None) -> SavedChild | None:
    """Return the child of a process; its start time is read once."""
    if before is not None and before.identity.pid == process.pid:
        identity: Identity | None = before.identity
    else:
        identity = identity_of(process.pid)
    if identity is None:
        return None
    config = process.config
    return SavedChild(
        identity,
        stopsignal=config.stopsignal,
        stopwaitsecs=config.stopwaitsecs,
        stopasgroup=config.stopasgroup,
        killasgroup=config.killasgroup,
    )
