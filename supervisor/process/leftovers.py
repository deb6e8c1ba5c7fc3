"""What a child leaves behind when it dies: members of its process group, open pipes (floor 4).

`Subprocess` hands over both; each has a time after which nothing is left of it.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.dispatchers import Dispatcher
    from supervisor.loop import Loop, Timer

LINGER_SECONDS = 1.0
"""How long output is still read that a grandchild writes after the death of its parent."""


class Leftovers:
    """Process groups without a leader that are to be killed, and pipes that are still read."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._groups: dict[int, Timer] = {}
        self._pipes: dict[Dispatcher, Timer] = {}

    def kill_group_later(self, pgid: int, seconds: float) -> None:
        """Kill what is left of a process group after some time; nothing if nobody is."""
        if _has_members(pgid) and pgid not in self._groups:
            kill = self._loop.call_later(seconds, lambda: self._kill_group(pgid))
            self._groups[pgid] = kill

    def read_on(self, dispatcher: Dispatcher) -> None:
        """Go on reading a pipe whose other end somebody still holds, for a moment."""
        close = self._loop.call_later(LINGER_SECONDS, lambda: self._close(dispatcher))
        self._pipes[dispatcher] = close

    def end(self) -> None:
        """Leave nothing: the daemon goes down."""
        for pgid in list(self._groups):
            self._kill_group(pgid)
        for dispatcher in list(self._pipes):
            dispatcher.drain()
            self._close(dispatcher)

    def _kill_group(self, pgid: int) -> None:
        self._groups.pop(pgid).cancel()
        with suppress(ProcessLookupError, PermissionError):
            os.kill(-pgid, signal.SIGKILL)

    def _close(self, dispatcher: Dispatcher) -> None:
        self._pipes.pop(dispatcher).cancel()
        dispatcher.close()


def _has_members(pgid: int) -> bool:
    try:
        os.kill(-pgid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # they have become somebody else's
        return True
    return True
