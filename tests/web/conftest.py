"""One browser for all tests of the pages: its start takes longer than most of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import Browser, browser
from tests.support.daemon import Daemon
from tests.support.pages import PROGRAMS, Site
from tests.support.ports import free_port, inet_server


@pytest.fixture(scope="session")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The browser itself."""
    with browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def page(window: Browser) -> Iterator[Browser]:
    """The browser; afterwards its page is closed, and with it what it follows."""
    yield window
    window.allow_scripts(allowed=True)
    window.forget()
    window.driver.get("about:blank")


@pytest.fixture
def site(directory: Path) -> Iterator[Site]:
    """A daemon with some programs, all that start by themselves running."""
    port = free_port()
    with Daemon(directory, inet_server(port) + PROGRAMS) as daemon:
        for name in ("stays", "speaks", "team:first", "team:second"):
            daemon.wait_for_state(name, "RUNNING")
        yield Site(daemon, f"http://127.0.0.1:{port}/")
