"""The stream of changes: rows arrive when states change, and nothing happens otherwise."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor import events
from supervisor.common.dependency_graph import parse_requirements
from supervisor.datatypes import RestartUnconditionally
from supervisor.process.dependencies import ProcessIndex
from supervisor.states import ProcessStates
from supervisor.web.event_stream import BEAT_SECONDS
from tests.support.httpsite import Client, get
from tests.support.website import WebSite

BEAT = f"event: beat\ndata: {BEAT_SECONDS:g}\n\n".encode()


@pytest.fixture
def site(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebSite]:
    """Pages, with one program that is stopped; no subscriber may be left."""
    made = WebSite(directory, monkeypatch)
    made.add("cat")
    made.open()
    yield made
    made.close()
    assert events.callbacks == []


def listen(site: WebSite) -> Client:
    """Open the stream, and wait until it has begun."""
    client = site.connect()
    client.send(get("/changes").replace(b" x\r", b" localhost\r"))
    client.wait_for(lambda: BEAT in client.received)
    assert b"Content-Type: text/event-stream" in client.received
    client.received = b""
    return client


def message(client: Client) -> dict[str, Any]:
    """Return the next message."""
    client.wait_for(lambda: b"\n\n\r\n" in client.received)
    chunk, _, client.received = client.received.partition(b"\n\n\r\n")
    found: dict[str, Any] = json.loads(chunk.partition(b"data: ")[2])
    return found


def test_a_change_arrives_as_a_row(site: WebSite) -> None:
    process = site.add("slow", startsecs=5)
    client = listen(site)
    process.spawn()
    told = message(client)
    assert len(told["rows"]) == 1
    assert 'data-name="slow"' in told["rows"][0]
    assert "STARTING" in told["rows"][0]
    assert told["now"] == site.clock.time()


def test_changes_of_one_turn_arrive_together(site: WebSite) -> None:
    """Each process once, as it is then."""
    client = listen(site)
    process = site.supervisord.process_groups["cat"].processes["cat"]
    process.spawn()
    process.transition()
    told = message(client)
    assert len(told["rows"]) == 1
    assert "RUNNING" in told["rows"][0]
    site.run_once()
    client.receive()
    assert client.received == b""


def actions(row: str) -> list[str]:
    """Return the actions of a row's buttons, without those on logs."""
    found = re.findall(r'formaction="index.html\?(\w+=\w+)&amp;', row)
    return [action for action in found if action != "ask=clearlog"]


def settle(site: WebSite, client: Client) -> None:
    """Take everything that has been sent so far."""
    site.run_once()
    client.receive()
    client.received = b""


def test_a_wait_that_changes_arrives_without_a_change_of_state(site: WebSite) -> None:
    """Its begin, the state of the dependency, and its end by a stop."""
    site.runtime.services.processes = ProcessIndex(site.supervisord.process_groups)
    db = site.add("db", startsecs=5)
    web = site.add("web", depends_on=parse_requirements("db"))
    client = listen(site)
    web.start_requested = True
    web.transition()
    (row,) = message(client)["rows"]
    assert 'data-name="web"' in row
    assert "waiting for db (STOPPED)" in row
    assert actions(row) == ["ask=stop"]
    db.spawn()
    client.wait_for(lambda: b"waiting for db (STARTING)" in client.received)
    settle(site, client)
    web.stop()
    (row,) = message(client)["rows"]
    assert "Not started" in row
    assert actions(row) == ["action=start"]


def test_a_pause_arrives_with_its_end_and_may_be_cancelled(site: WebSite) -> None:
    web = site.add("web", autorestart=RestartUnconditionally, restartpause=8)
    web.spawn()
    web.transition()
    client = listen(site)
    web.finish(web.pid, 0)
    (row,) = message(client)["rows"]
    assert ", restart in 8 s" in row
    assert actions(row) == ["action=start", "ask=stop"]
    assert f'data-restart="{site.clock.time() + 8:.1f}"' in row
    settle(site, client)
    web.stop()
    (row,) = message(client)["rows"]
    assert "restart" not in row.partition('class="about"')[2].partition("</td>")[0]


def test_other_groups_are_notified(site: WebSite) -> None:
    client = listen(site)
    site.runtime.services.processes.groups_changed()
    told = message(client)
    assert told["groups"] is True
    assert told["rows"] == []


def test_a_process_that_is_gone_has_no_row(site: WebSite) -> None:
    client = listen(site)
    process = site.supervisord.process_groups["cat"].processes["cat"]
    process.change_state(ProcessStates.STARTING)
    site.supervisord.process_groups.clear()
    assert message(client)["rows"] == []


def test_a_quiet_stream_gives_a_sign_of_life(site: WebSite) -> None:
    """An event, because browsers hide comments from scripts; it tells when the next one is due."""
    client = listen(site)
    site.pass_time(BEAT_SECONDS - 1)
    client.receive()
    assert client.received == b""
    site.pass_time(1.5)
    client.wait_for(lambda: BEAT in client.received)


def test_a_closed_page_leaves_no_subscriber(site: WebSite) -> None:
    client = listen(site)
    assert events.callbacks != []
    client.close()
    site.turn_until(lambda: events.callbacks == [])
    assert site.runtime.services.description_subscribers == []
    assert not site.runtime.services.processes.changed


def test_a_reader_that_does_not_read_costs_no_memory(site: WebSite) -> None:
    """Changes that it has not taken are sent later, each process once."""
    client = listen(site)
    process = site.supervisord.process_groups["cat"].processes["cat"]
    (channel,) = site.servers[0]._connections
    for _ in range(5000):
        process.state = ProcessStates.STOPPED
        process.change_state(ProcessStates.STARTING)
        site.loop.run_once(0)
    assert channel._outbox.unsent_bytes < 200_000
    process.change_state(ProcessStates.RUNNING)
    client.wait_for(lambda: b"RUNNING" in client.received)


def test_a_reload_forgets_everybody(site: WebSite) -> None:
    """The daemon clears all subscriptions; the stream's end must not mind."""
    client = listen(site)
    events.clear()
    client.close()
    site.run_once()
