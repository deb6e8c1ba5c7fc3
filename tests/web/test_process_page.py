"""The page of one process in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import PHONE, Browser
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.pages import PROGRAMS, Site
from tests.support.ports import free_port, inet_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)

DEPENDENT = f"""
[program:front]
command={child("sleeper")}
startsecs=0
depends_on=speaks
environment=TOKEN="s3cret"
"""


@pytest.fixture
def site(directory: Path) -> Iterator[Site]:
    """The usual programs, and one that depends on another."""
    port = free_port()
    with Daemon(directory, inet_server(port) + PROGRAMS + DEPENDENT) as daemon:
        for name in ("speaks", "front"):
            daemon.wait_for_state(name, "RUNNING")
        yield Site(daemon, f"http://127.0.0.1:{port}/")


def open_process(page: Browser, site: Site, name: str) -> None:
    """Show the page of a process."""
    page.open(f"{site.url}process.html?processname={name}")
    page.wait_until_live()


def test_the_page_follows_its_process(page: Browser, site: Site) -> None:
    """State, timeline and output change while it is open; of the environment, names are shown."""
    open_process(page, site, "front")
    page.wait_for_text(".reasons", "It runs with pid")
    assert "TOKEN" in page.text("dl")
    assert "s3cret" not in page.evaluate("document.documentElement.outerHTML")
    site.daemon.rpc.supervisor.stopProcess("front")
    page.wait_for_text(".now .state", "STOPPED")
    page.wait_for_text(".timeline", "STOPPING")
    page.wait(lambda: not page.find("#control").is_displayed())
    page.click(".graph a[href*='speaks']")
    page.wait_for_text("h1", "speaks")
    page.wait_until_live()
    site.daemon.rpc.supervisor.sendProcessStdin("speaks", "hello\n")
    page.wait_for_text("pre.log", "hello")


def test_actions_signals_and_stdin(page: Browser, site: Site) -> None:
    open_process(page, site, "speaks")
    page.type("#chars", "typed here")
    page.click("#stdin button")
    page.wait_for_text("#message", "Line sent to speaks")
    page.wait_for_text("pre.log", "typed here")
    assert page.evaluate("document.querySelector('#chars').value") == ""
    page.choose("#signal-name", "TERM")
    page.click("#signal button")
    page.wait_for_text("#confirm-question", "Send TERM to speaks?")
    pid = site.daemon.info("speaks")["pid"]
    page.click("#confirm-yes")
    page.wait_for_text("#message", "Signal TERM sent to speaks")
    wait_until(lambda: site.daemon.info("speaks")["pid"] != pid)
    page.wait_for_text(".timeline", "terminated by SIGTERM")
    page.click("#actions button[formaction*='ask=stop']")
    page.wait_for_text("#confirm-question", "Stop speaks?")
    page.click("#confirm-yes")
    page.wait_for_text(".now .state", "STOPPED")


def test_it_works_without_scripts_and_on_a_phone(page: Browser, site: Site) -> None:
    page.allow_scripts(allowed=False)
    page.open(f"{site.url}process.html?processname=speaks", PHONE)
    page.choose("#signal-name", "CONT")
    page.click("#signal button")
    page.wait_for_text("form.ask", "Send CONT to speaks?")
    page.click("form.ask button")
    page.wait_for_text("#message", "Signal CONT sent to speaks")
    page.type("#chars", "without scripts")
    page.click("#stdin button")
    page.wait_for_text("#message", "Line sent to speaks")
    page.allow_scripts(allowed=True)
    page.open(f"{site.url}process.html?processname=speaks", PHONE)
    page.wait_for_text("pre.log", "without scripts")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_a_process_that_is_removed(page: Browser, site: Site) -> None:
    open_process(page, site, "idle")
    site.daemon.rpc.supervisor.startProcess("idle")
    page.wait_for_text(".now .state", "RUNNING")
    page.find("#actions button").send_keys("")
    page.evaluate("document.querySelector('#actions button[formaction*=stop]').focus()")
    page.open(f"{site.url}process.html?processname=nope")
    page.wait_for_text("h1", "There is no process nope")
