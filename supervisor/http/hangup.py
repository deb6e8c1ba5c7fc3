"""Notice that a client has gone from which nothing more is read (floor 5).

A client that has sent all it wants may close its side only (`shutdown(SHUT_WR)`, `nc -N`) and
still wait for the answer.  Reading tells no more about it, only that it has ended.  The kernel
reports POLLHUP or POLLERR once both sides are closed (poll(2)): at once on a unix socket, and
over TCP when the host of a client that has gone answers a keep-alive probe with a reset (tcp(7)).
"""

from __future__ import annotations

import select
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisor.loop import Loop

PROBE_SECONDS = 15


class HangupWatch:
    """A channel that becomes readable when a connection is gone; `on_hangup` is called then.

    It is an epoll(7) instance that watches one fd for nothing but that.  The loop itself does
    not watch an fd from which a channel wants neither to read nor to write.
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
        """Whether to read: always."""
        return True

    def writable(self) -> bool:
        """Whether to write: never."""
        return False

    def handle_read_event(self) -> None:
        """Report that the connection is gone."""
        self._on_hangup()

    def handle_write_event(self) -> None:
        """Nothing is ever written."""

    def handle_error(self) -> None:
        """Report that the connection cannot be watched."""
        self._on_hangup()

    def close(self) -> None:
        """Stop watching."""
        self._loop.forget(self)
        self._epoll.close()
