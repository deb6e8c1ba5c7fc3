"""A daemon that hangs keeps all connections open; each page has to notice it by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.browser import Browser
from tests.support.daemon import Daemon
from tests.support.pages import PROGRAMS, Site
from tests.support.ports import free_port, inet_server

pytestmark = pytest.mark.timeout(180)

SHORT_BEAT = """
from supervisor.web import event_stream, follow

def make(supervisord):
    event_stream.Changes.max_wait = 1.0
    follow.FollowedLogs.beat_seconds = 1.0
"""

PLUGIN = "[rpcinterface:beat]\nsupervisor.rpcinterface_factory=short_beat:make\n"

IS_INERT = "document.getElementById('processes').inert"


@pytest.fixture
def site(directory: Path) -> Iterator[Site]:
    """The usual programs, and a daemon whose heartbeat is a second."""
    port = free_port()
    (directory / "short_beat.py").write_text(SHORT_BEAT, encoding="utf-8")
    environment = {"PYTHONPATH": str(directory)}
    config = inet_server(port) + PROGRAMS + PLUGIN
    with Daemon(directory, config, environment=environment) as daemon:
        daemon.wait_for_state("speaks", "RUNNING")
        yield Site(daemon, f"http://127.0.0.1:{port}/")


@contextmanager
def hanging(daemon: Daemon) -> Iterator[None]:
    """Stop the daemon as a debugger does, so that it neither answers nor closes anything."""
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(daemon.pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("address", "lost"),
    [
        ("", "No response since"),
        ("process.html?processname=speaks", "Reconnecting"),
        ("tail.html?processname=speaks", "Reconnecting"),
    ],
)
def test_a_page_notices_a_daemon_that_hangs_and_its_return(
    page: Browser, site: Site, address: str, lost: str
) -> None:
    page.open(f"{site.url}{address}")
    page.wait_until_live()
    with hanging(site.daemon):
        page.wait_for_text("#live", lost)
        assert page.evaluate("document.getElementById('live').classList.contains('lost')")
    page.wait_until_live()


def test_the_rows_of_a_daemon_that_hangs_are_stale(page: Browser, site: Site) -> None:
    """They are grey, their buttons are disabled, and no uptime goes on."""
    page.open(site.url)
    page.wait_until_live()
    with hanging(site.daemon):
        page.wait(lambda: page.evaluate(IS_INERT))
        assert page.find("body.lost #processes").value_of_css_property("opacity") == "0.5"
    page.wait(lambda: not page.evaluate(IS_INERT))
    page.wait_until_live()


def test_a_quiet_daemon_stays_live(page: Browser, site: Site) -> None:
    """Its heartbeat arrives on each page, though nothing changes for more than two beats."""
    page.open(f"{site.url}tail.html?processname=speaks")
    page.wait_until_live()
    page.driver.execute_script(
        """const lost = new MutationObserver(() => { window.wasLost = true; });
        lost.observe(document.getElementById("live"), { childList: true });
        window.begun = Date.now();"""
    )
    page.wait(lambda: page.evaluate("Date.now() - window.begun > 5000"))
    assert not page.evaluate("window.wasLost")
