"""Limits for all clients of a server together: memory, connections and lines of the log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from supervisor.common.text import one_line
from supervisor.http import peer as peers
from supervisor.http import server as servers
from supervisor.http.connection_table import Connections
from supervisor.http.csrf import csrf_guard
from supervisor.http.framing import Limits
from supervisor.http.handlers import FAILED_LOGINS, supervisor_auth_handler
from supervisor.http.ledger import MIN_COUNTED_BYTES, Ledger
from supervisor.http.response import Incident
from supervisor.http.throttle import MAX_LINES, MAX_ORIGINS
from tests.support.httpsite import Client, Echo, Site, basic, get, inet_config, post, status

KB = 1024
MB = 1024 * KB
LARGE = 200 * KB


@pytest.fixture
def site(directory: Path) -> Iterator[Site]:
    made = Site(directory)
    yield made
    made.close()


# -- memory ------------------------------------------------------------------------------

# what happens, in order: (who, bytes held now) -> who is evicted by the last step
LEDGERS = [
    ([("a", 3 * MB)], []),
    ([("a", 1 * MB), ("b", 1 * MB)], []),
    ([("a", 1 * MB), ("b", 2 * MB)], ["a"]),
    ([("a", 1 * MB), ("b", 1 * MB), ("a", 1 * MB), ("c", 1 * MB)], ["b"]),
    ([("a", 1 * MB), ("b", 1 * MB), ("a", 0), ("c", 1 * MB)], []),
    ([("a", 1 * MB), ("b", 1 * MB), ("c", 5 * MB)], ["a", "b"]),
    ([("a", MIN_COUNTED_BYTES - 1), ("b", 2 * MB)], []),
]


@pytest.mark.parametrize(("steps", "evicted"), LEDGERS)
def test_the_connection_that_has_stalled_the_longest_is_evicted(
    steps: list[tuple[str, int]], evicted: list[str]
) -> None:
    gone: list[str] = []
    ledger = Ledger(2 * MB, gone.append)
    for holder, held_bytes in steps:
        ledger.progressed(holder, held_bytes)
    assert gone == evicted


def test_bodies_that_are_being_received_are_bounded_together(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request that has stalled is refused, the one that goes on is served."""
    monkeypatch.setattr(servers, "MAX_RECEIVED_BYTES", 3 * LARGE)
    server = site.serve(Echo())
    stalled = [site.connect() for _ in range(3)]
    for client in stalled:
        client.send(post(b"x" * (LARGE + 1))[:-1])
        site.run_once(20)
    assert status(site.ask(post(b"x" * 2 * LARGE))) == 200
    assert [status(client.answer()) for client in stalled[:2]] == [503, 503]
    for client in stalled[:2]:
        client.wait_for_end()
    stalled[2].send(b"x")
    assert status(stalled[2].answer()) == 200
    assert server.received.total_bytes == 0


def test_bodies_in_chunks_count_with_what_has_been_put_together(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "MAX_RECEIVED_BYTES", 2 * LARGE)
    server = site.serve(Echo())
    stalled, other = site.connect(), site.connect()
    head = get("/", "Transfer-Encoding: chunked", command="POST")
    piece = b"%x\r\n%b\r\n" % (KB, b"x" * KB)
    stalled.send(head + piece * 201)
    site.turn_until(lambda: server.received.total_bytes == 201 * KB)
    other.send(head + piece * 201)
    assert status(stalled.answer()) == 503
    other.send(b"0\r\n\r\n")
    assert status(other.answer()) == 200
    assert server.received.total_bytes == 0


def test_a_refused_body_is_freed_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "MAX_RECEIVED_BYTES", LARGE)
    server = site.serve(Echo())
    first, second = site.connect(), site.connect()
    for client in (first, second):
        client.send(post(b"x" * (LARGE + 1))[:-1])
        site.run_once(20)
    assert status(first.answer()) == 503
    assert sum(each._reception.pending_bytes for each in server._connections) < 2 * LARGE


def test_unread_responses_are_bounded_together(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "MAX_UNSENT_BYTES", 5 * MB)
    server = site.serve(Echo(lambda request: (request.push(b"x" * 4 * MB), request.done())))
    lazy = [site.connect() for _ in range(4)]
    for count, client in enumerate(lazy):
        client.send(get())
        site.turn_until(lambda count=count: server.unsent.total_bytes or count)  # type: ignore[misc]
        site.run_once(20)
    assert len(server._connections) == 1
    assert server.unsent.total_bytes == 4 * MB
    assert len(lazy[-1].answer()) > 4 * MB, "a single answer may be as large as it likes"
    assert server.unsent.total_bytes == 0


# -- refused before the body ------------------------------------------------------------------


@pytest.mark.parametrize("line", ["Origin: http://evil.example", "Sec-Fetch-Site: cross-site"])
def test_a_foreign_page_is_refused_before_its_body(site: Site, line: str) -> None:
    server = site.serve(Echo(), config=inet_config())
    server.guards = [csrf_guard(server.config, server.tcp_address)]
    client = site.connect()
    client.send(get("/RPC2", "Content-Length: 16000000", line, command="POST"))
    assert status(client.answer()) == 403


def test_a_foreign_host_is_refused_before_its_body(site: Site) -> None:
    server = site.serve(Echo(), config=inet_config())
    server.guards = [csrf_guard(server.config, server.tcp_address)]
    client = site.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 16000000\r\n\r\n")
    assert status(client.answer()) == 403


def test_a_login_is_refused_before_the_body(site: Site) -> None:
    site.serve(supervisor_auth_handler({"joe": "secret"}, Echo()))
    client = site.connect()
    client.send(get("/RPC2", "Content-Length: 16000000", command="POST"))
    assert status(client.answer()) == 401


