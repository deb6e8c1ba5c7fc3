"""The plan of an update as a page."""

from __future__ import annotations

import pytest

from tests.support.browser import PHONE, Browser, row, state
from tests.support.children import child
from tests.support.pages import Site

pytestmark = pytest.mark.timeout(180)


def test_changes_are_shown_and_applied(page: Browser, site: Site) -> None:
    """From the note on the status page, and without scripts, to the result."""
    config = site.daemon.config_path
    page.allow_scripts(allowed=False)
    page.open(f"{site.url}update.html")
    assert "There is nothing to change." in page.text("main")
    new = f"\n[program:fresh]\ncommand={child('sleeper')}\nstartsecs=0\n"
    before = config.read_text(encoding="utf-8")
    config.write_text(
        before.replace("[program:stays]", "[program:renamed]") + new, encoding="utf-8"
    )
    page.open(site.url, PHONE)
    page.click("#outdated a")
    steps = page.text(".plan").splitlines()
    assert sorted(steps) == ["add fresh", "add renamed", "remove stays"]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.click("form button")
    page.wait_for_text("#message", "Configuration applied")
    site.daemon.wait_for_state("fresh", "RUNNING")
    page.open(site.url, PHONE)  # without scripts, it shows the time of its request
    page.wait_for_text(state("fresh"), "RUNNING")
    assert not page.find_all(row("stays"))
    config.write_text("[nonsense", encoding="utf-8")
    page.open(f"{site.url}update.html")
    assert page.find(".message.trouble").is_displayed()
    assert "supervisord.conf" in page.text(".message.trouble")
