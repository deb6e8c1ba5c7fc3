"""Reaping of dead children (waitpid(2))."""

from __future__ import annotations

import os
from functools import partial

from supervisor.engine.posix import decode_wait_status
from supervisor.engine.start_queue import Pace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from supervisor.process.runtime import Runtime


def reap_children(runtime: Runtime, *, once: bool = False) -> None:
    """Reap the dead children, or only the first of them, and notify their processes.

    Many that have died at once are reaped with pauses.  As pid 1 or as a subreaper, the daemon also
    reaps children that are no processes of its own.
    """
    steps = _reap(runtime)
    if once:
        next(steps, None)
    else:
        Pace(runtime.loop).run(steps)


def _reap(runtime: Runtime) -> Generator[None, None, None]:
    """Reap the dead children, one in each step."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        process = runtime.children.pop(pid, None)
        if process is None:
            text = decode_wait_status(status)[1]
            runtime.logger.info(f"reaped unknown pid {pid} ({text})")
        else:
            finish = partial(process.finish, pid, status)
            runtime.run_guarded(finish, f"the end of {process.name}")
        yield
