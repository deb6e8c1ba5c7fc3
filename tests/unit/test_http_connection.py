"""One connection: what a client may expect, and what it may not do to others."""

from __future__ import annotations

import contextlib
import gc
import itertools
import socket
import struct
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from supervisor import loggers
from supervisor.engine.deferred import NOT_DONE_YET, Notifier
from supervisor.http import connection as channels
from supervisor.http import phases
from supervisor.http.connection import HIGH_WATER
from supervisor.http.framing import Limits
from supervisor.http.handling import Gate, Handler
from supervisor.http.plugin_request import PluginRequest
from supervisor.http.reception import NO_HEAD
from supervisor.http.request import Request
from supervisor.http.response import DeferredReply, Response, error_response, frame
from tests.support.httpsite import Client, Echo, Site, body, field, get, inet_config, post, status

CHUNKED = get("/", "Transfer-Encoding: chunked", command="POST")


@pytest.fixture
def site(directory: Path) -> Iterator[Site]:
    made = Site(directory, loggers.LevelsByName.TRAC)
    yield made
    made.close()


def connections(site: Site) -> list[Any]:
    """Return the connections that the server holds."""
    return list(site.servers[-1]._connections)


# -- requests and responses --------------------------------------------------------


def test_a_response_has_the_fields_that_clients_need(site: Site) -> None:
    site.serve(Echo())
    assert site.ask(get("/a")).split(b"\r\n") == [
        b"HTTP/1.1 200 OK",
        b"Server: Supervisor",
        b"Date: Tue, 14 Nov 2023 22:13:20 GMT",
        b"Content-Type: text/plain",
        b"Content-Length: 7",
        b"",
        b"GET /a ",
    ]


def test_a_connection_serves_one_request_after_the_other(site: Site) -> None:
    site.serve(Echo())
    client = site.connect()
    for path in ("/1", "/2", "/3"):
        client.send(get(path))
        assert body(client.answer()) == f"GET {path} ".encode()


def test_pipelined_requests_are_served_in_order(site: Site) -> None:
    site.serve(Echo())
    client = site.connect()
    client.send(get("/1") + post(b"two", "/2") + get("/3"))
    answers = [body(client.answer()) for _ in range(3)]
    assert answers == [b"GET /1 ", b"POST /2 two", b"GET /3 "]


def test_a_request_may_come_byte_by_byte(site: Site) -> None:
    site.serve(Echo())
    client = site.connect()
    for byte in post(b"slow"):
        client.send(bytes([byte]))
        site.loop.run_once(0)
    assert body(client.answer()) == b"POST /RPC2 slow"


def test_a_large_body_arrives_whole(site: Site) -> None:
    site.serve(echo := Echo())
    content = bytes(range(256)) * 4000
    site.ask(post(content))
    assert echo.requests[0].body == content


@pytest.mark.parametrize(
    ("version", "line", "said"),
    [
        ("1.0", None, None),
        ("1.1", "Connection: close", b"close"),
    ],
)
def test_the_connection_is_closed_at_the_clients_request(
    site: Site, version: str, line: str | None, said: bytes | None
) -> None:
    site.serve(Echo())
    client = site.connect()
    client.send(get("/", *([line] if line else []), version=version))
    assert field(client.answer(), b"Connection") == said
    client.wait_for_end()


def test_http_1_0_may_keep_the_connection(site: Site) -> None:
    site.serve(Echo())
    client = site.connect()
    for _ in range(2):
        client.send(get("/", "Connection: keep-alive", version="1.0"))
        answer = client.answer()
        assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
        assert field(answer, b"Connection") == b"Keep-Alive"


def test_head_gets_the_header_alone(site: Site) -> None:
    site.serve(Echo())
    client = site.connect()
    client.send(get("/a", command="HEAD") + get("/b"))
    client.wait_for(lambda: client.received.endswith(b"GET /b "))
    head = client.received.partition(b"\r\n\r\n")[0]
    assert field(head, b"Content-Length") == b"8"
    assert client.received.count(b"HTTP/1.1 200") == 2
    assert b"HEAD /a" not in client.received


