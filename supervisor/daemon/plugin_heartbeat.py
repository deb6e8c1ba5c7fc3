"""A heartbeat that notices, once a second, changes that plugins make directly.

Plugins assign to attributes of processes, which arms no timer.  They also add their own
dispatchers to `get_process_map`, which Supervisor 4 calls in every iteration of its loop.
`supervisord` starts the heartbeat only if a plugin's RPC interface is configured: otherwise an
idle daemon makes no system call.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Protocol

    from supervisor.process.daemon_protocol import Daemon

    class ObservedDaemon(Daemon, Protocol):
        """The daemon, with the map of dispatchers that plugins replace."""

        def get_process_map(self) -> Mapping[int, Any]:
            """Return the dispatchers by fd."""


HEARTBEAT_SECONDS = 1.0


class PluginChannel:
    """A plugin's dispatcher as a channel of the loop: it has an `fd` attribute, but no `fileno`."""

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
    """A timer that applies the changes made by plugins."""

    def __init__(self, supervisord: ObservedDaemon) -> None:
        self._supervisord = supervisord
        self._dispatchers: dict[int, Any] = {}

    def beat(self) -> None:
        """Call `transition` of every process, now and every second from now on."""
        self._supervisord.runtime.loop.call_later(HEARTBEAT_SECONDS, self.beat)
        if "get_process_map" in vars(self._supervisord):  # knot-resolver replaces it
            self._watch_dispatchers()
        for group in list(self._supervisord.process_groups.values()):
            group.transition()

    def _watch_dispatchers(self) -> None:
        supervisord, loop = self._supervisord, self._supervisord.runtime.loop
        own = type(supervisord).get_process_map(supervisord)
        for fd, dispatcher in supervisord.get_process_map().items():
            if fd not in own and self._dispatchers.get(fd) is not dispatcher:
                self._dispatchers[fd] = dispatcher
                loop.watch(PluginChannel(fd, dispatcher))
