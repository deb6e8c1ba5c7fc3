"""Followed logs that continue on another connection."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from supervisor.client import tailing
from supervisor.client.tailing import LogTail
from supervisor.common.log_positions import TRUNCATED
from tests.support.clock import FakeClock
from tests.support.fakeserver import Last, serving
from tests.support.listening import Recorder
from tests.support.waiting import wait_until

PATH = "/logtail/x/stdout"


def response(data: bytes, position: str | None = None, *, is_complete: bool = False) -> bytes:
    """Return a response after which the connection is closed, in its middle or at its end."""
    field = "" if position is None else f"X-Log-Position: {position}\r\n"
    chunk = b"%x\r\n%s\r\n" % (len(data), data) if data else b""
    head = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{field}\r\n".encode()
    return Last(head + chunk + (b"0\r\n\r\n" if is_complete else b""))


LOST = (
    "error",
    f"URL{PATH}",
    "Connection lost, error: IncompleteRead(0 bytes read, 0 more expected)",
)
NO_RESPONSE = (
    "error",
    f"URL{PATH}",
    "Cannot connect, error: Remote end closed connection without response",
)
NOT_FOUND = Last(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone")


def followed(*responses: bytes | None) -> tuple[Recorder, list[str]]:
    """Follow a log until it ends; return what the listener got, and the requested positions.

    Further requests get no response.
    """
    answers = iter(responses)
    recorder = Recorder()
    with serving(lambda _: next(answers, None)) as server:
        LogTail(recorder).get(server.url, PATH)
    targets = [request.split(b" ", 2)[1].decode() for request in server.requests]
    assert {target.partition("?")[0] for target in targets} == {PATH}
    recorder.told = [
        tuple(each.replace(server.url, "URL") if isinstance(each, str) else each for each in row)
        for row in recorder.told
    ]
    return recorder, [target.partition("?from=")[2] for target in targets]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tailing, "RETRY_SECONDS", 0)


def test_every_byte_arrives_once() -> None:
    recorder, positions = followed(
        None,
        response(b"one\n", "7:100"),
        response(b"two\n", "7:104"),
        None,  # the daemon was replaced before it read the request
        response(b"", "7:108"),
        response(b"three\n", "7:108", is_complete=True),  # rotated
        response(b"four\n", "8:0"),
        response(b"five\n", "8:2"),  # truncated, and written again
    )
    assert positions[:8] == ["", "", "7:104", "7:108", "7:108", "7:108", "7:114", "8:5"]
    assert recorder.data == b"one\ntwo\nthree\nfour\n" + TRUNCATED + b"five\n"
    names = [row[0] for row in recorder.told if row[0] != "feed"]
    assert names == ["status", "header", "error", "close"]


def test_a_server_without_positions_is_as_before() -> None:
    """A request that it has not read is sent again, however."""
    for answer, end in (
        (response(b"one\n"), [LOST, ("close",)]),
        (response(b"one\n", is_complete=True), [("done",), ("close",)]),
    ):
        recorder, positions = followed(None, answer)
        assert positions == ["", ""]
        assert recorder.told == [
            ("status", 200),
            ("header", "transfer-encoding", "chunked"),
            ("feed", b"one\n"),
            *end,
        ]


def test_the_end_for_good() -> None:
    """The error is that of the lost connection, or of the status that the successor responds."""
    first = response(b"one\n", "7:100")
    for answers, count, error in (
        ([first], tailing.MAX_FAILURES + 2, LOST),
        ([first, NOT_FOUND], 2, ("error", f"URL{PATH}", "Cannot read, status code 404")),
        ([first, response(b"one\n")], 2, LOST),  # of another version
        ([], tailing.MAX_FAILURES + 1, NO_RESPONSE),
        ([NOT_FOUND], 1, ("error", f"URL{PATH}", "Cannot read, status code 404")),
    ):
        recorder, positions = followed(*answers)
        assert len(positions) == count
        assert [row for row in recorder.told if row[0] in {"error", "close"}] == [
            error,
            ("close",),
        ]
        assert recorder.data == (b"one\n" if answers[:1] == [first] else b"")


def test_a_daemon_that_has_gone_refuses_the_next_connection() -> None:
    recorder = Recorder()
    with serving(lambda _: response(b"one\n", "7:100")) as server:
        url = server.url
        tail = LogTail(recorder)
        recorder.on_feed = server.close
        tail.get(url, PATH)
    assert [row[0] for row in recorder.told] == ["status", "header", "feed", "error", "close"]
    assert "Connection lost, error: " in str(recorder.told[-2])


def test_a_quiet_log_may_be_opened_often() -> None:
    """There is a pause after each response that had no byte, except for a long one."""
    recorder, positions = followed(*[response(b"", "7:100")] * 20)
    assert len(positions) == 20 + tailing.MAX_FAILURES + 1
    assert recorder.data == b""


def test_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    pauses: list[float] = []
    fake = SimpleNamespace(monotonic=clock.monotonic, sleep=lambda s: pauses.append(round(s, 1)))
    monkeypatch.setattr(tailing, "time", fake)
    monkeypatch.setattr(tailing, "RETRY_SECONDS", 0.4)
    nothing, something = response(b"", "7:100"), response(b"x", "7:100")
    followed(something, nothing, nothing, nothing, something, nothing, NOT_FOUND)
    assert pauses == [0.4, 0.8, 1.0, 0.4]


def test_it_ends_when_it_is_closed() -> None:
    for answer in (
        b"HTTP/1.1 200 OK\r\nX-Log-Position: 7:0\r\nTransfer-Encoding: chunked\r\n\r\n",
        response(b"", "7:0"),
    ):
        recorder = Recorder()
        tail = LogTail(recorder)
        with serving(lambda _: answer) as server:  # noqa: B023 - within the block
            thread = threading.Thread(target=tail.get, args=(server.url, PATH))
            thread.start()
            wait_until(lambda: ("status", 200) in recorder.told, 10, what="a status")  # noqa: B023
            tail.close()
            thread.join(10)
            assert not thread.is_alive()
        assert [row[0] for row in recorder.told] == ["status", "header", "close"]
    tail = LogTail(Recorder())
    tail.close()
    with serving(lambda _: response(b"one\n", "7:0")) as server:
        tail.get(server.url, PATH)
