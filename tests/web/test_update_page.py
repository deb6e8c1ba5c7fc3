"""The plan of an update as a page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.browser import PHONE, Browser, row, state
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.pages import Site
from tests.support.ports import free_port, inet_server

pytestmark = pytest.mark.timeout(180)


def test_changes_are_shown_and_applied(page: Browser, site: Site) -> None:
    """From the note on the status page, and without scripts, to the result."""
    config = site.daemon.config_path
    page.allow_scripts(allowed=False)
    page.open(f"{site.url}update.html")
    assert page.text("main") == "There is nothing to change."
    assert not page.find_all(".plan")
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


MANY = f"""
[program:many]
command={child("sleeper")}
process_name=%(process_num)s
numprocs=2
environment=KEY=s3cret
startsecs=0
"""


def test_old_and_new_values_are_shown_but_no_secrets(page: Browser, directory: Path) -> None:
    """In the language that the page offers."""
    port = free_port()
    with Daemon(directory, inet_server(port) + MANY) as daemon:
        daemon.wait_for_state("many:0", "RUNNING")
        before = daemon.config_path.read_text(encoding="utf-8")
        after = before.replace("numprocs=2", "numprocs=3").replace("s3cret", "hunter2")
        after = after.replace("startsecs=0", "startsecs=1\nredirect_stderr=true\ndirectory=/tmp")
        command = child("sleeper")
        daemon.config_path.write_text(after.replace(command, f"{command} --new"), encoding="utf-8")
        page.open(f"http://127.0.0.1:{port}/update.html", PHONE)
        step = page.find_all(".plan li")[0].text
        assert step.startswith(f"restart many:0 command {command} → {command} --new, directory")
        assert "redirect_stderr false → true" in step
        assert "startsecs 0 → 1" in step
        assert step.endswith("environment")
        assert "add many:2 numprocs 2 → 3" in page.text(".plan")
        assert not re.search("s3cret|hunter2", page.evaluate("document.body.outerHTML"))
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        page.click(".language")
        page.wait_for_text("h1", "配置更改")
