"""Processes that an earlier daemon has left running, because it was killed.

`memory` finds them in the state file, by pid and start time.  They are stopped like any process:
`stopsignal`, then SIGKILL after `stopwaitsecs`, to the process group if the program says so.
Meanwhile a start of the same program waits.

No other process is ever signalled, even if the pid is reused meanwhile: a pidfd is opened first,
and its process is compared with the saved one; all signals go through the pidfd.
"""

from __future__ import annotations

import errno
import os
import signal
from collections import deque
from functools import partial

from supervisor.common.proc_stat import EXITED_STATES
from supervisor.engine import posix
from supervisor.engine.pidfd import PidfdChannel, has_exited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from supervisor.common.saved_state import Identity, SavedChild, SavedProcess
    from supervisor.engine.loop import Timer
    from supervisor.process.child import Subprocess
    from supervisor.process.process_group import LeaderlessGroup
    from supervisor.process.runtime import Runtime

WHOLE_GROUP: Final = 4
"""PIDFD_SIGNAL_PROCESS_GROUP: signal the group that the process leads (Linux 6.9)."""

MAX_STOPPING: Final = 50
"""Upper bound of the processes that are being stopped at the same time."""

LEFT = "which an earlier supervisord has left"

REAP_SECONDS = 0.05
"""Poll interval until init has reaped the leader of a group, in seconds."""


def is_alive(identity: Identity) -> bool:
    """Whether a process runs that has this pid and this start time."""
    stat = posix.read_stat(identity.pid)
    if stat is None or stat.started != identity.started:
        return False
    return stat.state not in EXITED_STATES


def open_process(identity: Identity) -> int | None:
    """Return a pidfd of a process, None if it has exited.

    Raises `OSError` if there are no pidfds.
    """
    try:
        fd = posix.open_pidfd(identity.pid)
    except ProcessLookupError:
        return None
    if fd is None:
        raise OSError("this system has no pidfds")
    # The pidfd is older than what is read now: if it is alive afterwards, it is that process.
    if is_alive(identity) and not has_exited(fd):
        return fd
    os.close(fd)
    return None


