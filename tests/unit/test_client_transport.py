"""HTTP answers are read whole, byte by byte or cut anywhere; connections are kept."""

from __future__ import annotations

import gc
import threading
import xmlrpc.client
from http.client import BadStatusLine, IncompleteRead, RemoteDisconnected
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.client import transport
from supervisor.client.transport import ResponseParser, SupervisorTransport
from tests.support.fakeserver import rpc_answer, serving

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

ANSWERS = {
    "sized": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    "empty": (b"HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", b""),
    "no body": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "chunked": (
        CHUNKED + b"5\r\nhello\r\nA;x=y\r\n, you all!\r\n0\r\nTrailer: x\r\n\r\n",
        b"hello, you all!",
    ),
    "line feeds in chunks": (
        CHUNKED + b"2\r\n\r\n\r\n0\r\n\r\n",
        b"\r\n",
    ),
}


def read(pieces: list[bytes]) -> tuple[ResponseParser, bytes]:
    """Feed a parser; return it and the body."""
    parser = ResponseParser()
    return parser, b"".join([parser.feed(piece) for piece in pieces])


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_response_in_pieces_of_one_size(name: str, size: int) -> None:
    raw, body = ANSWERS[name]
    parser, found = read([raw[at : at + size] for at in range(0, len(raw), size)])
    assert (parser.done, found) == (True, body)


@given(st.sampled_from(sorted(ANSWERS)), st.lists(st.integers(0, 120)))
def test_a_response_cut_anywhere(name: str, cuts: list[int]) -> None:
    raw, body = ANSWERS[name]
    edges = [0, *sorted(cuts), len(raw)]
    parser, found = read([raw[a:b] for a, b in pairwise(edges)])
    assert (parser.done, found) == (True, body)


def test_a_response_without_length_ends_with_the_connection() -> None:
    parser, body = read([b"HTTP/1.0 200 OK\r\n\r\nab", b"cd"])
    assert not parser.done
    parser.end()
    assert (parser.done, body, parser.keeps_connection) == (True, b"abcd", False)


def test_the_head() -> None:
    parser, _ = read([b"HTTP/1.1 401 Not you\r\nWWW-Authenticate:  Basic x \r\n\r\n"])
    assert (parser.status, parser.reason) == (401, "Not you")
    assert parser.headers == {"www-authenticate": "Basic x"}


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close", False),
        (b"HTTP/1.1 200 OK", False),
    ],
)
def test_whether_the_connection_can_be_kept(head: bytes, kept: bool) -> None:  # noqa: FBT001
    parser, _ = read([head + b"\r\n\r\n"])
    assert parser.keeps_connection is kept


@pytest.mark.parametrize(
    "raw",
    [
        b"220 mail.example.org ESMTP\r\n",
        b"\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
        CHUNKED + b"-5\r\n",
        CHUNKED + b"\r\n",
        CHUNKED + b"1" * 70_000,
        CHUNKED + b"1\r\nabc\r\n",
    ],
)
def test_what_is_not_http_is_refused_at_once(raw: bytes) -> None:
    with pytest.raises(BadStatusLine):
        read([raw])


def test_the_end_of_the_connection_before_the_end_of_the_response() -> None:
    with pytest.raises(RemoteDisconnected):
        ResponseParser().end()
    for name in ("sized", "chunked"):
        for cut in range(1, len(ANSWERS[name][0])):
            parser, _ = read([ANSWERS[name][0][:cut]])
            with pytest.raises(IncompleteRead):
                parser.end()


# -- addresses --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "address", "host"),
    [
        ("http://localhost:9001", ("localhost", 9001), "localhost:9001"),
        ("http://example.org", ("example.org", 80), "example.org"),
        ("http://example.org/some/path", ("example.org", 80), "example.org"),
        ("http://[::1]:9001/", ("::1", 9001), "[::1]:9001"),
        ("http://[::1]", ("::1", 80), "[::1]"),
        ("http://user:word@example.org:1", ("example.org", 1), "example.org:1"),
    ],
)
def test_where_a_url_points_to(url: str, address: tuple[str, int], host: str) -> None:
    assert transport._host_and_port(url) == address
    assert transport.host_header(url) == host


