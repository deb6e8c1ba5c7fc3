"""Views as plugins write them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.http import NOT_DONE_YET
from supervisor.web import VIEWS, MeldView, OKView, StatusView, TailView, ViewContext
from tests.support.httpsite import get
from tests.support.website import WebSite

TEMPLATE = """\
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:meld="https://github.com/Supervisor/supervisor">
<body><p meld:id="text">x</p></body></html>
"""


@pytest.fixture
def site(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebSite]:
    """Pages; what a test adds to `VIEWS` is taken out again."""
    before = dict(VIEWS)
    made = WebSite(directory, monkeypatch)
    made.open()
    yield made
    VIEWS.clear()
    VIEWS.update(before)
    made.close()


class View:
    """Base of these views."""

    delay = 0.5

    def __init__(self, context: ViewContext) -> None:
        self.context = context
        self.asked = 0


def test_the_names_that_plugins_use() -> None:
    assert VIEWS["index.html"] == {"template": "ui/status.html", "view": StatusView}
    assert VIEWS["tail.html"] == {"template": "ui/tail.html", "view": TailView}
    assert VIEWS["ok.html"] == {"template": None, "view": OKView}


def test_ok(site: WebSite) -> None:
    answer = site.get("/ok.html")
    assert (answer.status, answer.text) == (200, "OK")
    assert answer.header("Content-Type") == "text/plain"


def test_bytes_without_a_template(site: WebSite) -> None:
    class Image(View):
        def __call__(self) -> dict[str, Any]:
            response = self.context.response
            response["headers"]["Content-Type"] = "image/png"
            response["body"] = b"\x89PNG\xff"
            return response

    VIEWS["image.png"] = {"template": None, "view": Image}
    raw = site.ask(get("/image.png").replace(b" x\r", b" localhost\r"))
    assert raw.endswith(b"\r\n\r\n\x89PNG\xff")
    assert b"Content-Type: image/png" in raw
    del VIEWS["image.png"]
    assert site.get("/image.png").status == 404


def test_a_view_without_wake_sources_is_polled_after_each_delay(site: WebSite) -> None:
    class Late(View):
        def __call__(self) -> Any:
            self.asked += 1
            if self.asked < 3:
                return NOT_DONE_YET
            self.context.response["body"] = f"asked {self.asked} times"
            return self.context.response

    VIEWS["late"] = {"template": None, "view": Late}
    client = site.connect()
    client.send(get("/late").replace(b" x\r", b" localhost\r"))
    site.run_once(20)
    client.receive()
    assert client.received == b""
    site.pass_time(0.5)
    site.pass_time(0.5)
    assert b"asked 3 times" in client.answer()


def test_a_location_redirects(site: WebSite) -> None:
    class Elsewhere(View):
        def __call__(self) -> dict[str, Any]:
            url = self.context.form["SERVER_URL"]
            self.context.response["headers"]["Location"] = f"{url}/there"
            self.context.response["body"] = ""
            return self.context.response

    VIEWS["elsewhere"] = {"template": None, "view": Elsewhere}
    answer = site.get("/elsewhere")
    assert answer.status == 303
    assert answer.header("Location") == "http://localhost/there"


def test_a_meld_view(site: WebSite) -> None:
    """The template's tree is read once, and each view works on a copy."""

    class Page(MeldView):
        def render(self) -> str:
            root = self.clone()
            root.findmeld("text").content(self.context.form["text"])
            found: str = root.write_xhtmlstring().decode()
            return found

    path = site.directory / "page.html"
    path.write_text(TEMPLATE)
    VIEWS["page"] = {"template": str(path), "view": Page}
    for text in ("one", "%C3%BC%E2%80%A6%3Cb%3E"):
        answer = site.get(f"/page?text={text}")
        assert answer.header("Content-Type") == "text/html;charset=utf-8"
        assert answer.header("Expires") == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert "<p>\u00fc\u2026&lt;b></p>" in answer.text
    assert answer.header("Content-Security-Policy") is None, "a plugin's page has its own ways"


def test_a_template_that_was_edited_is_read_again(site: WebSite) -> None:
    class Page(MeldView):
        def render(self) -> str:
            found: str = self.clone().write_xhtmlstring().decode()
            return found

    path = site.directory / "page.html"
    path.write_text(TEMPLATE)
    VIEWS["page"] = {"template": str(path), "view": Page}
    assert "edited" not in site.get("/page").text
    path.write_text(TEMPLATE.replace(">x<", ">edited<"))
    import os

    os.utime(path, ns=(1, 1))
    assert "edited" in site.get("/page").text


def test_the_attributes_of_a_context(site: WebSite) -> None:
    seen: dict[str, Any] = {}

    class Curious(View):
        def __call__(self) -> dict[str, Any]:
            seen.update(vars(self.context))
            self.context.response["body"] = ""
            return self.context.response

    VIEWS["curious.html"] = {"template": None, "view": Curious}
    query = "a=1&a=2&b=%C3%BC&processname=x:y;z=1&HTTP_HOST=evil"
    site.get(f"/curious.html?{query}", "Cookie: k=v")
    port = str(site.servers[0].config.port or "")
    expected = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "HTTP_COOKIE": "k=v",
        "HTTP_HOST": "localhost",
        "PATH_INFO": "/curious.html",
        "PATH_TRANSLATED": "/curious.html",
        "QUERY_STRING": query,
        "REMOTE_ADDR": "127.0.0.1",
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "Supervisor",
        "SERVER_URL": "http://localhost",
        "a": "1",
        "b": "\u00fc",
        "processname": "x:y;z=1",
    }
    assert seen["form"] == expected
    assert seen["supervisord"] is site.supervisord
    assert seen["template"] is None
    assert seen["request"].get_header("cookie") == "k=v"


@pytest.mark.parametrize("where", ["__init__", "__call__"])
def test_a_view_that_fails_is_a_logged_500(site: WebSite, where: str) -> None:
    class Broken(View):
        def __call__(self) -> dict[str, Any]:
            return {}

    def fail(*_: object) -> None:
        raise RuntimeError("a plugin's bug")

    setattr(Broken, where, fail)
    VIEWS["broken"] = {"template": None, "view": Broken}
    assert site.get("/broken").status == 500
    assert any("a plugin's bug" in text for _, text in site.log())


def test_a_header_with_a_line_break_is_a_logged_500(site: WebSite) -> None:
    class Split(View):
        def __call__(self) -> dict[str, Any]:
            return {"headers": {"X": "a\r\nSet-Cookie: b"}, "body": ""}

    VIEWS["split"] = {"template": None, "view": Split}
    answer = site.get("/split")
    assert answer.status == 500
    assert answer.header("Set-Cookie") is None


def test_without_its_modules_every_page_is_unknown(
    site: WebSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade of Python, for example; the reason is one line of the log."""
    monkeypatch.setitem(sys.modules, "supervisor.web.pages", None)
    assert site.get("/unknown").status == 404
    [(level, text)] = site.log()
    assert (level, "\n" in text) == ("critical", False)
    assert text.startswith("cannot load the web interface: import of supervisor.web.pages halted")