class Leftover:
    """One process that is being stopped; `on_end` is called once, when it may be replaced."""

    def __init__(
        self,
        saved: SavedProcess,
        child: SavedChild,
        fd: int,
        runtime: Runtime,
        on_end: Callable[[], object],
    ) -> None:
        """Take the saved process, its child, and the pidfd of the child."""
        self.saved = saved
        self._child = child
        self._fd = fd  # stays open: it also identifies the group of a dead leader
        self._runtime = runtime
        self._on_end = on_end
        self._channel: PidfdChannel | None = PidfdChannel(os.dup(fd), runtime.loop, self._exited)
        self._group: LeaderlessGroup | None = None
        self._kill_timer = runtime.loop.call_later(child.stopwaitsecs, self._kill)
        self._reap_timer: Timer | None = None

    @property
    def identity(self) -> Identity:
        """The identity of the child."""
        return self._child.identity

    @property
    def pid(self) -> int:
        """The pid of the child."""
        return self._child.identity.pid

    def stop(self) -> None:
        """Send the stop signal."""
        self._signal(self._child.stopsignal, whole_group=self._child.stopasgroup)

    def close(self) -> None:
        """Stop watching; the process is not affected."""
        self._kill_timer.cancel()
        if self._reap_timer is not None:
            self._reap_timer.cancel()
            self._reap_timer = None
        if self._channel is not None:
            self._channel.close()
        if self._group is not None:
            self._runtime.services.orphans.groups.unwatch(self._group)
        os.close(self._fd)

    def _kill(self) -> None:
        name = self.saved.name
        self._runtime.logger.warn(f"killing '{name}' ({self.pid}) with SIGKILL")
        self._signal(signal.SIGKILL, whole_group=self._child.killasgroup)
        if self._reap_timer is not None:  # not given up; the leader is a zombie that nothing reaps
            self._end()

    def _signal(self, signum: int, *, whole_group: bool) -> None:
        """Send a signal; give up if that is not permitted."""
        try:
            if whole_group:
                self._signal_group(signum)
            else:
                signal.pidfd_send_signal(self._fd, signum)
        except ProcessLookupError:
            return  # its end will be reported
        except OSError as error:
            text = f"cannot stop '{self.saved.name}' (pid {self.pid}): {error.strerror}"
            self._runtime.logger.critical(text)
            self._end()

    def _signal_group(self, signum: int) -> None:
        if self._group is not None:
            self._group.signal(signum)
            return
        try:
            signal.pidfd_send_signal(self._fd, signum, None, WHOLE_GROUP)
        except OSError as error:
            if error.errno != errno.EINVAL or has_exited(self._fd):
                raise
            os.killpg(self.pid, signum)  # an older kernel; the leader was alive just now

    def _exited(self) -> None:
        """Handle the end of the child."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._child.killasgroup:
            self._follow_group()
        else:
            self._end()

    def _follow_group(self) -> None:
        """Wait for the end of the process group; init has to reap its leader first."""
        self._reap_timer = None
        if posix.read_stat(self.pid) is not None:
            loop = self._runtime.loop
            self._reap_timer = loop.call_later(REAP_SECONDS, self._follow_group)
            return
        groups = self._runtime.services.orphans.groups
        self._group = groups.watch(self.pid, lambda _group: self._end())
        if self._group is None:
            self._end()

    def _end(self) -> None:
        self.close()
        self._on_end()


class Leftovers:
    """All that an earlier daemon has left running; `on_change` is called when one has ended.

    A bounded number is stopped at the same time, because each takes two fds.
    """

    def __init__(self, runtime: Runtime, on_change: Callable[[], object]) -> None:
        self.pending: dict[str, SavedProcess] = {}
        """Those that have not ended yet, by the names of their processes."""
        self._runtime = runtime
        self._on_change = on_change
        self._waiting: deque[tuple[SavedProcess, Subprocess | None]] = deque()
        self._stopping: dict[str, Leftover] = {}

    def stop(self, saved: SavedProcess, process: Subprocess | None) -> None:
        """Stop the child of a saved process; `process` is the one that may replace it."""
        if saved.child is None or not is_alive(saved.child.identity):
            return
        self.pending[saved.name] = saved
        if process is not None:
            pid = saved.child.identity.pid
            process.starts.hold(f"pid {pid} of an earlier supervisord (stopping)")
        self._waiting.append((saved, process))
        self._stop_next()

    def report(self, saved: SavedProcess) -> None:
        """Log that the child of a saved process still runs."""
        if saved.child is not None and is_alive(saved.child.identity):
            name, pid = saved.name, saved.child.identity.pid
            self._runtime.logger.warn(
                f"'{name}' (pid {pid}) is still running, {LEFT} (fix: leftovers=kill)"
            )

    def close(self) -> None:
        """Stop watching; those that are left stay in the state file."""
        for leftover in self._stopping.values():
            leftover.close()

    def _stop_next(self) -> None:
        while self._waiting and len(self._stopping) < MAX_STOPPING:
            saved, process = self._waiting.popleft()
            if saved.child is not None:
                self._begin(saved, saved.child, process)

    def _begin(self, saved: SavedProcess, child: SavedChild, process: Subprocess | None) -> None:
        pid, logger = child.identity.pid, self._runtime.logger
        try:
            fd = open_process(child.identity)
        except OSError as error:
            logger.critical(f"cannot stop '{saved.name}' (pid {pid}): {error}")
            fd = None
        if fd is None:
            self._release(saved.name, process)
            return
        ended = partial(self._ended, saved.name, process)
        leftover = self._stopping[saved.name] = Leftover(saved, child, fd, self._runtime, ended)
        logger.warn(f"stopping '{saved.name}' (pid {pid}), {LEFT}")
        leftover.stop()

    def _ended(self, name: str, process: Subprocess | None) -> None:
        leftover = self._stopping.pop(name)
        if not is_alive(leftover.identity):
            self._runtime.logger.info(f"stopped: {name} (pid {leftover.pid}), {LEFT}")
        self._release(name, process)
        self._runtime.loop.call_soon(self._stop_next)

    def _release(self, name: str, process: Subprocess | None) -> None:
        del self.pending[name]
        self._on_change()
        if process is not None:
            self._runtime.run_guarded(partial(process.starts.hold, ""), process.name)
