"""What the buttons and links do that are used less often, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.browser import Browser, row, state
from tests.support.pages import Site
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)

RUNNING = ("stays", "speaks", "team:first", "team:second")


def confirm(page: Browser, button: str, question: str) -> None:
    """Press a button that asks before it acts, and agree."""
    page.click(button)
    page.wait_for_text("#confirm-question", question)
    page.click("#confirm-yes")


def test_clear_log(page: Browser, site: Site) -> None:
    log = Path(site.daemon.info("speaks")["stdout_logfile"])
    site.daemon.rpc.supervisor.sendProcessStdin("speaks", "soon forgotten\n")
    wait_until(lambda: "soon forgotten" in log.read_text())
    page.open(site.url)
    page.wait_until_live()
    confirm(page, f"{row('speaks')} button[formaction*='clearlog']", "Clear Log speaks?")
    page.wait_for_text(f"{row('speaks')} .result", "Log for speaks cleared")
    assert log.read_text() == ""


def test_restart_all(page: Browser, site: Site) -> None:
    """What can start has a new pid afterwards; what cannot is named."""
    before = {name: site.daemon.info(name)["pid"] for name in RUNNING}
    page.open(site.url)
    page.wait_until_live()
    confirm(page, "#all button[formaction*='restartall']", "Restart All?")
    page.wait_for_text("#message.trouble", "failed: cannot (no such file)")
    for name in RUNNING:
        page.wait_for_text(state(name), "RUNNING")
        assert site.daemon.info(name)["pid"] != before[name]


def test_stop_all_and_start_all(page: Browser, site: Site) -> None:
    page.open(site.url)
    page.wait_until_live()
    confirm(page, "#all button[formaction*='stopall']", "Stop All?")
    page.wait_for_text("#message", "All stopped at")
    for name in RUNNING:
        page.wait_for_text(state(name), "STOPPED")
    page.click("#all button[formaction*='startall']")
    for name in (*RUNNING, "idle"):
        page.wait_for_text(state(name), "RUNNING")


def test_restart_in_a_row(page: Browser, site: Site) -> None:
    before = site.daemon.info("stays")["pid"]
    page.open(site.url)
    page.wait_until_live()
    confirm(page, f"{row('stays')} button[formaction*='ask=restart']", "Restart stays?")
    page.wait_for_text(f"{row('stays')} .result", "Process stays restarted")
    assert site.daemon.info("stays")["pid"] != before


def test_the_download_is_the_log(page: Browser, site: Site, tmp_path: Path) -> None:
    """The whole log, byte for byte, also what is no text."""
    log = Path(site.daemon.info("speaks")["stdout_logfile"])
    log.write_bytes(b"a line\n" * 1000 + bytes(range(256)))
    page.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    page.open(f"{site.url}tail.html?processname=speaks")
    page.click("a[href*='download']")
    wait_until(lambda: [path.read_bytes() for path in tmp_path.glob("*.log")] == [log.read_bytes()])


def test_what_is_not_there_is_told_on_the_page(page: Browser, site: Site) -> None:
    page.open(f"{site.url}tail.html?processname=nope")
    assert page.text("h1") == "There is no process nope"
    page.open(f"{site.url}tail.html")
    assert page.text("h1") == "Which process?"
    page.open(f"{site.url}index.html?action=start&processname=nope")
    page.wait_for_text("#message.trouble", "nope")
    page.open(f"{site.url}index.html?action=dance&processname=stays")
    page.wait_for_text("#message.trouble", "Unknown action")
