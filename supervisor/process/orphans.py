"""Orphans of a dead child: members of its process group, pipes that are still open.

`Subprocess` hands over both; each has a deadline after which it is killed or closed.
"""

from __future__ import annotations

import signal
from contextlib import suppress

from supervisor.process.process_group import GroupWatcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from supervisor.engine.loop import Loop, Timer
    from supervisor.process.process_group import LeaderlessGroup

    class OpenPipe(Protocol):
        """The daemon's end of a pipe that an orphan may still write to."""

        closed: bool

        def drain(self) -> None:
            """Read what has been written."""

        def close(self) -> None:
            """Leave the loop and close the fd."""

        def snapshot(self) -> dict[str, Any]:
            """Return the state as JSON values."""


LINGER_SECONDS = 1.0
"""Time for which a grandchild's output is still read after the death of its parent."""


class OrphanCleanup:
    """Process groups without a leader that will be killed, and pipes that are still drained."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.groups = GroupWatcher(loop)
        self._kill_timers: dict[LeaderlessGroup, Timer] = {}
        self._pipes: dict[OpenPipe, Timer] = {}

    def kill_group_later(self, pgid: int, seconds: float) -> None:
        """Kill the orphans of a process group after a delay, unless all members exit before."""
        group = self.groups.watch(pgid, self._cancel_kill)
        if group is not None:
            timer = self._loop.call_later(seconds, lambda: self._kill_group(group))
            self._kill_timers[group] = timer

    def drain_later(self, dispatcher: OpenPipe) -> None:
        """Drain a pipe whose other end is still open, until the deadline."""
        close = self._loop.call_later(LINGER_SECONDS, lambda: self._close(dispatcher))
        self._pipes[dispatcher] = close

    def snapshot(self, name_of: Callable[[Any], str]) -> dict[str, Any]:
        """Return the state as JSON values; `name_of` returns the name of a pipe's process."""
        return {
            "groups": [
                {"pgid": group.pgid, "kill_at": timer.when}
                for group, timer in self._kill_timers.items()
            ],
            "pipes": [
                {"name": name_of(pipe), "pipe": pipe.snapshot()}
                for pipe in self._pipes
                if not pipe.closed
            ],
        }

    def close(self) -> None:
        """Kill and close everything at once: the daemon exits."""
        for group in list(self._kill_timers):
            self._kill_group(group)
        for dispatcher in list(self._pipes):
            dispatcher.drain()
            self._close(dispatcher)

    def _kill_group(self, group: LeaderlessGroup) -> None:
        with suppress(PermissionError):
            group.signal(signal.SIGKILL)
        self.groups.unwatch(group)
        self._cancel_kill(group)

    def _cancel_kill(self, group: LeaderlessGroup) -> None:
        self._kill_timers.pop(group).cancel()

    def _close(self, dispatcher: OpenPipe) -> None:
        self._pipes.pop(dispatcher).cancel()
        dispatcher.close()
