"""Handlers of plugins: medusa's interface, and our handlers when a plugin has changed them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.engine.deferred import NOT_DONE_YET, Notifier, deferred
from supervisor.http import mainlogtail_handler, phases, supervisor_auth_handler
from supervisor.http.handling import Handler
from supervisor.http.plugin_request import PluginRequest
from supervisor.http.request import Request
from supervisor.http.response import DeferredReply, Reply, Response, error_response
from tests.support.httpsite import Echo, Site, basic, body, field, get, inet_config, post, status


@pytest.fixture
def site(directory: Path) -> Iterator[Site]:
    made = Site(directory)
    yield made
    made.close()


class Part:
    """A body that records whether it has been closed."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.is_closed = False

    def more(self) -> bytes:
        """Return the next piece."""
        return self.pieces.pop(0) if self.pieces else b""

    def close(self) -> None:
        """Record it."""
        self.is_closed = True


class Hello(Handler):
    """A handler as ours are."""

    def match(self, _request: Request) -> bool:
        """Match all requests."""
        return True

    def respond(self, request: Request) -> Reply:
        """Greet the path."""
        return Response(200, {"X-By": "ours"}, [b"hello ", request.uri.encode()])


class Later(Hello):
    """A handler whose response a test sets."""

    def __init__(self) -> None:
        self.result: Any = NOT_DONE_YET
        self.changed = Notifier()

    def respond(self, _request: Request) -> Reply:
        """Return a deferred reply."""
        return DeferredReply(
            deferred(lambda: self.result, wake_sources=[self.changed]),
            on_result=lambda result: Response(200, {}, [result]),
            on_error=lambda _error: error_response(503),
        )


# -- medusa's interface -------------------------------------------------------------


def test_what_plugins_read(site: Site) -> None:
    site.serve(echo := Echo(), config=inet_config())
    client = site.connect()
    client.send(post(b"content", "/a;b?c#d", "X-Y: z"))
    client.answer()
    [request] = echo.requests
    assert request.request == "POST /a;b?c#d HTTP/1.1"
    assert (request.command, request.uri, request.version) == ("POST", "/a;b?c#d", "1.1")
    assert request.split_uri() == ("/a", ";b", "?c", "#d")
    assert request.get_header("x-y") == "z"
    assert request.header == ["Host: x", "Content-Length: 7", "X-Y: z"]
    assert request.body == b"content"
    port = client.socket.getsockname()[1]
    assert request.channel.peer == f"127.0.0.1:{port}"
    assert request.channel.server.port == 0


def test_header_fields_of_the_response(site: Site) -> None:
    def respond(request: PluginRequest) -> None:
        request["X-Number"] = 5
        assert "X-Number" in request
        assert not request.has_key("X-Other")
        request["X-Again"] = request["X-Number"]
        request.reply_code = 202
        request.push("ü")
        request.done()

    site.serve(Echo(respond))
    answer = site.ask(get())
    assert status(answer) == 202
    assert field(answer, b"X-Again") == b"5"
    assert body(answer) == "ü".encode()


def fail_after(act: Callable[[PluginRequest], None]) -> Callable[[PluginRequest], None]:
    def respond(request: PluginRequest) -> None:
        act(request)
        raise LookupError

    return respond


def done(request: PluginRequest) -> None:
    request.push(b"once")
    request.done()


def done_and_error(request: PluginRequest) -> None:
    done(request)
    request.error(500)


def done_and_more(request: PluginRequest) -> None:
    done(request)
    request.push(b"too late")
    request.done()


@pytest.mark.parametrize(
    ("respond", "code", "content"),
    [
        (done, 200, b"once"),
        (fail_after(done), 200, b"once"),
        (done_and_error, 200, b"once"),
        (done_and_more, 200, b"once"),
        (fail_after(lambda request: request.push(b"half")), 500, None),
        (fail_after(lambda _request: None), 500, None),
        (lambda request: request.error(404, "why"), 404, None),
        (lambda request: (request.push(b"half"), request.error(403)), 403, None),
    ],
)
def test_the_first_response_is_the_one(
    site: Site, respond: Any, code: int, content: bytes | None
) -> None:
    site.serve(Echo(respond))
    client = site.connect()
    for _ in range(2):
        client.send(get())
        answer = client.answer()
        assert status(answer) == code
        if content is not None:
            assert body(answer) == content
        assert b"half" not in answer


def test_an_exception_after_the_response_is_logged(site: Site) -> None:
    site.serve(Echo(fail_after(done)))
    assert status(site.ask(get())) == 200
    [(level, text)] = site.log()
    assert level == "error"
    assert text.startswith("localhost:0:Server Error: <class 'LookupError'>, ")
    assert "Traceback" in text


def test_an_error_page_replaces_the_body_and_its_coding(site: Site) -> None:
    part = Part(b"one")

    def respond(request: PluginRequest) -> None:
        request["Transfer-Encoding"] = "chunked"
        request["X-Kept"] = "yes"
        request.push(part)
        request.error(304)

    site.serve(Echo(respond))
    client = site.connect()
    client.send(get() + get())
    client.wait_for(lambda: client.received.count(b"\r\n\r\n") == 2)
    assert part.is_closed
    assert b"Transfer-Encoding" not in client.received
    assert b"X-Kept: yes" in client.received


