"""The web interface of a real daemon: a page that is open sees what happens by itself."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.transport import UnixConnection

CONFIG = f"[program:x]\ncommand={child('sleeper')}\nstartsecs=0"

SOON = 0.9
"""Seconds: the page promises less than one."""


@pytest.fixture
def daemon(directory: Path) -> Iterator[Daemon]:
    """A daemon with one program that runs."""
    with Daemon(directory, CONFIG) as started:
        started.wait_for_state("x", "RUNNING")
        yield started


@pytest.fixture
def connection(daemon: Daemon) -> Iterator[UnixConnection]:
    """A connection to its pages."""
    made = UnixConnection(str(daemon.socket_path), timeout=10)
    yield made
    made.close()


def next_message(stream: HTTPResponse) -> dict[str, Any]:
    """Return the next message of a stream of changes."""
    while not (line := stream.readline()).startswith(b"data: "):
        assert line
    found: dict[str, Any] = json.loads(line[6:])
    return found


def test_a_crash_shows_by_itself(daemon: Daemon, connection: UnixConnection) -> None:
    connection.request("GET", "/changes")
    stream = connection.getresponse()
    assert stream.readline() == b"event: beat\n"
    assert stream.readline().startswith(b"data: ")
    killed = time.monotonic()
    os.kill(daemon.info("x")["pid"], signal.SIGKILL)
    (row,) = next_message(stream)["rows"]
    assert time.monotonic() - killed < SOON
    assert "EXITED" in row


def test_an_action_of_the_page(daemon: Daemon, connection: UnixConnection) -> None:
    connection.request("POST", "/index.html?action=stop&processname=x")
    response = connection.getresponse()
    assert response.status == 303
    assert response.getheader("Location") == "./?message=Process%20x%20stopped"
    assert daemon.info("x")["statename"] == "STOPPED"


@pytest.mark.parametrize("path", ["/index.html?action=stop&processname=x", "/RPC2", "/logtail/x"])
def test_a_foreign_page_cannot_act(daemon: Daemon, connection: UnixConnection, path: str) -> None:
    """The guard is in front of every handler."""
    connection.request("POST", path, b"<x/>", {"Origin": "http://evil.example"})
    assert connection.getresponse().status == 403
    assert daemon.info("x")["statename"] == "RUNNING"


def test_a_log_is_no_page(connection: UnixConnection) -> None:
    connection.request("GET", "/logtail/x")
    assert connection.getresponse().getheader("X-Content-Type-Options") == "nosniff"
