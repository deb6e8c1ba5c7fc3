"""Detection of a disconnect after the client has closed its sending side.

A client that has sent all its requests may close its side only (`shutdown(SHUT_WR)`, `nc -N`) and
still wait for the response.  From then on a read returns end-of-file, whether or not the client
is still there.  The kernel reports POLLHUP or POLLERR once both sides are closed (poll(2)): at once
on a unix socket, and over TCP when the host answers a keep-alive probe with a reset (tcp(7)).
"""

from __future__ import annotations

import select
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisor.engine.loop import Loop

PROBE_SECONDS = 15


class HangupWatch:
    """A channel that becomes readable when the client has disconnected, and calls `on_hangup`.

    It is an epoll(7) instance that watches one fd for hang-up only.  The loop itself does not
    watch an fd while its channel is neither readable nor writable.
    """

    def __init__(
        self, loop: Loop, connection: socket.socket, on_hangup: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._on_hangup = on_hangup
        self._epoll = select.epoll()
        self._epoll.register(connection.fileno(), 0)
        if connection.family != socket.AF_UNIX:
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
                connection.setsockopt(socket.IPPROTO_TCP, option, PROBE_SECONDS)
        loop.watch(self)

    def fileno(self) -> int:
        """Return the fd of the epoll instance."""
        return self._epoll.fileno()

    def readable(self) -> bool:
        """Return True: always watch for the hang-up."""
        return True

    def writable(self) -> bool:
        """Return False: an epoll instance cannot be written."""
        return False

    def handle_read_event(self) -> None:
        """Report that the client has disconnected."""
        self._on_hangup()

    def handle_write_event(self) -> None:
        """Do nothing: `writable` is always False."""

    def handle_error(self) -> None:
        """Treat a connection that cannot be watched as disconnected."""
        self._on_hangup()

    def close(self) -> None:
        """Stop watching."""
        self._loop.unwatch(self)
        self._epoll.close()