def test_a_response_may_follow_later(site: Site) -> None:
    waiting: list[PluginRequest] = []
    server = site.serve(Echo(waiting.append))
    client = site.connect()
    client.send(get() + get())
    site.turn_until(lambda: waiting)
    [connection] = server._connections
    assert connection.phase is phases.RESPONDING
    done(waiting[0])
    site.turn_until(lambda: len(waiting) == 2)
    waiting[1].error(404)
    assert [status(client.answer()) for _ in range(2)] == [200, 404]


@pytest.mark.parametrize("finish", [PluginRequest.done, lambda request: request.error(500)])
def test_a_client_that_leaves_closes_what_is_pushed_before_and_after(
    site: Site, finish: Callable[[PluginRequest], None]
) -> None:
    before, after = Part(b"one"), Part(b"two")
    waiting: list[PluginRequest] = []

    def respond(request: PluginRequest) -> None:
        request.push(before)
        waiting.append(request)

    server = site.serve(Echo(respond))
    client = site.connect()
    client.send(get())
    site.turn_until(lambda: waiting)
    client.close()
    site.turn_until(lambda: not server._connections)
    assert before.is_closed
    waiting[0].push(after)
    finish(waiting[0])
    assert after.is_closed


# -- our handlers, changed by a plugin -----------------------------------------------


class Shouting(Hello):
    """Our handler as a plugin extends it."""

    def handle_request(self, request: PluginRequest) -> None:
        """Respond as ours, and look at the response."""
        super().handle_request(request)
        self.seen = (request.reply_code, request["X-By"], request.outgoing)


def test_a_plugin_may_override_handle_request(site: Site) -> None:
    site.serve(handler := Shouting())
    assert body(site.ask(get("/x"))) == b"hello /x"
    assert handler.seen == (200, "ours", [b"hello ", b"/x"])


def test_a_plugin_may_replace_handle_request_of_a_class(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    plain = Hello.handle_request

    def wrapped(self: Hello, request: PluginRequest) -> None:
        calls.append(request.uri)
        plain(self, request)

    monkeypatch.setattr(Hello, "handle_request", wrapped, raising=False)
    site.serve(Hello())
    assert body(site.ask(get("/x"))) == b"hello /x"
    assert calls == ["/x"]


def test_a_plugin_may_replace_handle_request_of_an_instance(site: Site) -> None:
    handler = Hello()
    handler.handle_request = lambda request: request.error(404)  # type: ignore[method-assign]
    site.serve(handler)
    assert status(site.ask(get())) == 404


def test_a_deferred_response_of_an_overridden_handler(site: Site) -> None:
    class Wrapped(Later):
        def handle_request(self, request: PluginRequest) -> None:
            super().handle_request(request)

    site.serve(handler := Wrapped())
    client = site.connect()
    client.send(get())
    site.turn_until(lambda: bool(handler.changed))
    handler.result = b"now"
    handler.changed.notify()
    assert body(client.answer()) == b"now"


def test_a_deferred_response_within_a_later_one(site: Site) -> None:
    """A plugin may wait first, and then pass its request to one of our handlers."""
    waiting: list[PluginRequest] = []
    site.serve(Echo(waiting.append))
    ours = Later()
    client = site.connect()
    client.send(get())
    site.turn_until(lambda: waiting)
    ours.handle_request(waiting[0])
    site.turn_until(lambda: bool(ours.changed))
    ours.result = b"now"
    ours.changed.notify()
    assert body(client.answer()) == b"now"


def test_the_position_of_a_followed_log_may_be_set(site: Site, directory: Path) -> None:
    """As Supvisors does, to show more of it."""

    class Everything(mainlogtail_handler):
        def handle_request(self, request: PluginRequest) -> None:
            super().handle_request(request)
            request.outgoing[-1].sz = 0  # type: ignore[union-attr]

    (directory / "main").write_bytes(b"x" * 5000)
    site.supervisord.options.logfile = str(directory / "main")
    site.serve(Everything(site.supervisord))
    client = site.connect()
    client.send(get("/mainlogtail", version="1.0"))
    client.wait_for(lambda: client.received.endswith(b"\r\n\r\n" + b"x" * 5000))


LOGIN = basic("joe", "secret")


@pytest.mark.parametrize("behind", [Hello(), Shouting(), Echo()])
def test_any_handler_may_be_behind_a_login(site: Site, behind: Any) -> None:
    site.serve(supervisor_auth_handler({"joe": "secret"}, behind))
    assert [status(site.ask(get("/", *lines))) for lines in ((), (LOGIN,))] == [401, 200]


def test_a_login_that_a_plugin_has_changed_still_checks(site: Site) -> None:
    class Counting(supervisor_auth_handler):
        calls = 0

        def handle_request(self, request: PluginRequest) -> None:
            self.calls += 1
            super().handle_request(request)

    site.serve(gate := Counting({"joe": "secret"}, Hello()))
    assert [status(site.ask(get("/", *lines))) for lines in ((), (LOGIN,))] == [401, 200]
    assert gate.calls == 1, "who has not logged in is refused before"
