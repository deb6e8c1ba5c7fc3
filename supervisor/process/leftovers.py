"""What a child leaves behind when it dies: members of its process group, open pipes (floor 4).

`Subprocess` hands over both; each has a time after which nothing is left of it.
"""

from __future__ import annotations

import signal
from contextlib import suppress

from supervisor.process.process_group import GroupWatcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.dispatchers import Dispatcher
    from supervisor.loop import Loop, Timer
    from supervisor.process.process_group import LeaderlessGroup

LINGER_SECONDS = 1.0
"""How long output is still read that a grandchild writes after the death of its parent."""


class Leftovers:
    """Process groups without a leader that are to be killed, and pipes that are still read."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.groups = GroupWatcher(loop)
        self._kill_timers: dict[LeaderlessGroup, Timer] = {}
        self._pipes: dict[Dispatcher, Timer] = {}

    def kill_group_later(self, pgid: int, seconds: float) -> None:
        """Kill what is left of a process group after some time, unless all members exit before."""
        group = self.groups.watch(pgid, self._forget_group)
        if group is not None:
            timer = self._loop.call_later(seconds, lambda: self._kill_group(group))
            self._kill_timers[group] = timer

    def read_on(self, dispatcher: Dispatcher) -> None:
        """Go on reading a pipe whose other end somebody still holds, for a moment."""
        close = self._loop.call_later(LINGER_SECONDS, lambda: self._close(dispatcher))
        self._pipes[dispatcher] = close

    def end(self) -> None:
        """Leave nothing: the daemon goes down."""
        for group in list(self._kill_timers):
            self._kill_group(group)
        for dispatcher in list(self._pipes):
            dispatcher.drain()
            self._close(dispatcher)

    def _kill_group(self, group: LeaderlessGroup) -> None:
        with suppress(PermissionError):
            group.signal(signal.SIGKILL)
        self.groups.unwatch(group)
        self._forget_group(group)

    def _forget_group(self, group: LeaderlessGroup) -> None:
        self._kill_timers.pop(group).cancel()

    def _close(self, dispatcher: Dispatcher) -> None:
        self._pipes.pop(dispatcher).cancel()
        dispatcher.close()
