"""Probes of literal addresses in a real loop, with servers of every temper."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from supervisor.common.probes import parse_probe
from supervisor.engine import probe_socket
from supervisor.engine.loop import Loop
from supervisor.engine.probe_socket import Phase, ProbeSocket
from tests.support.fds import nothing_left_open
from tests.support.turning import turn_all, turn_until

SUCCESS = "success"
OK = b"HTTP/1.1 200 OK\r\n\r\n"


class Site:
    """Probes in a real loop, and a listening socket whose server is the test."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.results: list[str] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.listener.settimeout(10)
        self.probes: list[ProbeSocket] = []

    def start(self, text: str = "", timeout: float = 10) -> ProbeSocket:
        """Start a probe, by default of the listener over HTTP."""
        probe = parse_probe(text or f"http://127.0.0.1:{self.port}/health")
        started = ProbeSocket(
            probe, timeout, self.loop, lambda failure: self.results.append(failure or SUCCESS)
        )
        self.probes.append(started)
        return started

    def result(self, text: str = "", timeout: float = 10) -> str:
        """Start a probe and return its result."""
        self.start(text, timeout)
        return self.wait()

    def wait(self) -> str:
        """Return the result that is reported next."""
        turn_until(self.loop, lambda: self.results)
        return self.results.pop()

    def accept(self) -> socket.socket:
        """Accept a probe's connection and receive its request."""
        connection, _ = self.listener.accept()
        connection.settimeout(0.01)
        head = b""

        def received() -> bool:
            nonlocal head
            try:
                head += connection.recv(4096)
            except TimeoutError:
                return False
            return b"\r\n\r\n" in head

        turn_until(self.loop, received)
        assert head.startswith(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:")
        connection.settimeout(10)
        return connection

    def close(self) -> None:
        """Leave nothing."""
        for probe in self.probes:
            probe.close()
        self.listener.close()
        self.loop.close()


@pytest.fixture
def site() -> Iterator[Site]:
    with nothing_left_open():
        made = Site()
        yield made
        made.close()


def closed_port() -> int:
    """Return a port on which no server listens, outside of the range of local ports."""
    for port in range(20_000, 30_000):
        with socket.socket() as other:
            if other.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED:
                return port
    raise AssertionError("no port is free")


# -- connections -----------------------------------------------------------------


def test_a_connection_is_success(site: Site) -> None:
    assert site.result(f"tcp://127.0.0.1:{site.port}") == SUCCESS
    assert site.probes[0].phase is Phase.CLOSED


def test_ipv6(site: Site) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        assert site.result(f"tcp://[::1]:{listener.getsockname()[1]}") == SUCCESS


def test_localhost_is_tried_in_both_families(site: Site) -> None:
    assert site.result(f"tcp://localhost:{site.port}") == SUCCESS
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
        assert site.result(f"tcp://localhost:{port}") == SUCCESS
        listener.settimeout(10)
        listener.accept()[0].close()
        site.start(f"http://localhost:{port}/")
        turn_until(site.loop, lambda: site.probes[-1].phase is Phase.RECEIVING)
        with listener.accept()[0] as connection:
            connection.recv(1000)
            connection.send(OK)
        assert site.wait() == SUCCESS


def test_the_failure_of_the_first_address_is_reported(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one may not even exist, on a host without IPv6."""
    plain = socket.socket

    def without_ipv6(family: int, kind: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        return plain(family, kind)

    port = closed_port()
    monkeypatch.setattr(socket, "socket", without_ipv6)
    assert site.result(f"tcp://localhost:{port}") == "connection refused"


def test_the_deadline_is_for_all_addresses(site: Site) -> None:
    site.start(f"http://localhost:{site.port}/health", timeout=0.1)
    assert site.wait() == "timed out after 0.1 seconds"
    turn_all(site.loop)
    assert site.probes[0].phase is Phase.CLOSED


def test_unix_sockets(site: Site, directory: Path) -> None:
    path = directory / "s"
    assert site.result(f"unix://{path}") == "no such file or directory"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert site.result(f"unix://{path}") == "connection refused"
        listener.listen()
        assert site.result(f"unix://{path}") == SUCCESS


def test_a_unix_socket_whose_queue_is_full(site: Site, directory: Path) -> None:
    path = directory / "s"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiting:
        listener.bind(str(path))
        listener.listen(0)
        waiting.connect(str(path))
        assert site.result(f"unix://{path}") == "the queue of connections is full"


def test_a_refused_connection(site: Site) -> None:
    assert site.result(f"tcp://127.0.0.1:{closed_port()}") == "connection refused"
    assert site.result(f"http://127.0.0.1:{closed_port()}") == "connection refused"


def test_results_are_never_reported_while_the_probe_is_made(site: Site) -> None:
    """Otherwise a callback that starts the next probe could recurse."""
    for text in (f"tcp://127.0.0.1:{site.port}", "unix:///nonexistent"):
        site.start(text)
        assert site.results == []
        site.wait()


def test_no_fd_is_free(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any) -> socket.socket:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(socket, "socket", refuse)
    assert site.result() == "too many open files"


def test_a_connection_to_itself_is_no_connection(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Selfish(socket.socket):
        """A socket to which the kernel has given the port that it connects to."""

        def connect_ex(self, address: Any) -> int:
            self.bind((address[0], 0))
            return super().connect_ex(self.getsockname())

    monkeypatch.setattr(socket, "socket", Selfish)
    assert site.result("tcp://127.0.0.1:1") == "connection refused"


# -- responses -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "result"),
    [
        (OK, SUCCESS),
        (b"HTTP/1.0 302 Found\r\n\r\n", SUCCESS),
        (b"HTTP/1.1 503 Busy\r\n\r\n", "HTTP 503"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 X\r\n\r\n", "HTTP 404"),
        (b"SSH-2.0-x\r\n", "not an HTTP response"),
        (b"\xff" * 20000, "not an HTTP response"),
        (b"HTTP/1.1 200 " + b"x" * 9000, "not an HTTP response"),
        (b"HTTP/1.1 200", "connection closed without a response"),
        (b"", "connection closed without a response"),
    ],
)
@pytest.mark.parametrize("is_whole", [True, False])
def test_statuses(site: Site, response: bytes, result: str, *, is_whole: bool) -> None:
    site.start()
    with site.accept() as connection:
        pieces = [response] if is_whole else [response[:7], response[7:8], response[8:]]
        for piece in pieces:
            connection.send(piece)
            turn_all(site.loop)
            if site.results:
                break
    assert site.wait() == result
    turn_until(site.loop, lambda: site.probes[0].phase is Phase.CLOSED)


def test_a_reset(site: Site) -> None:
    site.start()
    with site.accept() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert site.wait() == "connection reset by peer"


def test_a_long_request_is_sent_in_parts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    class Narrow(socket.socket):
        def send(self, data: Any, flags: int = 0) -> int:
            return super().send(data[:7], flags)

    monkeypatch.setattr(socket, "socket", Narrow)
    site.start()
    with site.accept() as connection:
        connection.sendall(OK)
        assert site.wait() == SUCCESS


# -- deadlines -------------------------------------------------------------------


def test_a_server_that_is_silent(site: Site) -> None:
    assert site.result(timeout=0.1) == "timed out after 0.1 seconds"
    assert site.probes[0].phase is Phase.CLOSED


def test_a_server_that_drips(site: Site) -> None:
    site.start(timeout=0.2)
    with site.accept() as connection:
        for byte in OK[:-6]:
            connection.send(bytes([byte]))
            turn_all(site.loop)
        assert site.wait() == "timed out after 0.2 seconds"


def test_a_probe_that_is_closed_reports_nothing(site: Site) -> None:
    for text in ("", "unix:///nonexistent", f"tcp://127.0.0.1:{site.port}"):
        probe = site.start(text, timeout=0.01)
        probe.close()
        probe.close()
    time.sleep(0.02)
    turn_all(site.loop)
    assert site.results == []


# -- after the result --------------------------------------------------------------


def test_the_rest_of_a_response_is_read(site: Site) -> None:
    """The server can write it all, and close in its own time."""
    probe = site.start()
    with site.accept() as connection:
        assert not probe.writable(), "the loop would not sleep"
        connection.send(OK)
        assert site.wait() == SUCCESS
        for _ in range(4):
            connection.send(b"x" * 10000)
            turn_all(site.loop)
        assert probe.phase is Phase.LINGERING
        connection.shutdown(socket.SHUT_WR)
        turn_until(site.loop, lambda: probe.phase is Phase.CLOSED)
        assert connection.recv(1) == b"", "a reset would raise"


def test_an_endless_response_ends(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_socket, "LINGER_SECONDS", 3600)
    probe = site.start()
    with site.accept() as connection:
        connection.send(OK)
        connection.setblocking(False)

        def is_reset() -> bool:
            try:
                connection.send(b"x" * 10000)
            except BlockingIOError:
                return False
            except OSError:
                return True
            return False

        turn_until(site.loop, is_reset)
    assert probe.phase is Phase.CLOSED
    assert site.results == [SUCCESS]


def test_a_response_that_does_not_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_socket, "LINGER_SECONDS", 0.05)
    probe = site.start(timeout=0.01)
    with site.accept() as connection:
        connection.send(OK)
        turn_until(site.loop, lambda: probe.phase is Phase.CLOSED)
        assert len(site.results) == 1


def test_an_exception_is_reported_to_both(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any) -> None:
        raise RuntimeError("unexpected")

    errors: list[str] = []
    site.loop.on_error = errors.append
    monkeypatch.setattr(probe_socket, "is_connected_to_itself", fail)
    assert site.result() == "internal error"
    assert len(errors) == 1


class Quiet(BaseHTTPRequestHandler):
    """A server that writes head and body separately, as many do."""

    errors: ClassVar[list[BaseException]] = []

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        try:
            for _ in range(20):
                self.wfile.write(b"x" * 1000)
                self.wfile.flush()
                time.sleep(0.001)
        except OSError as error:
            self.errors.append(error)

    def log_message(self, *_arguments: Any) -> None:
        pass


def serving(server: HTTPServer) -> Callable[[], None]:
    """Run a server in a thread; return the function that ends it."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    def stop() -> None:
        server.shutdown()
        thread.join()
        server.server_close()

    return stop


def test_a_real_server_notices_nothing(site: Site) -> None:
    server = HTTPServer(("127.0.0.1", 0), Quiet)
    stop = serving(server)
    try:
        assert site.result(f"http://127.0.0.1:{server.server_port}/") == SUCCESS
        turn_until(site.loop, lambda: site.probes[0].phase is Phase.CLOSED)
    finally:
        stop()
    assert Quiet.errors == []
