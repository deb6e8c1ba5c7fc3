"""The client at the other end of a connection, as named in the log and by the limits."""

from __future__ import annotations

import socket

from supervisor.common.addresses import TcpAddress
from supervisor.engine.sockets import peer_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

UNIX_NAME: Final = "localhost:0"
"""Name of every client of a unix socket in the log lines of 4.3.0."""


class Peer:
    """One client: an address over TCP, a process on a unix socket.

    Credentials cost a system call, so they are looked up when they are needed.
    """

    def __init__(self, connection: socket.socket, address: Any) -> None:
        """Describe the client of a connection; `address` is what `accept` returned."""
        self._connection = connection
        is_unix = connection.family == socket.AF_UNIX
        self._tcp = None if is_unix else TcpAddress.of_socket(address)
        self.name = UNIX_NAME if self._tcp is None else str(self._tcp)
        self._origin = None if self._tcp is None else self._tcp.host

    @property
    def origin(self) -> str:
        """The host of the client; on a unix socket, its user."""
        if self._origin is None:
            self._origin = f"uid {peer_credentials(self._connection)[1]}"
        return self._origin

    @property
    def description(self) -> str:
        """The address of the client; on a unix socket, the pid and uid of its process."""
        if self._tcp is not None:
            return self.name
        try:
            pid, uid, _ = peer_credentials(self._connection)
        except OSError:  # a start that it requested comes after its end
            return "a client that has disconnected"
        return f"pid {pid} uid {uid}"
