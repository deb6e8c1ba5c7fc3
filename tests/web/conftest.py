"""One browser for all tests of the pages: its start takes longer than most of them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.web.browser import Browser, browser

PROGRAMS = f"""
[program:stays]
command={child("sleeper")}
startsecs=0
[program:speaks]
command={child("echo")}
startsecs=0
[program:idle]
command={child("sleeper")}
startsecs=0
autostart=false
[program:cannot]
command=/nonexistent/program
autostart=false
[group:team]
programs=first,second
[program:first]
command={child("sleeper")}
startsecs=0
[program:second]
command={child("sleeper")}
startsecs=0
"""


def free_port() -> int:
    """Return a port of the loopback address that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def inet_server(port: int, *options: str) -> str:
    """Return the section of a server with these options."""
    return "\n".join(["[inet_http_server]", f"port=127.0.0.1:{port}", *options, ""])


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
    window.driver.get("about:blank")


class Site:
    """A daemon and the address of its pages."""

    def __init__(self, daemon: Daemon, url: str) -> None:
        self.daemon = daemon
        self.url = url


@pytest.fixture
def site(directory: Path) -> Iterator[Site]:
    """A daemon with some programs, all that start by themselves running."""
    port = free_port()
    with Daemon(directory, inet_server(port) + PROGRAMS) as daemon:
        for name in ("stays", "speaks", "team:first", "team:second"):
            daemon.wait_for_state(name, "RUNNING")
        yield Site(daemon, f"http://127.0.0.1:{port}/")
