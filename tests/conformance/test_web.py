"""The web interface's addresses, beside the reference: what they answer and what they say."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.children import child
from tests.support.comparison import Pair
from tests.support.daemon import Daemon
from tests.support.transport import UnixConnection

CONFIG = f"""
[program:cat]
command={child("sleeper")}
startsecs=0
[program:idle]
command={child("sleeper")}
autostart=false
startsecs=1
[program:missing]
command=/nonexistent
autostart=false
[program:directory]
command=/
autostart=false
[program:exits]
command={child("exits")} 3
autostart=false
startretries=0
[program:silent]
command={child("sleeper")}
stdout_logfile=NONE
[program:talker]
command=/bin/sh -c "echo 'first <b>'; echo second"
startsecs=0
autorestart=false
[program:one]
command={child("sleeper")}
startsecs=0
[group:both]
programs=one
"""

SETTLED = {"cat": "RUNNING", "both:one": "RUNNING", "talker": "EXITED"}


def ask(daemon: Daemon, path: str, body: str | None = None) -> tuple[int, str, str]:
    """Return (status, Location, body) of a GET, or of a POST with a body."""
    connection = UnixConnection(str(daemon.socket_path), timeout=10)
    try:
        connection.request("GET" if body is None else "POST", path, body)
        response = connection.getresponse()
        return response.status, response.getheader("Location") or "", response.read().decode()
    finally:
        connection.close()


def told(daemon: Daemon, query: str) -> Any:
    """Return where an action leads, and with which message; not how it leads there.

    The original answers 301 and an absolute address, ours 303 and a relative one: see "A
    relative redirect" in docs/differences.md.
    """
    status, location, _ = ask(daemon, f"/index.html?{query}")
    assert status in {301, 303}
    parts = urlsplit(location)
    assert parts.path in {"/", "./"}
    return parse_qs(parts.query)["message"]


ACTIONS = (
    "action=refresh",
    "action=start&processname=cat",
    "action=start&processname=idle",
    "action=stop&processname=idle",
    "action=stop&processname=idle",
    "action=restart&processname=idle",
    "action=restart&processname=cat",
    "action=start&processname=missing",
    "action=start&processname=directory",
    "action=start&processname=exits",
    "action=start&processname=nope",
    "action=start&processname=both",
    "action=start&processname=both:*",
    "action=start&processname=both:one",
    "action=stop&processname=both%3Aone",
    "action=clearlog&processname=cat",
    "action=clearlog&processname=silent",
    "action=clearlog&processname=nope",
    "action=stop&processname=cat&action=start",
    "processname=cat&processname=idle&action=stop",
    "action=stopall",
)


def test_actions(pair: Pair) -> None:
    """One after the other, because each finds what the one before has left."""
    pair.same(lambda daemon: [(query, told(daemon, query)) for query in ACTIONS])


def log_of(page: str) -> str:
    """Return what a page shows of a log."""
    found = re.search(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL)
    assert found is not None
    return unescape(found[1])


@pytest.mark.parametrize(
    "query",
    [
        "",
        "processname=",
        "processname=nope",
        "processname=talker",
        "processname=talker&limit=abc",
        "processname=both:*",
        "processname=silent",
        "processname=%3Cb%3E",
    ],
)
def test_the_page_of_a_log(pair: Pair, query: str) -> None:
    def look(daemon: Daemon) -> Any:
        status, _, page = ask(daemon, f"/tail.html?{query}")
        title = re.search("<title>(.*)</title>", page)
        return status, log_of(page), title and unescape(title[1])

    pair.same(look)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/index.html",
        "/?message=hi",
        "/index.html?action=",
        "/ok.html",
        "//ok.html",
        "/tail.html",
        "/nope.html",
        "/ui/status.html",
        "/ok.html/",
        "/stylesheets/supervisor.css",
        "/images/icon.png",
    ],
)
def test_which_addresses_there_are(pair: Pair, path: str) -> None:
    def look(daemon: Daemon) -> int:
        connection = UnixConnection(str(daemon.socket_path), timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    pair.same(look)


def test_a_form(pair: Pair) -> None:
    pair.same(lambda daemon: ask(daemon, "/ok.html", "action=refresh"))


def test_redirects_differ(pair: Pair) -> None:
    def look(daemon: Daemon) -> Any:
        status, location, _ = ask(daemon, "/index.html?action=start&processname=nope")
        return status, location

    message = "?message=No%20such%20process%20named%20nope"
    pair.differ(
        look,
        entry="A relative redirect",
        theirs=[301, f"http://localhost/{message}"],
        ours=[303, f"./{message}"],
    )


def test_unknown_actions_differ(pair: Pair) -> None:
    def look(daemon: Daemon) -> Any:
        return [ask(daemon, f"/?action={action}")[:2] for action in ("wat", "start")]

    pair.differ(
        look,
        entry="Messages instead of errors on the page",
        theirs=[[500, ""], [500, ""]],
        ours=[
            [303, "./?message=Unknown%20action%20wat"],
            [303, "./?message=No%20process%20name%20found"],
        ],
    )