def test_continue_is_sent_to_a_client_that_expects_it(site: Site) -> None:
    site.serve(Echo())
    client = site.connect()
    head, _, content = post(b"later", "/", "Expect: 100-continue").partition(b"\r\n\r\n")
    client.send(head + b"\r\n\r\n")
    client.wait_for(lambda: client.received == b"HTTP/1.1 100 Continue\r\n\r\n")
    client.received = b""
    client.send(content)
    assert body(client.answer()) == b"POST / later"


def test_a_body_in_chunks_and_what_follows(site: Site) -> None:
    site.serve(echo := Echo())
    client = site.connect()
    stream = CHUNKED + b"5\r\nhello\r\n3;a=b\r\n, a\r\n0\r\nA: b\r\n\r\n" + get("/next")
    for place in range(len(stream)):
        client.send(stream[place : place + 1])
        site.run_once(1)
    assert body(client.answer()) == b"POST / hello, a"
    assert body(client.answer()) == b"GET /next "
    assert echo.requests[0].header == ["Host: x", "Transfer-Encoding: chunked"]


def test_continue_is_sent_before_a_chunked_body(site: Site) -> None:
    site.serve(Echo())
    client = site.connect()
    client.send(CHUNKED.replace(b"Host: x", b"Host: x\r\nExpect: 100-continue"))
    client.wait_for(lambda: client.received == b"HTTP/1.1 100 Continue\r\n\r\n")
    client.received = b""
    client.send(b"5\r\nlater\r\n0\r\n\r\n")
    assert body(client.answer()) == b"POST / later"


def test_a_client_may_stop_sending_and_still_read(site: Site) -> None:
    """As `nc -N` does."""
    site.serve(Echo(lambda request: (request.push(b"x" * 1_000_000), request.done())))
    client = site.connect()
    client.send(get())
    client.socket.shutdown(socket.SHUT_WR)
    assert len(body(client.answer())) == 1_000_000
    client.wait_for_end()


def half_closed(site: Site, handler: Any, requests: bytes, config: Any = None) -> Client:
    """Return a client that has sent requests and closed its side of the connection."""
    site.serve(handler, config=config)
    client = site.connect()
    client.send(requests)
    client.socket.shutdown(socket.SHUT_WR)
    return client


@pytest.mark.parametrize("over", ["unix", "tcp"])
def test_a_deferred_response_reaches_a_client_that_has_half_closed(
    site: Site, slow: Slow, over: str
) -> None:
    config = inet_config() if over == "tcp" else None
    client = half_closed(site, slow, get() + get("/next"), config)
    site.turn_until(lambda: slow.polls)
    site.run_once(20)
    assert connections(site)
    slow.result = b"now"
    slow.changed.notify()
    client.wait_for_end()
    assert client.received.count(b"now") == 2, "the request behind it is served too"
    site.turn_until(lambda: not connections(site))


@pytest.mark.parametrize("over", ["unix", "tcp"])
def test_a_client_that_half_closes_and_then_disconnects_is_detected(
    site: Site, slow: Slow, over: str
) -> None:
    client = half_closed(site, slow, get(), inet_config() if over == "tcp" else None)
    site.turn_until(lambda: slow.polls)
    site.run_once(20)
    if over == "tcp":  # as the system of a client answers a keep-alive probe, once it has gone
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    site.turn_until(lambda: not connections(site))
    assert not slow.changed
    assert slow.polls == 1


@pytest.mark.parametrize("requests", [b"", b"G", post(b"body")[:-1], get() + b"G"])
def test_an_incomplete_request_is_dropped_at_the_end_of_input(site: Site, requests: bytes) -> None:
    client = half_closed(site, Echo(), requests)
    client.wait_for_end()
    assert client.received.count(b"HTTP/1.1 200") == (requests.startswith(b"GET"))
    site.turn_until(lambda: not connections(site))


