"""An HTTP server in a loop that the test turns itself: real sockets, a clock turned by hand."""

from __future__ import annotations

import base64
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from supervisor import loggers
from supervisor.common.addresses import TcpAddress
from supervisor.config.model import ServerConfig
from supervisor.engine.loop import Loop
from supervisor.http.server import HTTPServer
from tests.support.clock import FakeClock
from tests.support.world import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisor.http.framing import Limits
    from supervisor.http.plugin_request import PluginRequest

TURNS = 2000


def unix_config(path: Path, **options: Any) -> ServerConfig:
    """Return the configuration of a server on a unix socket."""
    return ServerConfig("unix_http_server", file=str(path), **options)


def inet_config(port: int = 0, host: str = "127.0.0.1", **options: Any) -> ServerConfig:
    """Return the configuration of a server on TCP; port 0 leaves the choice to the kernel."""
    return ServerConfig("inet_http_server", TcpAddress(host, port), **options)


class Site:
    """A loop, a recorded log and the servers of a test."""

    def __init__(self, directory: Path, level: int = loggers.LevelsByName.INFO) -> None:
        self.directory = directory
        self.clock = FakeClock()
        self.recorder = Recorder()
        self.logger = loggers.Logger(level, [self.recorder])
        self.errors: list[str] = []
        self.loop = Loop(clock=self.clock, on_error=self.errors.append)  # type: ignore[arg-type]
        self.servers: list[HTTPServer] = []
        self.clients: list[Client] = []
        self.supervisord = SimpleNamespace(
            runtime=SimpleNamespace(loop=self.loop, logger=self.logger),
            options=SimpleNamespace(logfile=None),
            process_groups={},
        )

    def serve(
        self, *handlers: Any, config: ServerConfig | None = None, limits: Limits | None = None
    ) -> HTTPServer:
        """Open a server with handlers; on a unix socket by default."""
        config = config or unix_config(self.directory / "s")
        server = HTTPServer(config, self.loop, self.logger, limits)
        server.handlers = list(handlers)
        self.servers.append(server)
        return server

    def turn_until(self, happened: Callable[[], object]) -> None:
        """Turn the loop until something has happened; it must happen within some turns."""
        for _ in range(TURNS):
            if happened():
                return
            self.loop.run_once(0.005)
        raise AssertionError("it never happened")

    def run_once(self, times: int = 5) -> None:
        """Turn a few times: for what must not happen, behind what certainly has."""
        for _ in range(times):
            self.loop.run_once(0)

    def pass_time(self, seconds: float) -> None:
        """Advance the clock and run what is due."""
        self.clock.advance(seconds)
        self.run_once()

    def connect(self, host: str | None = None) -> Client:
        """Connect to the server that was opened last, at another host if it is given."""
        client = Client(self, self.servers[-1], host)
        self.clients.append(client)
        return client

    def ask(self, data: bytes) -> bytes:
        """Send one request on a connection of its own; return the whole answer."""
        client = self.connect()
        client.send(data)
        answer = client.answer()
        client.close()
        return answer

    def log(self) -> list[tuple[str, str]]:
        """Return what was logged: (level, text), but for who has connected."""
        return [line for line in self.recorder.lines if not line[1].startswith("connection from")]

    def close(self) -> None:
        """Close everything; no connection may be left, nor an error in the loop."""
        for client in self.clients:
            client.close()
        for server in self.servers:
            server.close()
        self.loop.close()
        assert self.errors == []


class Client:
    """A client with nothing between it and its bytes."""

    def __init__(self, site: Site, server: HTTPServer, host: str | None = None) -> None:
        self.site = site
        self.received = b""
        self.has_ended = False
        self.was_reset = False
        tcp = server.tcp_address
        if tcp is None:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(server.address)
        else:
            self.socket = socket.create_connection((host or tcp.host, tcp.port))
        self.socket.setblocking(False)

    def send(self, data: bytes) -> None:
        """Send bytes, turning the loop while the kernel takes no more."""
        view = memoryview(data)
        while view:
            try:
                view = view[self.socket.send(view) :]
            except BlockingIOError:
                self.site.loop.run_once(0)

    def receive(self) -> None:
        """Take what has come."""
        try:
            while data := self.socket.recv(65536):
                self.received += data
        except BlockingIOError:
            return
        except ConnectionResetError:
            self.was_reset = True
        self.has_ended = True

    def wait_for(self, happened: Callable[[], object]) -> None:
        """Turn the loop, receiving, until something has happened."""

        def look() -> object:
            self.receive()
            return happened()

        self.site.turn_until(look)

    def answer(self) -> bytes:
        """Return the next whole answer that has a length."""
        self.wait_for(lambda: b"\r\n\r\n" in self.received)
        head = self.received.partition(b"\r\n\r\n")[0]
        length = int(field(head, b"Content-Length") or 0)
        end = len(head) + 4 + length
        self.wait_for(lambda: len(self.received) >= end)
        answer, self.received = self.received[:end], self.received[end:]
        return answer

    def wait_for_end(self) -> None:
        """Wait until the server has closed the connection."""
        self.wait_for(lambda: self.has_ended)

    def close(self) -> None:
        """Leave."""
        self.socket.close()


def field(head: bytes, name: bytes) -> bytes | None:
    """Return a header field of an answer."""
    for line in head.split(b"\r\n")[1:]:
        found, _, value = line.partition(b": ")
        if found == name:
            return value
    return None


def status(answer: bytes) -> int:
    """Return the status code of an answer."""
    return int(answer.split(b" ", 2)[1])


def body(answer: bytes) -> bytes:
    """Return the body of an answer."""
    return answer.partition(b"\r\n\r\n")[2]


class Echo:
    """A plugin's handler that echoes the request, or responds as a test wants."""

    def __init__(self, respond: Callable[[PluginRequest], None] | None = None) -> None:
        self.requests: list[PluginRequest] = []
        self._respond = respond or self._echo

    def match(self, _request: object) -> bool:
        """Take everything."""
        return True

    def handle_request(self, request: PluginRequest) -> None:
        """Record the request, and respond."""
        self.requests.append(request)
        self._respond(request)

    @staticmethod
    def _echo(request: PluginRequest) -> None:
        request["Content-Type"] = "text/plain"
        request.push(f"{request.command} {request.uri} ")
        request.push(request.body)
        request.done()


def get(path: str = "/", *lines: str, version: str = "1.1", command: str = "GET") -> bytes:
    """Return a request without a body."""
    return "\r\n".join([f"{command} {path} HTTP/{version}", "Host: x", *lines, "", ""]).encode()


def post(content: bytes, path: str = "/RPC2", *lines: str) -> bytes:
    """Return a request with a body."""
    return get(path, f"Content-Length: {len(content)}", *lines, command="POST") + content


def basic(name: str, password: str, encoding: str = "utf-8") -> str:
    """Return the header line of a login."""
    credentials = f"{name}:{password}".encode(encoding)
    return "Authorization: Basic " + base64.b64encode(credentials).decode()
