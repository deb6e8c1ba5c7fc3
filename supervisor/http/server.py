"""HTTP servers: listening sockets and the connections that they accept.

`supervisord` creates the servers; their handlers produce the responses.
"""

from __future__ import annotations

import errno
import resource
import select
import socket

from supervisor.common.addresses import TcpAddress
from supervisor.common.faults import ServerError
from supervisor.engine import sockets
from supervisor.http import http1, phases
from supervisor.http.connection import HTTPChannel
from supervisor.http.connection_table import Connections
from supervisor.http.framing import Limits
from supervisor.http.ledger import MAX_RECEIVED_BYTES, MAX_UNSENT_BYTES, Ledger
from supervisor.http.listening import open_listener
from supervisor.http.peer import Peer
from supervisor.http.throttle import Throttle
from supervisor.loggers import LevelsByName, exception_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from supervisor.config.model import ServerConfig
    from supervisor.engine.loop import Loop
    from supervisor.http.listening import Listener, SocketFile
    from supervisor.http.request import Request
    from supervisor.http.response import Incident, Response
    from supervisor.loggers import Logger


ACCEPTS_PER_TURN = 32

MAX_CONNECTIONS = 4096
"""Limit of one server, or a quarter of RLIMIT_NOFILE if that is less, because programs need fds
too.  Beyond the limit, a new client displaces another one (see `connections`)."""

PAUSE_SECONDS = 1.0
"""Pause in accepting when the daemon is out of fds."""

OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class HTTPServer:
    """One listening socket, its handlers and its connections."""

    def __init__(
        self,
        config: ServerConfig,
        loop: Loop,
        logger: Logger,
        limits: Limits | None = None,
        listener: Listener | None = None,
    ) -> None:
        """Open the socket and listen, unless a `listener` is given; raises `ServerError`."""
        self.config = config
        self.loop = loop
        self.logger = logger
        self.limits = limits or Limits()
        self.guards: list[Any] = []
        self.handlers: list[Any] = []
        self.error_page: Callable[[Request, Response], Response] | None = None
        """Replaces the response with an error page, for clients that expect another one."""
        self.received = Ledger(MAX_RECEIVED_BYTES, HTTPChannel.evict)
        self.unsent = Ledger(MAX_UNSENT_BYTES, HTTPChannel.close)
        self._throttles: dict[str, Throttle] = {}
        self._connections = Connections(_max_connections())
        self._is_paused = False
        self._is_unix = config.address is None
        self._listen(*(listener or open_listener(config)))

    def _listen(self, listener: socket.socket, file: SocketFile | None) -> None:
        listener.setblocking(False)
        self._socket, self.file = listener, file
        self.socket = listener  # Supvisors shuts it down before the daemon closes it
        self.loop.watch(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.config.section} {self.address}>"

    @property
    def address(self) -> Any:
        """The listening address: (host, port), or the path of a unix socket."""
        return self.config.file if self._is_unix else self._socket.getsockname()

    @property
    def tcp_address(self) -> TcpAddress | None:
        """The bound address, which may result from resolving a name; None for a unix socket."""
        return None if self._is_unix else TcpAddress.of_socket(self._socket.getsockname())

    def install_handler(self, handler: Any, back: bool = False) -> None:  # noqa: FBT001, FBT002 - plugins call it
        """Add a handler before the others, or after them."""
        self.handlers.insert(len(self.handlers) if back else 0, handler)

    def handler_for(self, request: Request) -> Any:
        """Return the first handler that matches a request, or None.

        Guards are tried first: they match the requests that they refuse.
        """
        for handler in (*self.guards, *self.handlers):
            if handler.match(request):
                return handler
        return None

    def log_incident(self, origin: str, incident: Incident) -> None:
        """Log a line that a client of an origin has caused, within a rate limit of its kind."""
        kind = incident.kind
        if kind not in self._throttles:
            self._throttles[kind] = Throttle(self.loop, self.logger.warn, kind)
        self._throttles[kind].log(origin, incident.text)

    def date(self) -> str:
        """Return the current time in HTTP's format."""
        return http1.http_date(int(self.loop.clock.time()))

    # -- interface to the loop ------------------------------------------------------

    def fileno(self) -> int:
        """Return the listening socket's fd."""
        return self._socket.fileno()

    def readable(self) -> bool:
        """Whether to accept: not while the daemon is out of fds or the server is full."""
        return not self._is_paused

    def writable(self) -> bool:
        """Return False: a listening socket is never written."""
        return False

    def handle_read_event(self) -> None:
        """Accept pending connections, a few at a time."""
        for _ in range(ACCEPTS_PER_TURN):
            try:
                connection, address = self._socket.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno not in OUT_OF_RESOURCES:
                    continue  # the client has already disconnected
                # Without fds, accept() fails even if no connection is pending.
                if self._has_pending() and not self._make_room():
                    self._pause(str(error))
                break
            self._accept(connection, address)
            if self.file is not None:
                self.file.renew(self.loop.clock.monotonic())
            if self._is_paused:
                break

    def _has_pending(self) -> bool:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def _accept(self, connection: socket.socket, address: Any) -> None:
        connection.setblocking(False)
        if self._is_unix:
            if self.logger.level <= LevelsByName.DEBG:
                pid, uid, gid = sockets.peer_credentials(connection)
                self.logger.debug(f"connection from pid {pid} uid {uid} gid {gid}")
        else:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Without probes, a client whose host has vanished would look idle.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._connections.is_full and not self._make_room():
            self._pause("too many connections")  # this one is the last
        self._connections[HTTPChannel(self, connection, Peer(connection, address))] = None

    def _make_room(self) -> bool:
        """Close a connection to free its fd; return whether there was one to close."""
        dispensable = self._connections.dispensable()
        if dispensable is not None:
            dispensable.close()
        return dispensable is not None

    def connection_closed(self, channel: HTTPChannel) -> None:
        """Remove a closed connection."""
        self._connections.pop(channel, None)
        for ledger in (self.received, self.unsent):
            if ledger.total_bytes:
                ledger.progressed(channel, 0)

    def _pause(self, reason: str) -> None:
        """Leave new connections in the kernel's queue for a while."""
        self.logger.error(f"{self.config.section}: cannot accept a connection: {reason}")
        self._is_paused = True
        self.loop.interest_changed(self)
        self.loop.call_later(PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        if self._connections.has_excess and self._connections.dispensable() is None:
            self.loop.call_later(PAUSE_SECONDS, self._resume)
        elif self._socket.fileno() >= 0:
            self._is_paused = False
            self.loop.interest_changed(self)

    def handle_write_event(self) -> None:
        """Do nothing: `writable` is always False."""

    def handle_error(self) -> None:
        """Log the exception being handled; the server continues."""
        self.logger.error(f"{self.config.section}: {exception_text()}")

    def withdraw(self) -> None:
        """Remove the unix socket if it is our own; existing connections are still served."""
        if self.file is not None:
            self.file.remove()
            self.file = None

    def restore_socket(self) -> None:
        """Listen on the unix socket again if its file has been removed by another program.

        A file that has replaced it is left alone.
        """
        file = self.file
        if file is None or file.is_in_place:
            return
        if not file.is_missing:
            self.logger.warn(f"unix socket {file.path} has been replaced by another process")
            return
        try:
            opened = open_listener(self.config, may_replace=False)
        except ServerError as error:
            self.logger.error(str(error))
            return
        self.handle_read_event()  # the clients that have connected before
        self.loop.unwatch(self)
        self._socket.close()
        self._listen(*opened)
        self.logger.warn(f"unix socket {file.path} had been removed and was created again")

    def has_clients(self, *, new: bool, pending: bool = True) -> bool:
        """Whether a connection is pending, receives a request or sends a response.

        With `new`, connections that have not sent anything yet count too; without `pending`, those
        that have not been accepted do not.
        """
        if self._socket.fileno() < 0:
            return False
        return (pending and self._has_pending()) or any(
            channel.is_in_exchange or (new and channel.phase is phases.NEW)
            for channel in self._connections
        )

    def close(self) -> None:
        """Close the listening socket and all connections; remove our unix socket."""
        if self._socket.fileno() < 0:
            return
        self.withdraw()
        self.loop.unwatch(self)
        self._socket.close()
        for channel in list(self._connections):
            channel.close()


def open_http_servers(
    configs: Iterable[ServerConfig], loop: Loop, logger: Logger
) -> list[tuple[ServerConfig, HTTPServer]]:
    """Open all servers, or none; raises `ServerError`.  They have no handlers yet."""
    servers: list[tuple[ServerConfig, HTTPServer]] = []
    try:
        for config in configs:
            servers.append((config, HTTPServer(config, loop, logger)))  # noqa: PERF401 - on failure the open ones are closed
    except BaseException:
        for _, server in servers:
            server.close()
        raise
    return servers


def _max_connections() -> int:
    fds, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if fds == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, fds // 4)