# -- places ----------------------------------------------------------------------------------


class Held:
    """A connection as `Connections` sees it."""

    def __init__(self, origin: str, *, busy: bool = False) -> None:
        self.client = SimpleNamespace(origin=origin)
        self.is_dispensable = not busy


def made_room(*kept: Any) -> Any:
    """Return what makes room among these connections."""
    connections = Connections(len(kept))
    for each in kept:
        connections[each] = None
    assert connections.is_full
    return connections.dispensable()


def test_the_origin_with_the_most_connections_makes_room() -> None:
    one, first, second = Held("a"), Held("b"), Held("b")
    assert made_room(one, first, second) is first


def test_an_origin_whose_connections_are_all_busy_makes_no_room() -> None:
    one, first, second = Held("a"), Held("b", busy=True), Held("b", busy=True)
    assert made_room(one, first, second) is one
    assert made_room(first, second) is None


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three connections are all that a server takes."""
    monkeypatch.setattr(servers, "MAX_CONNECTIONS", 3)


def half_a_request(site: Site, count: int) -> list[Client]:
    """Return clients that hold a connection each by one byte."""
    clients = []
    for _ in range(count):
        client = site.connect()
        client.send(b"G")
        clients.append(client)
        site.run_once()
    return clients


@pytest.mark.usefixtures("few")
def test_the_oldest_client_in_the_middle_of_a_request_makes_room(site: Site) -> None:
    site.serve(Echo())
    holders = half_a_request(site, 3)
    assert status(site.ask(get())) == 200
    holders[0].wait_for_end()
    site.run_once()
    assert not holders[1].has_ended


@pytest.mark.usefixtures("few")
def test_a_flood_does_not_displace_a_new_client(site: Site) -> None:
    """A client that has not yet sent its request is not older than the flood."""
    site.serve(Echo())
    half_a_request(site, 3)
    admin = site.connect()
    site.run_once()
    half_a_request(site, 2)
    admin.send(get())
    assert status(admin.answer()) == 200


@pytest.mark.usefixtures("few")
def test_a_client_that_has_logged_in_is_not_displaced(site: Site) -> None:
    site.serve(supervisor_auth_handler({"joe": "secret"}, Echo()))
    login = "Authorization: Basic am9lOnNlY3JldA=="
    sender = site.connect()
    sender.send(get("/", login, "Content-Length: 2", command="POST") + b"x")
    site.run_once()
    half_a_request(site, 10)
    sender.send(b"y")
    assert status(sender.answer()) == 200


def test_clients_on_a_unix_socket_are_distinguished_by_user(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "MAX_CONNECTIONS", 3)
    server = site.serve(Echo())
    uids = iter([0, 1000, 1000, 1000])
    monkeypatch.setattr(peers, "peer_credentials", lambda _connection: (1, next(uids), 1))
    clients = half_a_request(site, 4)
    clients[1].wait_for_end()
    left = [each.client.origin for each in server._connections]
    assert left == ["uid 0", "uid 1000", "uid 1000"]


# -- lines of the log ------------------------------------------------------------------------


def login(site: Site, name: str, times: int = 1) -> None:
    for _ in range(times):
        site.ask(get("/", basic(name, "guess")))


def test_the_name_of_a_failed_login_is_cut(site: Site) -> None:
    site.serve(supervisor_auth_handler({"joe": "secret"}, Echo()))
    login(site, "x" * 5000)
    [(_, text)] = site.log()
    assert text.endswith(f"login failed for user {'x' * 64!r}")


def test_failed_logins_of_one_client_are_a_few_lines_a_second(site: Site) -> None:
    site.serve(supervisor_auth_handler({"joe": "secret"}, Echo()), config=inet_config())
    login(site, "joe", times=MAX_LINES + 7)
    assert len(site.log()) == MAX_LINES
    site.pass_time(1)
    assert [text for _, text in site.log()[MAX_LINES:]] == [
        "127.0.0.1: 7 more failed logins within a second"
    ]
    login(site, "joe")
    assert "login failed" in site.log()[-1][1]
    site.pass_time(1)
    assert len(site.log()) == MAX_LINES + 2


def test_many_clients_share_their_lines(site: Site) -> None:
    server = site.serve(Echo())
    incident = Incident(FAILED_LOGINS, "line")
    for number in range(1000):
        for _ in range(MAX_LINES + 1):
            server.log_incident(f"192.0.2.{number}", incident)
    assert len(site.log()) == (MAX_ORIGINS + 1) * MAX_LINES
    site.pass_time(1)
    more = (1000 - MAX_ORIGINS) * (MAX_LINES + 1) - MAX_LINES
    assert site.log()[-1][1] == f"other clients: {more} more failed logins within a second"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("supervisor.getState", "supervisor.getState"),
        ("a\n2026-01-01 CRIT b", "a\\n2026-01-01 CRIT b"),
        ("\x1b[2J\x7f\x9b\u202e\u2028", "\\x1b[2J\\x7f\\x9b\\u202e\\u2028"),
        ("Grüße", "Grüße"),
        ("x" * 300, "x" * 200),
    ],
)
def test_text_of_others_is_one_line(text: str, shown: str) -> None:
    assert one_line(text, 200) == shown


def test_the_limits_are_those_of_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "differences.md").read_text(encoding="utf-8")
    assert Limits().body == 16 * MB
    assert servers.MAX_RECEIVED_BYTES == 64 * MB
    assert servers.MAX_UNSENT_BYTES == 128 * MB
    assert "64 MB" in text
    assert "128 MB" in text