@pytest.mark.parametrize("url", ["https://x", "", "x", None, "/path"])
def test_other_addresses_are_refused_when_the_transport_is_made(url: str | None) -> None:
    with pytest.raises(ValueError, match="Unknown protocol for serverurl"):
        SupervisorTransport(None, None, url)


def test_a_port_that_is_no_number() -> None:
    with pytest.raises(ValueError, match="nonnumeric port"):
        transport.connect("http://localhost:nine")


# -- XML-RPC ---------------------------------------------------------------------------


def proxy_of(carrier: SupervisorTransport) -> xmlrpc.client.ServerProxy:
    """Return the standard library's proxy on our transport, as scripts make it."""
    return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=carrier)  # type: ignore[arg-type]


def test_the_standard_proxy_over_tcp_keeps_one_connection() -> None:
    with serving(lambda _: rpc_answer("here")) as server:
        carrier = SupervisorTransport("", "", server.url)
        proxy = proxy_of(carrier)
        assert [proxy.supervisor.getState(), proxy.supervisor.getState()] == ["here", "here"]
        carrier.close()
    assert server.connections == 1
    assert b"Authorization" not in server.requests[0]
    assert b"\r\nHost: %b\r\n" % server.url.removeprefix("http://").encode() in server.requests[0]


def test_the_standard_proxy_over_a_unix_socket_with_a_password(directory: Path) -> None:
    with serving(lambda _: rpc_answer("here"), directory / "s.sock") as server:
        carrier = SupervisorTransport("user", "pass:word", server.url)
        assert proxy_of(carrier).supervisor.getState() == "here"
        carrier.close()
    assert b"Authorization: Basic dXNlcjpwYXNzOndvcmQ=\r\n" in server.requests[0]
    assert b"\r\nHost: localhost\r\n" in server.requests[0]


def test_a_connection_that_the_server_closes_is_reopened() -> None:
    with serving(lambda _: rpc_answer("here", "Connection: close")) as server:
        carrier = SupervisorTransport(None, None, server.url)
        proxy = proxy_of(carrier)
        assert [proxy.a(), proxy.a(), proxy.a()] == ["here"] * 3
    assert server.connections == 3


def test_a_connection_that_was_closed_meanwhile_is_reopened() -> None:
    """The server gives an idle connection up without saying so."""
    replies = iter([rpc_answer("one"), None, rpc_answer("two")])
    with serving(lambda _: next(replies)) as server:
        proxy = proxy_of(SupervisorTransport(None, None, server.url))
        assert [proxy.a(), proxy.a()] == ["one", "two"]
    assert server.connections == 2


def test_a_new_connection_that_is_closed_is_not_tried_twice() -> None:
    with serving(lambda _: None) as server, pytest.raises(RemoteDisconnected):
        proxy_of(SupervisorTransport(None, None, server.url)).a()
    assert server.connections == 1


def test_another_status_is_a_protocol_error() -> None:
    answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno"
    with serving(lambda _: answer) as server:
        carrier = SupervisorTransport(None, None, server.url)
        with pytest.raises(xmlrpc.client.ProtocolError) as raised:
            proxy_of(carrier).a()
        carrier.close()
    assert (raised.value.errcode, raised.value.errmsg) == (401, "Unauthorized")
    assert raised.value.url == "127.0.0.1/RPC2"


def test_a_server_that_does_not_respond_in_time() -> None:
    released = threading.Event()

    def hang(_request: bytes) -> None:
        released.wait(20)

    with serving(hang) as server:
        carrier = SupervisorTransport(None, None, server.url)
        carrier.timeout = 0.05
        with pytest.raises(TimeoutError):
            proxy_of(carrier).a()
        assert carrier.connection is None, "its late answer must not be taken for another's"
        released.set()


def test_an_enormous_response() -> None:
    text = "x" * 20_000_000
    with serving(lambda _: rpc_answer(text)) as server:
        assert proxy_of(SupervisorTransport(None, None, server.url)).a() == text


def test_a_forgotten_transport_closes_its_connection() -> None:
    """Scripts never close it; a warning about that would be an error in this test."""
    with serving(lambda _: rpc_answer("here")) as server:
        proxy = proxy_of(SupervisorTransport(None, None, server.url))
        proxy.a()
        del proxy
        gc.collect()
