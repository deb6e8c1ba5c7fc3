"""What plugins do behind our back, noticed once a second (floor 6).

They assign to processes, of which no timer knows, and put dispatchers of their own into
`get_process_map`, which Supervisor 4 asked on every turn.  `supervisord` starts this only
when an RPC interface of somebody else is configured: an idle daemon makes no system call.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from supervisor.supervisord import Supervisor

HEARTBEAT_SECONDS = 1.0


class ForeignDispatcher:
    """A plugin's dispatcher as a channel of the loop: it knows its fd as `fd` alone."""

    def __init__(self, fd: int, dispatcher: Any) -> None:
        self._fd = fd
        self.readable = dispatcher.readable
        self.writable = dispatcher.writable
        self.handle_read_event = dispatcher.handle_read_event
        self.handle_write_event = dispatcher.handle_write_event
        self.handle_error = dispatcher.handle_error
        self.close = dispatcher.close

    def fileno(self) -> int:
        """Return the fd."""
        return self._fd


class Heartbeat:
    """Looks after what plugins have changed."""

    def __init__(self, supervisord: Supervisor) -> None:
        self._supervisord = supervisord
        self._dispatchers: dict[int, Any] = {}

    def beat(self) -> None:
        """Let every process look at the clock, now and every second from now on."""
        self._supervisord.context.loop.call_later(HEARTBEAT_SECONDS, self.beat)
        if "get_process_map" in vars(self._supervisord):  # knot-resolver replaces it
            self._watch_dispatchers()
        for group in list(self._supervisord.process_groups.values()):
            group.transition()

    def _watch_dispatchers(self) -> None:
        supervisord, loop = self._supervisord, self._supervisord.context.loop
        ours = type(supervisord).get_process_map(supervisord)
        for fd, dispatcher in supervisord.get_process_map().items():
            if fd not in ours and self._dispatchers.get(fd) is not dispatcher:
                self._dispatchers[fd] = dispatcher
                loop.watch(ForeignDispatcher(fd, dispatcher))
