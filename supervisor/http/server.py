"""Listening sockets, and the connections that they accept (floor 5).

`supervisord` makes the servers; what they answer is the business of their handlers.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import select
import socket
import stat
import struct
import sys

from supervisor.http import wire
from supervisor.http.channel import HTTPChannel
from supervisor.http.repeats import Repeats
from supervisor.loggers import LevelsByName, exception_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Protocol

    from supervisor.config.model import ServerConfig
    from supervisor.http.request import Request
    from supervisor.loggers import Logger
    from supervisor.loop import Loop

    class Handler(Protocol):
        """What a server asks, in order, until one matches."""

        def match(self, request: Request) -> bool:
            """Whether the request is this handler's."""

        def handle_request(self, request: Request) -> None:
            """Answer the request, now or later."""


BACKLOG = 1024
ACCEPTS_PER_TURN = 32

MAX_CONNECTIONS = 4096
"""Of one server, or a quarter of the fds that the daemon may open if that is less: programs
come first.  Whoever comes then takes the place of an idle client."""

PAUSE_SECONDS = 1.0
"""How long nobody is accepted when the daemon has no fd left."""

OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

ADDRESS_IN_USE = (
    "Another program is already listening on a port that one of our HTTP servers is"
    " configured to use.  Shut this program down first before starting supervisord."
)


class ServerError(Exception):
    """A server cannot be opened; the text is for the user."""


