"""Followed logs: the callbacks of a listener, and the end of a response."""

# ruff: noqa: ARG002 - a listener gets the URL each time

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest

from supervisor.client.transport import connect
from supervisor.http_client import HTTPHandler, Listener
from tests.support.fakeserver import serving
from tests.support.listening import Recorder

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"

CUT = HEAD.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n") + b"5\r\nhel"


def test_a_response_calls_back_in_order() -> None:
    with serving(lambda _: HEAD + b"5\r\nhello\r\n0\r\n\r\n") as server:
        recorder = Recorder()
        HTTPHandler(recorder).get(server.url, "/logtail/x/stdout")
    assert recorder.told == [
        ("status", 200),
        ("header", "content-type", "text/plain"),
        ("header", "transfer-encoding", "chunked"),
        ("feed", b"hello"),
        ("done",),
        ("close",),
    ]
    assert b"Authorization" not in server.requests[0]


def test_the_request_over_a_unix_socket(directory: Path) -> None:
    with serving(lambda _: HEAD + b"0\r\n\r\n", directory / "s.sock") as server:
        HTTPHandler(Recorder(), "user", "word").get(server.url, "/logtail/a:é b/stderr")
    first, *fields = server.requests[0].decode().split("\r\n")
    assert first == "GET /logtail/a:%C3%A9%20b/stderr HTTP/1.1"
    assert "Host: localhost" in fields
    assert "Authorization: Basic dXNlcjp3b3Jk" in fields


def test_another_status_is_an_error_without_a_body() -> None:
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello"
    with serving(lambda _: answer) as server:
        recorder = Recorder()
        HTTPHandler(recorder).get(server.url, "/x")
    url = f"{server.url}/x"
    assert recorder.told[:2] == [
        ("status", 404),
        ("error", url, "Cannot read, status code 404"),
    ]
    assert ("feed", b"hello") not in recorder.told


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, "Cannot connect, error: Remote end closed connection without response"),
        (b"nonsense\r\n\r\n", "Cannot connect, error: 'nonsense'"),
        (CUT, "Connection lost, error: IncompleteRead(0 bytes read, 2 more expected)"),
    ],
)
def test_errors_are_reported(answer: bytes | None, error: str) -> None:
    with serving(lambda _: answer) as server:
        recorder = Recorder()
        HTTPHandler(recorder).get(server.url, "/x")
    assert recorder.told[-2:] == [("error", f"{server.url}/x", error), ("close",)]


def test_no_server(directory: Path) -> None:
    recorder = Recorder()
    HTTPHandler(recorder).get(f"unix://{directory}/s.sock", "/x")
    error = "Cannot connect, error: [Errno 2] No such file or directory"
    assert recorder.told == [("error", f"unix://{directory}/s.sock/x", error), ("close",)]


def test_close_ends_a_log_that_is_being_followed() -> None:
    """Also while nothing comes; and that is no error."""
    with serving(lambda _: HEAD + b"5\r\nhello\r\n") as server:
        recorder = Recorder()
        handler = HTTPHandler(recorder)
        thread = threading.Thread(target=handler.get, args=(server.url, "/x"))
        thread.start()
        assert recorder.fed.wait(10)
        handler.close()
        thread.join(10)
        assert not thread.is_alive()
    assert recorder.told[-2:] == [("feed", b"hello"), ("close",)]


def test_closed_before_it_began() -> None:
    with serving(lambda _: HEAD + b"5\r\nhello\r\n") as server:
        recorder = Recorder()
        handler = HTTPHandler(recorder)
        handler.close()
        handler.get(server.url, "/x")
    assert recorder.told == [("close",)]


def test_an_exception_of_a_listener_is_not_an_error_of_the_server() -> None:
    class Full(Listener):
        def feed(self, url: str, data: bytes) -> None:
            raise BrokenPipeError

    with serving(lambda _: HEAD + b"5\r\nhello\r\n") as server, pytest.raises(BrokenPipeError):
        HTTPHandler(Full()).get(server.url, "/x")


def test_the_plain_listener_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """A character may be cut by the end of a chunk, and bytes may be no text at all."""
    listener = Listener()
    for data in ("é".encode()[:1], "é".encode()[1:], b"\xff|"):
        listener.feed("url", data)
    listener.error("url", "trouble")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("é\ufffd|", "url trouble\n")


def test_the_plain_listener_escapes_characters_that_the_locale_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Following a log goes on in a locale without its characters, as a plain `tail` does."""
    printed = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(printed, encoding="latin-1"))
    listener = Listener()
    listener.feed("url", "é €|".encode())
    listener.feed("url", b"more")
    assert printed.getvalue() == b"\xe9 \\u20ac|more"


def test_a_connection_that_is_refused_leaves_nothing_open(directory: Path) -> None:
    """An unclosed socket would be a warning, and that an error in this test."""
    with pytest.raises(FileNotFoundError):
        connect(f"unix://{directory}/s.sock")