def test_a_stream_that_waits_ends_when_the_client_half_closes(site: Site) -> None:
    """A log is followed until the client leaves, and that looks the same."""
    bits = Bits(b"one", b"two", NOT_DONE_YET)
    client = half_closed(site, stream(bits), get())
    client.wait_for_end()
    assert b"two" in client.received
    assert bits.is_closed
    site.turn_until(lambda: not connections(site))


@pytest.mark.parametrize("size", [0, 1, 1_000_000])
def test_a_response_of_any_size_is_complete_and_keeps_the_connection(site: Site, size: int) -> None:
    class Large:
        def match(self, _request: Request) -> bool:
            return True

        def handle_request(self, request: PluginRequest) -> None:
            request.push(content[: size // 2])
            request.push(content[size // 2 :])
            request.done()

    content = bytes(range(1, 251)) * (size // 250 + 1)
    content = content[:size]
    site.serve(Large())
    client = site.connect()
    client.send(get("/1") + get("/2"))
    for _ in range(2):
        answer = client.answer()
        assert field(answer, b"Content-Length") == str(size).encode()
        assert body(answer) == content


def test_a_body_is_not_copied_behind_its_header() -> None:
    request = Request(NO_HEAD, Mock(), Mock())
    response = Response(200, {}, [content := b"x" * 100])
    (head, body_sent), stream, keep_alive = frame(request, response, "date", keep_alive=True)
    assert head.endswith(b"\r\n\r\n")
    assert body_sent is content
    assert (stream, keep_alive) == (None, True)


def test_the_access_is_logged_at_trace(site: Site) -> None:
    site.serve(Echo())
    answer = site.ask(get("/a"))
    [(level, text)] = site.log()
    assert level == "trace"
    assert text.startswith("localhost:0 - - [1")
    assert text.endswith(f'] "GET /a HTTP/1.1" 200 {len(answer)}')


# -- errors --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400),
        (CHUNKED.replace(b"chunked", b"gzip") + b"0\r\n\r\n", 501),
        (CHUNKED + b"100000\r\n" + b"x" * 1000, 413),
        (CHUNKED + b"5 \r\nhello\r\n", 400),
        (b"GET /" + b"a" * 10_000, 414),
        (post(b"x" * 101), 413),
    ],
)
def test_a_bad_request_gets_a_response_and_the_connection_is_closed(
    site: Site, data: bytes, code: int
) -> None:
    site.serve(Echo(), limits=Limits(body=100))
    client = site.connect()
    client.send(data)
    answer = client.answer()
    assert status(answer) == code
    assert field(answer, b"Connection") == b"close"
    client.wait_for_end()
    client.close()
    site.turn_until(lambda: not connections(site))


def test_the_response_to_a_bad_request_survives_further_input(site: Site) -> None:
    """Over TCP, a close with unread input would make the kernel throw the answer away."""
    site.serve(Echo(), config=inet_config(), limits=Limits(body=100))
    client = site.connect()
    client.send(post(b"x" * 300_000))
    assert status(client.answer()) == 413
    client.wait_for_end()
    assert not client.was_reset


def test_a_request_can_be_refused_before_its_body(site: Site) -> None:
    class Closed(Gate):
        """A gate that nothing passes."""

        bodies = 0

        def match(self, _request: Request) -> bool:
            return True

        def admit(self, request: Request) -> Response:
            self.bodies += bool(request.body)
            return error_response(403)

    site.serve(gate := Closed())
    client = site.connect()
    client.send(post(b"x" * 1000)[:-1])
    answer = client.answer()
    assert (status(answer), field(answer, b"Connection")) == (403, b"close")
    client.wait_for_end()
    assert not gate.bodies


def test_a_handler_that_raises_is_500(site: Site) -> None:
    def fail(request: PluginRequest) -> None:
        request.push(b"half an answer")
        raise LookupError("no luck")

    site.serve(Echo(fail))
    client = site.connect()
    for _ in range(2):
        client.send(get())
        answer = client.answer()
        assert status(answer) == 500
        assert b"half" not in answer
    level, text = site.log()[0]
    assert level == "error"
    assert text.startswith("localhost:0:Server Error: <class 'LookupError'>, no luck\n")
    assert "Traceback" in text


def test_a_handler_that_raises_after_its_response_does_no_harm(site: Site) -> None:
    def respond_and_fail(request: PluginRequest) -> None:
        request.push(b"done")
        request.done()
        request.done()
        raise LookupError

    site.serve(Echo(respond_and_fail))
    client = site.connect()
    client.send(get() + get())
    assert [body(client.answer()) for _ in range(2)] == [b"done", b"done"]


def test_a_line_break_in_a_field_of_a_response_is_500(site: Site) -> None:
    def split(request: PluginRequest) -> None:
        request["Location"] = "/\r\nSet-Cookie: a=b"

    site.serve(Echo(split))
    answer = site.ask(get())
    assert status(answer) == 500
    assert b"Set-Cookie" not in answer


def test_a_request_without_a_handler_is_404(site: Site) -> None:
    site.serve()
    assert status(site.ask(get())) == 404


# -- deferred responses -------------------------------------------------------------


class Slow(Handler):
    """A deferred function whose result a test sets, and the handler that polls it."""

    def __init__(self) -> None:
        self.result: Any = NOT_DONE_YET
        self.polls = 0
        self.changed = Notifier()

    def match(self, _request: Request) -> bool:
        """Match all requests."""
        return True

    def respond(self, _request: Request) -> DeferredReply:
        """Return a reply that polls the function."""
        return DeferredReply(
            self.poll,
            on_result=lambda result: Response(200, {}, [result]),
            on_error=lambda _error: error_response(503),
        )

    def _next(self) -> Any:
        """Return or raise the result that the test has set."""
        self.polls += 1
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def notified(self) -> Any:
        """Return the function with a wake source."""

        def poll() -> Any:
            return self._next()

        poll.wake_sources = (self.changed,)  # type: ignore[attr-defined]
        return poll

    def polled(self, delay: float) -> Any:
        """Return the function as a plugin writes it, with a delay."""

        def poll() -> Any:
            return self._next()

        poll.delay = delay  # type: ignore[attr-defined]
        return poll

    poll: Any = None


@pytest.fixture
def slow() -> Slow:
    made = Slow()
    made.poll = made.notified()
    return made


def test_a_deferred_response_is_sent_in_the_iteration_of_its_notification(
    site: Site, slow: Slow
) -> None:
    site.serve(slow)
    client = site.connect()
    client.send(get() + get("/next"))
    site.turn_until(lambda: slow.polls)
    site.pass_time(3600)
    assert slow.polls == 1, "no poll in vain"
    slow.result = b"now"
    slow.changed.notify()
    site.loop.run_once(0)
    client.receive()
    assert client.received.count(b"now") == 2, "the request behind it is served too"


def test_two_notifications_cause_one_poll(site: Site, slow: Slow) -> None:
    other = Notifier()
    slow.poll.wake_sources = (slow.changed, other)
    site.serve(slow)
    site.connect().send(get())
    site.turn_until(lambda: slow.polls)
    slow.changed.notify()
    other.notify()
    site.run_once()
    assert slow.polls == 2


def test_a_deferred_function_without_wake_sources_is_polled(site: Site, slow: Slow) -> None:
    slow.poll = slow.polled(0.5)
    site.serve(slow)
    client = site.connect()
    client.send(get())
    site.turn_until(lambda: slow.polls)
    site.pass_time(0.4)
    assert slow.polls == 1
    slow.result = b"polled"
    site.pass_time(0.2)
    assert body(client.answer()) == b"polled"


def test_polling_is_never_a_busy_loop(site: Site, slow: Slow) -> None:
    slow.poll = slow.polled(0)
    site.serve(slow)
    site.connect().send(get())
    site.turn_until(lambda: slow.polls)
    site.run_once(20)
    assert slow.polls == 1


def test_a_deferred_function_that_raises_gets_a_response(site: Site, slow: Slow) -> None:
    site.serve(slow)
    client = site.connect()
    client.send(get())
    site.turn_until(lambda: slow.polls)
    slow.result = LookupError()
    slow.changed.notify()
    assert status(client.answer()) == 503


def test_a_client_that_disconnects_ends_the_polling(site: Site, slow: Slow) -> None:
    site.serve(slow)
    client = site.connect()
    client.send(get())
    site.turn_until(lambda: slow.polls)
    client.close()
    site.turn_until(lambda: not connections(site))
    assert not slow.changed
    slow.changed.notify()
    site.run_once()
    assert slow.polls == 1


def test_a_closed_connection_is_freed_at_once(site: Site, slow: Slow) -> None:
    """Without waiting for the garbage collector: a flood would leave thousands."""
    site.serve(slow)
    client = site.connect()
    client.send(get())
    site.turn_until(lambda: slow.polls)
    gone = weakref.ref(connections(site)[0])
    gc.disable()
    try:
        client.close()
        site.turn_until(lambda: not connections(site))
        site.run_once()
        assert gone() is None
    finally:
        gc.enable()


# -- slow clients ------------------------------------------------------------------


def test_a_silent_client_is_closed_after_a_minute(site: Site) -> None:
    site.serve(Echo())
    client = site.connect()
    site.turn_until(lambda: connections(site))
    site.pass_time(59)
    client.receive()
    assert not client.has_ended
    site.pass_time(2)
    client.wait_for_end()
    assert client.received == b""


@pytest.mark.parametrize("length", [10, len(post(b"body")) - 1])
def test_a_request_that_is_not_completed_is_408(site: Site, length: int) -> None:
    site.serve(Echo())
    client = site.connect()
    client.send(post(b"body")[:length])
    site.turn_until(lambda: connections(site) and connections(site)[0].phase is phases.RECEIVING)
    site.pass_time(61)
    assert status(client.answer()) == 408
    client.wait_for_end()


def test_an_idle_connection_has_no_timeout(site: Site) -> None:
    """An interactive supervisorctl does."""
    site.serve(Echo())
    client = site.connect()
    client.send(get())
    client.answer()
    site.pass_time(100_000)
    client.send(get())
    assert status(client.answer()) == 200


def fill(site: Site, client: Client) -> Any:
    """Ask for more than the kernel takes; return the connection once it has stopped."""
    client.send(get())
    site.turn_until(lambda: connections(site) and connections(site)[0].writable())
    site.run_once()
    return connections(site)[0]


@pytest.mark.parametrize("phase", [phases.NEW, phases.IDLE], ids=lambda phase: phase.name)
def test_an_empty_line_is_not_the_beginning_of_a_request(site: Site, phase: phases.Phase) -> None:
    """A client that sends nothing else is treated as if it had not sent it."""
    site.serve(Echo())
    client = site.connect()
    if phase is phases.IDLE:
        client.send(get())
        client.answer()
    for byte in (b"\r", b"\n"):
        client.send(byte)
        site.run_once()
    assert connections(site)[0].phase is phase


def test_a_client_that_does_not_read_is_dropped(site: Site) -> None:
    site.serve(Echo(lambda request: (request.push(b"x" * 5_000_000), request.done())))
    fill(site, site.connect())
    site.pass_time(61)
    site.turn_until(lambda: not connections(site))


def test_a_client_that_reads_slowly_is_not_dropped(site: Site) -> None:
    site.serve(Echo(lambda request: (request.push(b"x" * 5_000_000), request.done())))
    client = site.connect()
    fill(site, client)
    for _ in range(5):
        before = len(client.received)
        client.wait_for(lambda before=before: len(client.received) > before)  # type: ignore[misc]
        site.pass_time(59)
    assert len(body(client.answer())) == 5_000_000


class Endless:
    """A body without end."""

    made = 0

    def more(self) -> bytes:
        """Return some of it."""
        self.made += 50_000
        return b"x" * 50_000


def test_no_more_is_made_than_the_client_reads(site: Site) -> None:
    endless = Endless()
    site.serve(Echo(lambda request: (request.push(endless), request.done())))
    connection = fill(site, site.connect())
    made = endless.made
    site.run_once(20)
    assert endless.made == made
    assert connection._outbox.unsent_bytes < HIGH_WATER + 60_000


def test_no_more_is_read_than_can_be_served(site: Site, slow: Slow) -> None:
    site.serve(slow)
    client = site.connect()
    client.send(get())
    site.turn_until(lambda: slow.polls)
    for _ in range(20):
        with contextlib.suppress(BlockingIOError):
            while True:
                client.socket.send(get() * 1000)
        site.run_once()
    [connection] = connections(site)
    assert connection._reception.pending_bytes < HIGH_WATER + channels.READ_BYTES


# -- bodies that come bit by bit -------------------------------------------------------


class Bits:
    """A body in pieces."""

    def __init__(self, *pieces: Any) -> None:
        self.pieces = list(pieces)
        self.is_closed = False

    def more(self) -> Any:
        """Return the next piece."""
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        """Take note."""
        self.is_closed = True


def stream(*parts: Any) -> Echo:
    """Return a handler that answers with parts."""

    def answer(request: PluginRequest) -> None:
        for part in parts:
            request.push(part)
        request.done()

    return Echo(answer)


def test_a_body_of_unknown_length_goes_in_chunks(site: Site) -> None:
    site.serve(stream("head ", bits := Bits(b"one", b"two")))
    client = site.connect()
    client.send(get())
    client.wait_for(lambda: client.received.endswith(b"\r\n0\r\n\r\n"))
    head, _, content = client.received.partition(b"\r\n\r\n")
    assert field(head, b"Transfer-Encoding") == b"chunked"
    assert content == b"5\r\nhead \r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    assert bits.is_closed
    client.received = b""
    client.send(get())
    client.wait_for(lambda: client.received)


def test_a_long_stream_does_not_starve_the_loop(site: Site) -> None:
    site.serve(stream(bits := Bits(*[b"x"] * 50)))
    site.connect().send(get())
    taken = []

    def all_taken() -> bool:
        taken.append(50 - len(bits.pieces))
        return not bits.pieces

    site.turn_until(all_taken)
    assert max(after - before for before, after in itertools.pairwise(taken)) <= 2


def test_for_http_1_0_the_end_of_the_connection_ends_the_body(site: Site) -> None:
    site.serve(stream(Bits(b"one", b"two")))
    client = site.connect()
    client.send(get("/", "Connection: keep-alive", version="1.0"))
    client.wait_for_end()
    head, _, content = client.received.partition(b"\r\n\r\n")
    assert field(head, b"Connection") is None
    assert content == b"onetwo"


def test_a_body_that_fails_midway_ends_the_connection(site: Site) -> None:
    site.serve(stream(bits := Bits(b"one", LookupError("gone"))))
    client = site.connect()
    client.send(get())
    client.wait_for_end()
    assert client.received.endswith(b"3\r\none\r\n")
    assert bits.is_closed
    assert "LookupError" in site.log()[0][1]


def test_a_disconnect_closes_the_body(site: Site) -> None:
    site.serve(stream(bits := Bits(b"one", NOT_DONE_YET)))
    client = site.connect()
    client.send(get())
    client.wait_for(lambda: b"one" in client.received)
    client.close()
    site.turn_until(lambda: not connections(site))
    assert bits.is_closed


def test_a_response_after_the_disconnect_is_closed(site: Site) -> None:
    waiting: list[PluginRequest] = []
    site.serve(Echo(waiting.append))
    client = site.connect()
    client.send(get())
    site.turn_until(lambda: waiting)
    client.close()
    site.turn_until(lambda: not connections(site))
    waiting[0].push(bits := Bits(b"one"))
    waiting[0].done()
    assert bits.is_closed
    assert bits.pieces == [b"one"]


def test_a_failure_closes_what_was_pushed(site: Site) -> None:
    bits = Bits(b"one")

    def fail(request: PluginRequest) -> None:
        request.push(bits)
        raise LookupError

    site.serve(Echo(fail))
    assert status(site.ask(get())) == 500
    assert bits.is_closed
