"""Floods over HTTP: what many clients at once may cost a real daemon."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.idle_clients import CONFIG, READ, connect
from tests.support.ports import free_port
from tests.support.proctable import memory_bytes

MB = 1024 * 1024

BODY = b"POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%b\r\n"

CALL = (
    b"<value><struct><member><name>methodName</name>"
    b"<value>supervisor.getAllProcessInfo</value></member></struct></value>"
)
MULTICALL = (
    b"<methodCall><methodName>system.multicall</methodName><params><param><value><array><data>"
    b"%b</data></array></value></param></params></methodCall>"
)


@contextmanager
def on_tcp(
    directory: Path, options: str = "", within: tuple[str, ...] = ()
) -> Iterator[tuple[Daemon, int]]:
    """Run a daemon that also listens on the loopback address; yield it and its port."""
    port = free_port()
    config = f"minfds=400\n{CONFIG}[inet_http_server]\nport=127.0.0.1:{port}\n{options}"
    with Daemon(directory, config, within=within) as daemon:
        yield daemon, port


def tcp_client(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def send_what_is_taken(client: socket.socket, data: bytes) -> None:
    """Send as much as the daemon takes; it may refuse the rest."""
    client.settimeout(2)
    with suppress(OSError):
        client.sendall(data)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ("", b"Origin: http://evil.example\r\n"),
        ("username=u\npassword=p\n", b""),
        ("", b"Host2: x\r\n"),
    ],
)
def test_bodies_that_never_end(directory: Path, options: str, field: bytes) -> None:
    """Of a foreign page and without a password none is taken; of others not more than 64 MB.

    What the allocator has not given back comes on top; without a limit it would be 320 MB.
    """
    with on_tcp(directory, options) as (daemon, port), ExitStack() as clients:
        assert daemon.rpc.supervisor.getState()
        before = memory_bytes(daemon.pid)
        head = BODY.replace(b"Host: x", b"Host: localhost") % (16 * MB, field)
        for _ in range(20):
            client = clients.enter_context(tcp_client(port))
            send_what_is_taken(client, head + b"x" * (16 * MB - 1))
        assert daemon.rpc.supervisor.getState()
        assert memory_bytes(daemon.pid) - before < (200 if b"Host2" in field else 20) * MB


@pytest.mark.parametrize("over", ["unix", "tcp"])
def test_half_requests_do_not_lock_an_administrator_out(directory: Path, over: str) -> None:
    """On a socket that takes a hundred connections, each of which waits for the rest of a body."""
    few_fds = ("sh", "-c", 'ulimit -n 400; exec "$@"', "sh")
    half = BODY.replace(b"Host: x", b"Host: localhost") % (9, b"Expect: 100-continue\r\n")
    with on_tcp(directory, within=few_fds) as (daemon, port), ExitStack() as clients:
        daemon.close_rpc()
        for number in range(150):
            client = tcp_client(port) if over == "tcp" else connect(daemon, b"")
            clients.enter_context(client).sendall(half)
            if number < 100:
                assert b"100 Continue" in client.recv(100)
        with tcp_client(port) if over == "tcp" else connect(daemon, b"") as admin:
            admin.settimeout(5)
            admin.sendall(b"GET /ok.html HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert admin.recv(12) == b"HTTP/1.1 200"


def test_a_multicall_of_a_hundred_thousand_calls(directory: Path) -> None:
    with Daemon(directory, CONFIG) as daemon:
        before = memory_bytes(daemon.pid)
        document = MULTICALL % (CALL * 100_000)
        with connect(daemon, BODY % (len(document), b"") + document) as client:
            assert b"more than 10000 calls" in client.recv(10_000)
        assert memory_bytes(daemon.pid) - before < 150 * MB
        call = {"methodName": "supervisor.getAllProcessInfo", "params": []}
        answers = daemon.rpc.system.multicall([call] * 5000)
        assert len(answers) == 5000
        assert all(answer[0]["name"] == "big" for answer in answers)


def test_a_multicall_with_large_results(directory: Path) -> None:
    with Daemon(directory, CONFIG) as daemon:
        daemon.wait_for_text("big.log", "READY")  # the last that the program writes
        (directory / "big.log").write_bytes(b"x" * 5 * MB)
        before = memory_bytes(daemon.pid)
        call = {"methodName": "supervisor.readProcessStdoutLog", "params": ["big", 0, 0]}
        answers = daemon.rpc.system.multicall([call] * 200)
        assert memory_bytes(daemon.pid) - before < 350 * MB
        values = [answer for answer in answers if isinstance(answer, str)]
        assert 12 < len(values) < 16
        assert {answer["faultCode"] for answer in answers[len(values) :]} == {30}


def test_large_answers_that_are_not_read(directory: Path) -> None:
    """More than 128 MB are never kept, and one that is read is whole."""
    with Daemon(directory, CONFIG) as daemon, ExitStack() as clients:
        daemon.wait_for_text("big.log", "READY")  # the last that the program writes
        (directory / "big.log").write_bytes(b"x" * 50 * MB)
        call = BODY % (len(READ), b"") + READ
        before = memory_bytes(daemon.pid)
        for _ in range(6):
            client = clients.enter_context(connect(daemon, call))
            assert client.recv(1)
        assert daemon.rpc.supervisor.getState()
        assert memory_bytes(daemon.pid) - before < 230 * MB
        assert len(daemon.rpc.supervisor.readProcessStdoutLog("big", 0, 0)) == 50 * MB


def test_failed_logins_do_not_fill_the_log(directory: Path) -> None:
    with on_tcp(directory, "username=u\npassword=p\n") as (daemon, port):
        import base64

        word = base64.b64encode(b"x" * 10_000 + b":y").decode()
        for _ in range(200):
            with tcp_client(port) as client:
                lines = f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {word}\r\n\r\n"
                client.sendall(lines.encode())
                assert client.recv(12).endswith(b"401")
        daemon.wait_for_log("more failed logins within a second")
        assert len(daemon.log_text()) < 20_000
