"""What a page of somebody else tries in a person's browser, while ours are open to that person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.support.browser import Browser
from tests.support.daemon import Daemon
from tests.support.pages import PROGRAMS, Site
from tests.support.ports import free_port, inet_server

pytestmark = pytest.mark.timeout(180)

STOP = "index.html?action=stop&processname=stays"

# What each page does to {url} by itself; it shows "done" when the browser is through with it.
ATTACKS = {
    "a picture": '<img src="{url}" onerror="done()" onload="done()">',
    "a frame": '<iframe src="{url}" onload="done()"></iframe>',
    "a form": """
        <form method="post" action="{url}" target="answer"></form>
        <iframe name="answer"></iframe>
        <script>
            document.querySelector("iframe").addEventListener("load", done);
            document.forms[0].submit();
        </script>
    """,
    "a script": """
        <script>fetch("{url}", {{method: "POST", mode: "no-cors"}}).then(done, done)</script>
    """,
    "a script that hides where it is from": """
        <meta name="referrer" content="no-referrer">
        <script>fetch("{url}", {{mode: "no-cors"}}).then(done, done)</script>
    """,
    "XML-RPC": """
        <script>
            const body = "<methodCall><methodName>supervisor.stopAllProcesses</methodName>"
                + "</methodCall>";
            fetch("{url}", {{method: "POST", mode: "no-cors", body}}).then(done, done);
        </script>
    """,
}

PAGE = """<!DOCTYPE html>
<title>Elsewhere</title>
<script>const done = () => {{ document.title = "done"; }};</script>
{attack}
"""


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def elsewhere(directory: Path, attack: str) -> Iterator[str]:
    """Another site; yields the address of its page."""
    (directory / "attack.html").write_text(PAGE.format(attack=attack), encoding="utf-8")
    handler = partial(QuietHandler, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_address[1]}/attack.html"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ATTACKS)
def test_a_foreign_page_stops_nothing(page: Browser, site: Site, tmp_path: Path, name: str) -> None:
    """Also when the person has a page of ours open, and would be let in."""
    page.open(site.url)
    page.wait_until_live()
    pid = site.daemon.info("stays")["pid"]
    target = site.url + ("RPC2" if name == "XML-RPC" else STOP)
    with elsewhere(tmp_path, ATTACKS[name].format(url=target)) as address:
        page.open(address)
        page.wait(lambda: page.evaluate("document.title") == "done")
    # Whatever the attack has begun would have ended before this answer.
    assert site.daemon.rpc.supervisor.stopProcess("team:first")
    info = site.daemon.info("stays")
    assert (info["statename"], info["pid"]) == ("RUNNING", pid)


def test_a_click_on_a_foreign_link_stops_nothing(page: Browser, site: Site, tmp_path: Path) -> None:
    """It leads to our page, which asks, or to a refusal, but never acts."""
    link = f'<a href="{site.url}{STOP}">Win a prize</a>'
    with elsewhere(tmp_path, link) as address:
        page.open(address)
        page.click("a")
        page.wait(lambda: page.driver.current_url != address)
    assert site.daemon.info("stays")["statename"] == "RUNNING"


def test_the_persons_own_bookmark_acts(page: Browser, site: Site) -> None:
    """What is typed or bookmarked comes from nobody else."""
    page.open(site.url + STOP)
    page.wait_for_text("#message", "Process stays stopped")


def test_a_name_that_was_made_to_mean_loopback_is_refused(page: Browser, site: Site) -> None:
    """DNS rebinding: such a page would be of the same origin as ours."""
    page.open(site.url.replace("127.0.0.1", "rebound.example"))
    assert not page.find_all("#processes")
    assert "not known under the name" in page.text("body")


def test_a_name_that_the_configuration_allows_is_not(page: Browser, directory: Path) -> None:
    port = free_port()
    server = inet_server(port, "allowed_hosts=rebound.example")
    with Daemon(directory, server + PROGRAMS):
        page.open(f"http://rebound.example:{port}/")
        page.wait_until_live()


def test_our_pages_cannot_be_framed(page: Browser, site: Site, tmp_path: Path) -> None:
    """A page around ours could make people click on what they do not see."""
    frame = f'<iframe src="{site.url}" onload="done()"></iframe>'
    with elsewhere(tmp_path, frame) as address:
        page.open(address)
        page.wait(lambda: page.evaluate("document.title") == "done")
        page.driver.switch_to.frame(page.find("iframe"))
        assert not page.find_all("#processes")
        page.driver.switch_to.default_content()
