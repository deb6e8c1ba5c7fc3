"""A daemon whose package is removed or upgraded while it runs."""

from __future__ import annotations

import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.installations import install
from tests.support.ports import free_port
from tests.support.tables import assert_none
from tests.support.transport import UnixConnection

pytestmark = pytest.mark.slow

CONFIG = f"[program:x]\ncommand={child('sleeper')}\nstartsecs=0\n"

NOTICE = "has been replaced or removed"


def remove(installed: Path) -> None:
    shutil.rmtree(installed)


def upgrade(installed: Path) -> None:
    """Install a version whose modules and pages do not fit those of the daemon."""
    remove(installed)
    install(installed)
    for path in installed.rglob("*"):
        if path.suffix in {".py", ".css", ".html", ".txt"}:
            path.write_text("not_of_this_version", encoding="ascii")


@pytest.fixture
def daemon(directory: Path) -> Iterator[Daemon]:
    """A daemon of its own installation that has not served a page yet."""
    install(directory / "installed")
    environment = {"PYTHONPATH": str(directory / "installed")}
    with Daemon(directory, CONFIG, environment=environment) as started:
        started.wait_for_state("x", "RUNNING")
        yield started


def get(daemon: Daemon, path: str) -> tuple[int, bytes]:
    connection = UnixConnection(str(daemon.socket_path), timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


PAGES = (
    ("/", 200, b"supervisor.css"),
    ("/tail.html?processname=x", 200, b"tail.js"),
    ("/stylesheets/supervisor.css", 200, b"{"),
    ("/scripts/status.js", 200, b"function"),
    ("/index.html?action=stopall&processname=", 303, b""),
    ("/unknown", 404, b""),
    ("/stylesheets/unknown.css", 404, b""),
)


def wrong_pages(daemon: Daemon) -> Iterator[str]:
    for path, status, part in PAGES:
        found, body = get(daemon, path)
        if found != status or part not in body or b"not_of_this_version" in body:
            yield f"{path}: {found} {body[:200]!r}"


@pytest.mark.parametrize("change", [remove, upgrade])
def test_the_daemon_works_as_before(daemon: Daemon, change: object) -> None:
    """Pages, calls and a reload that needs further modules; one line of the log reports it."""
    assert callable(change)
    change(daemon.directory / "installed")
    assert_none(wrong_pages(daemon))
    assert daemon.rpc.supervisor.startProcess("x")
    assert daemon.log_text().count(NOTICE) == 1
    daemon.write_config(
        f"{CONFIG}[fcgi-program:f]\ncommand={child('fastcgi')}\nsocket=unix://%(here)s/f.sock\n"
    )
    assert daemon.rpc.supervisor.reloadConfig() == [[["f"], [], []]]
    assert daemon.rpc.supervisor.addProcessGroup("f")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon.write_config(f"{CONFIG}[inet_http_server]\nport=127.0.0.1:{port}\n")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log(f"In use: 127.0.0.1:{port}")
    daemon.write_config(f"{CONFIG}[inet_http_server]\nport=127.0.0.1:{free_port()}\n")
    daemon.signal(signal.SIGHUP)
    daemon.wait_for_start(2)
    assert_none(wrong_pages(daemon))
    assert "Traceback" not in daemon.log_text()
    assert daemon.log_text().count(NOTICE) == 1


def test_edited_pages_are_read_again(daemon: Daemon) -> None:
    """An edit of one file takes effect at once, as long as the version is the same."""
    page = daemon.directory / "installed" / "supervisor" / "ui" / "status.html"
    page.write_text(page.read_text().replace("</body>", "edited</body>"))
    assert b"edited</body>" in get(daemon, "/")[1]
    assert NOTICE not in daemon.log_text()
