"""Reaping of dead children (waitpid(2)), and of orphans that the kernel gives to the daemon."""

from __future__ import annotations

import os
from functools import partial

from supervisor.engine import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.process.runtime import Runtime

MAX_SECONDS = 0.005
"""Time for reaping in one step, and for the signals of one iteration of the loop, in seconds.

The rest is postponed.  An iteration has at most two steps of reaping: one for its signals, and one
that was postponed.
"""


class Reaper:
    """Collects the dead children of the daemon.

    As pid 1 or as a subreaper the daemon is also the parent of orphans, which no process of its
    own knows.  A program may leave thousands of them in a second, and the next one may be dead
    before the last one has been reaped, so the time for reaping is bounded.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._is_postponed = False
        self._is_subreaper = False

    def adopt_orphans(self) -> None:
        """Become the parent of the orphans of programs; a failure is logged, but not fatal.

        A fork into the background loses it, so this follows one.
        """
        try:
            posix.set_subreaper(is_subreaper=True)
        except OSError as error:
            self._runtime.logger.warn(f"subreaper=true has no effect: {error.strerror}")
        else:
            self._is_subreaper = True

    def close(self) -> None:
        """Leave further orphans to pid 1: after a reload, the option may be gone."""
        if self._is_subreaper:
            self._is_subreaper = False
            posix.set_subreaper(is_subreaper=False)

    def reap(self, *, once: bool = False) -> None:
        """Reap the dead children, or only the first of them, and notify their processes."""
        clock = self._runtime.clock
        deadline = clock.monotonic() + MAX_SECONDS
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._reaped(pid, status)
            if once:
                return
            if clock.monotonic() >= deadline:
                self._postpone()
                return

    def _reaped(self, pid: int, status: int) -> None:
        runtime = self._runtime
        process = runtime.children.pop(pid, None)
        if process is not None:
            finish = partial(process.finish, pid, status)
            runtime.run_guarded(finish, f"the end of {process.name}")
            return
        is_expected = self._is_subreaper or os.getpid() == posix.PID_OF_INIT
        log = runtime.logger.debug if is_expected else runtime.logger.info
        log(f"reaped unknown pid {pid} ({posix.decode_wait_status(status)[1]})")

    def _postpone(self) -> None:
        if not self._is_postponed:
            self._is_postponed = True
            self._runtime.loop.call_soon(self._continue)

    def _continue(self) -> None:
        self._is_postponed = False
        self.reap()