class HTTPServer:
    """One listening socket, its handlers and its connections."""

    def __init__(
        self,
        config: ServerConfig,
        loop: Loop,
        logger: Logger,
        limits: wire.Limits | None = None,
    ) -> None:
        """Open the socket and listen; raises `ServerError`."""
        self.config = config
        self.loop = loop
        self.logger = logger
        self.limits = limits or wire.Limits()
        self.guards: list[Any] = []
        self.handlers: list[Any] = []
        self.repeats = Repeats()
        self._connections: dict[HTTPChannel, None] = {}
        self._places = _places()
        self._is_paused = False
        self._is_unix = config.family == socket.AF_UNIX
        self._socket, self._identity = _open(config)
        self._socket.setblocking(False)
        self.socket = self._socket  # Supvisors shuts it down before the daemon closes it
        loop.watch(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.config.section} {self.address}>"

    @property
    def address(self) -> Any:
        """The address that is listened on: (host, port), or the path of a unix socket."""
        return self.config.file if self._is_unix else self._socket.getsockname()

    def install_handler(self, handler: Any, back: bool = False) -> None:  # noqa: FBT001, FBT002 - plugins call it
        """Put a handler before the others, or behind them."""
        self.handlers.insert(len(self.handlers) if back else 0, handler)

    def handler_for(self, request: Request) -> Any:
        """Return the first handler that matches a request, or None.

        Guards are asked first: they match what they refuse.
        """
        for handler in (*self.guards, *self.handlers):
            if handler.match(request):
                return handler
        return None

    def date(self) -> str:
        """Return the time as HTTP writes it."""
        return wire.http_date(int(self.loop.clock.time()))

    # -- what the loop asks ---------------------------------------------------------

    def fileno(self) -> int:
        """Return the listening socket's fd."""
        return self._socket.fileno()

    def readable(self) -> bool:
        """Whether to accept: not while the daemon is out of fds or of places."""
        return not self._is_paused

    def writable(self) -> bool:
        """A listening socket never writes."""
        return False

    def handle_read_event(self) -> None:
        """Accept those who have come, a few at a time."""
        for _ in range(ACCEPTS_PER_TURN):
            try:
                connection, address = self._socket.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno not in OUT_OF_RESOURCES:
                    continue  # the client has left already
                # Without fds, accept() fails before it looks whether anybody has come.
                if self._somebody_waits() and not self._drop_an_idle_client():
                    self._pause(str(error))
                break
            if len(self._connections) >= self._places and not self._drop_an_idle_client():
                self._pause("too many connections")  # this one is the last
            self._welcome(connection, address)
            if self._is_paused:
                break

    def _somebody_waits(self) -> bool:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def _welcome(self, connection: socket.socket, address: Any) -> None:
        connection.setblocking(False)
        if self._is_unix:
            peer = "localhost:0"
            if self.logger.level <= LevelsByName.DEBG:
                self.logger.debug(f"connection from {_credentials(connection)}")
        else:
            peer = f"{address[0]}:{address[1]}"
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A client whose host has vanished would be taken for one that idles.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._connections[HTTPChannel(self, connection, peer)] = None

    def _idle_client(self) -> HTTPChannel | None:
        """Return whoever has come first and wants nothing."""
        return next((channel for channel in self._connections if channel.is_idle), None)

    def _drop_an_idle_client(self) -> bool:
        """Free a place, and an fd."""
        idle = self._idle_client()
        if idle is not None:
            idle.close()
        return idle is not None

    def connection_closed(self, channel: HTTPChannel) -> None:
        """Take note that a connection is no more."""
        self._connections.pop(channel, None)

    def _pause(self, reason: str) -> None:
        """Leave newcomers in the kernel's queue for a while."""
        self.logger.error(f"{self.config.section}: cannot accept a connection: {reason}")
        self._is_paused = True
        self.loop.interest_changed(self)
        self.loop.call_later(PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        if len(self._connections) > self._places and self._idle_client() is None:
            self.loop.call_later(PAUSE_SECONDS, self._resume)
        elif self._socket.fileno() >= 0:
            self._is_paused = False
            self.loop.interest_changed(self)

    def handle_write_event(self) -> None:
        """A listening socket never writes."""

    def handle_error(self) -> None:
        """Log the exception being handled; the server goes on."""
        self.logger.error(f"{self.config.section}: {exception_text()}")

    def withdraw(self) -> None:
        """Remove a unix socket if it is ours: those who have connected are still served."""
        path = self.config.file
        if path and self._identity is not None and _identity(path) == self._identity:
            with contextlib.suppress(OSError):
                os.unlink(path)

    def has_clients(self, *, new: bool) -> bool:
        """Whether a client waits to be accepted, sends a request or receives an answer.

        `new` says whether those count that have not sent anything yet.
        """
        if self._socket.fileno() < 0:
            return False
        return self._somebody_waits() or any(
            channel.is_in_exchange or (new and channel.is_new) for channel in self._connections
        )

    def close(self) -> None:
        """Close the listening socket and all connections; remove a unix socket if it is ours."""
        if self._socket.fileno() < 0:
            return
        self.withdraw()
        self.loop.forget(self)
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
            servers.append((config, HTTPServer(config, loop, logger)))  # noqa: PERF401 - on failure those made are closed
    except BaseException:
        for _, server in servers:
            server.close()
        raise
    return servers


def _places() -> int:
    fds, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if fds == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, fds // 4)


def _credentials(connection: socket.socket) -> str:
    """Return who was on the other side of a unix socket when it was connected (unix(7))."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return "an unknown process"
    packed = connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
    pid, uid, gid = struct.unpack("3i", packed)
    return f"pid {pid} uid {uid} gid {gid}"


# -- opening -------------------------------------------------------------------


def _open(config: ServerConfig) -> tuple[socket.socket, tuple[int, int] | None]:
    """Return a listening socket and, for a unix socket, what tells it from others."""
    try:
        if config.family == socket.AF_UNIX:
            return _open_unix(config)
        return _open_inet(config), None
    except OSError as error:
        raise ServerError(_complaint(error)) from None


def _complaint(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return ADDRESS_IN_USE
    code: Any = error.args[0]
    name = errno.errorcode.get(code)
    return "Cannot open an HTTP server: socket.error reported " + (
        f"errno.{name} ({code})" if name else f"{code}"
    )


def _open_inet(config: ServerConfig) -> socket.socket:
    host = (config.host or "").strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("" if host == "*" else host, config.port or 0))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def _open_unix(config: ServerConfig) -> tuple[socket.socket, tuple[int, int] | None]:
    """Listen under a name of our own, then take the configured one.

    So nobody sees the socket before its mode and owner are right, and of two daemons
    that start at once only one gets the name.
    """
    path = config.file or ""
    temporary = f"{path}.{os.getpid()}"
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if _is_socket(temporary):
            os.unlink(temporary)  # left by a daemon with our pid that was killed right here
        _bind_privately(listening, temporary)
        try:
            os.chmod(temporary, config.chmod)
            _chown(temporary, path, config.chown)
            listening.listen(BACKLOG)
            _take_name(temporary, path)
        finally:
            os.unlink(temporary)
    except BaseException:
        listening.close()
        raise
    return listening, _identity(path)


def _bind_privately(listening: socket.socket, path: str) -> None:
    umask = os.umask(0o177)
    try:
        listening.bind(path)
    finally:
        os.umask(umask)


def _chown(temporary: str, path: str, owner: tuple[int, int]) -> None:
    if owner == (-1, -1):
        return
    try:
        os.chown(temporary, *owner)
    except PermissionError:
        raise ServerError(
            f"Not permitted to chown {path} to uid/gid {owner}; adjust "
            '"sockchown" value in config file or on command line to values that the '
            f"current user ({_user_name()}) can successfully chown"
        ) from None


def _user_name() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _take_name(temporary: str, path: str) -> None:
    """Give the socket its name, over a stale socket if need be; raises `ServerError`."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        _remove_stale(path)
        os.link(temporary, path)


def _remove_stale(path: str) -> None:
    """Unlink a socket that nobody listens on; only ever a socket."""
    if not _is_socket(path):
        raise ServerError(f"Cannot open an HTTP server: {path} exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            pass
        except OSError:
            raise ServerError(ADDRESS_IN_USE) from None  # it is there, only too busy
        else:
            raise ServerError(ADDRESS_IN_USE)
    sys.stderr.write(f"Unlinking stale socket {path}\n")
    os.unlink(path)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except OSError:
        return False


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
