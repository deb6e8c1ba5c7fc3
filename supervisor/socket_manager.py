"""The listening socket that the processes of an fcgi-program share.

It is opened when the first process needs it and closed when the last one has released it.  The
file of a unix socket stays, as in Supervisor 4: web servers are configured with its path.
"""

from __future__ import annotations

import socket

from supervisor.config.model import InetSocketConfig
from supervisor.engine import sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from supervisor.config.model import SocketConfig
    from supervisor.loggers import Logger


class SocketManager:
    """One socket with a reference count; each `acquire` needs one `release`."""

    def __init__(self, config: SocketConfig, logger: Logger) -> None:
        self.config = config
        self._logger = logger
        self._socket: socket.socket | None = None
        self._users = 0

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; `fd` stays open in the next daemon."""
        return {"fd": None if self._socket is None else self._socket.fileno()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over an open socket; each process that holds it still has to acquire it."""
        if saved.get("fd") is not None:
            self._socket = socket.socket(fileno=saved["fd"])

    @property
    def is_open(self) -> bool:
        """Whether the socket is open."""
        return self._socket is not None

    def acquire(self) -> socket.socket:
        """Return the listening socket, opening it for the first user; raises `OSError`."""
        if self._socket is None:
            self._logger.info(f"Creating socket {self.config.url}")
            self._socket = _listen(self.config)
        self._users += 1
        return self._socket

    def release(self) -> None:
        """Decrement the reference count; the last user closes the socket."""
        self._users -= 1
        if self._users <= 0 and self._socket is not None:
            self._logger.info(f"Closing socket {self.config.url}")
            self._socket.close()
            self._socket = None
            self._users = 0


def _listen(config: SocketConfig) -> socket.socket:
    backlog = socket.SOMAXCONN if config.backlog is None else config.backlog
    if isinstance(config, InetSocketConfig):
        return sockets.listen_tcp(config.address, backlog)
    owner = config.owner or sockets.NO_OWNER
    listener, _ = sockets.listen_unix(config.path, config.mode, owner, backlog)
    return listener
