"""Reaping of dead children (waitpid(2))."""

from __future__ import annotations

import os
from functools import partial

from supervisor.engine.posix import decode_wait_status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.process.runtime import Runtime

MAX_SECONDS = 0.01
"""Time for the deaths of children in one iteration of the loop, in seconds."""


def reap_children(runtime: Runtime, *, once: bool = False) -> None:
    """Reap the dead children, or only the first of them, and notify their processes.

    After `MAX_SECONDS` it goes on in the next iteration of the loop: many may have died at once.

    As pid 1 or as a subreaper, the daemon also reaps children that are no processes of its own.
    """
    ends_at = runtime.clock.monotonic() + MAX_SECONDS
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
        if once:
            return
        if runtime.clock.monotonic() >= ends_at:
            runtime.loop.call_soon(partial(reap_children, runtime))
            return
