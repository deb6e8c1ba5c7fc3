"""The daemon's identity in the head, the title and the icon; changed files; the end of a login."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.support.browser import PHONE, Browser
from tests.support.daemon import Daemon
from tests.support.pages import PROGRAMS, Site
from tests.support.ports import free_port, inet_server

pytestmark = pytest.mark.timeout(180)


def icon(page: Browser) -> str:
    """Return the address of the page's icon."""
    address: str = page.evaluate("document.querySelector('#icon').href")
    return address.rpartition("/")[2]


BREAKS = """
[program:breaks]
command=/bin/false
autostart=false
startretries=0
"""


def test_a_phone_shows_the_whole_identity(page: Browser, site: Site) -> None:
    page.open(site.url, PHONE)
    page.wait_until_live()
    for part in (".host", ".place"):
        width = f"document.querySelector('{part}')"
        assert page.evaluate(f"{width}.scrollWidth <= {width}.clientWidth")


def test_the_head_the_title_and_the_icon(page: Browser, directory: Path) -> None:
    """The icon and the number in the title follow what happens."""
    port = free_port()
    host = f"{socket.gethostname()}:{port}"
    with Daemon(directory, inet_server(port) + BREAKS) as daemon:
        page.open(f"http://127.0.0.1:{port}/")
        page.wait_until_live()
        assert page.text("h1").split() == ["Supervisor", "test", host]
        assert page.driver.title == f"test on {host} - Supervisor Status"
        assert icon(page) == "icon.png"
        daemon.rpc.supervisor.startProcess("breaks", False)
        page.wait(lambda: icon(page) == "trouble.png")
        assert page.driver.title == f"(1 failed) test on {host} - Supervisor Status"
        page.open(f"http://127.0.0.1:{port}/", PHONE)
        assert icon(page) == "trouble.png"  # also without the script
        assert page.text("h1 .host") == "test"
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_changed_files_are_reported(page: Browser, site: Site) -> None:
    page.open(site.url)
    page.wait_until_live()
    assert not page.find("#outdated").is_displayed()
    os.utime(site.daemon.config_path, (1, 1))
    page.wait(lambda: page.find("#outdated").is_displayed())
    site.daemon.rpc.supervisor.reloadConfig()
    page.wait(lambda: not page.find("#outdated").is_displayed())


def test_the_end_of_a_login(page: Browser, directory: Path) -> None:
    """The page says so, does not ask again and again, and offers to log in."""
    port = free_port()

    def text(password: str) -> str:
        return inet_server(port, "username=user", f"password={password}") + PROGRAMS

    with Daemon(directory, text("secret")) as daemon:
        page.open(f"http://user:secret@127.0.0.1:{port}/")
        page.open(f"http://127.0.0.1:{port}/")
        page.wait_until_live()
        daemon.stop()
        page.wait_for_text("#live", "No response since")
        config = daemon.config_path
        config.write_text(
            config.read_text(encoding="utf-8").replace("password=secret", "password=other"),
            encoding="utf-8",
        )
        daemon.start()
        page.wait_for_text("#live", "The login has ended")
        assert page.find("#login").is_displayed()
        assert page.evaluate("document.querySelector('#processes').inert") is True
