"""Error pages: for browsers they say what to do, for scripts they are as before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.http.handlers import supervisor_auth_handler
from supervisor.http.response import error_response
from supervisor.web import error_page
from tests.support.website import WebSite

HTML = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"


@pytest.fixture
def site(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebSite]:
    """Pages with the error pages of the daemon."""
    made = WebSite(directory, monkeypatch)
    made.add("cat")
    made.open()
    made.servers[0].error_page = error_page
    yield made
    made.close()


def test_a_script_gets_the_page_as_before(site: WebSite) -> None:
    for line in ("X: y", "Accept: */*", "Accept: application/json"):
        answer = site.get("/nothing", line)
        assert answer.status == 404
        assert "<p>Error code 404.</p>" in answer.text
        assert answer.header("Content-Type") == "text/html"


def test_a_missing_page(site: WebSite) -> None:
    """The link leads back from any depth, also below the path of a proxy."""
    answer = site.get("/one/two/three?x=/", HTML)
    assert answer.status == 404
    assert "There is no such page" in answer.text
    assert '<a href="../../">All processes</a>' in answer.text
    assert "sha256-" in (answer.header("Content-Security-Policy") or "")
    assert '<a href="./">' in site.get("/nothing", HTML).text
    assert "没有此页面" in site.get("/nothing", HTML, "Accept-Language: zh-CN").text


def test_a_missing_login(site: WebSite) -> None:
    """The browser still asks for one, since the header field stays."""
    server = site.servers[0]
    server.handlers = [supervisor_auth_handler({"user": "x"}, each) for each in server.handlers]
    answer = site.get("/", HTML)
    assert answer.status == 401
    assert answer.header("WWW-Authenticate") == 'Basic realm="default"'
    stream = site.get("/changes", "Accept: text/event-stream")  # no prompt without a click
    assert stream.status == 401
    assert stream.header("WWW-Authenticate") == 'X-Basic realm="default"'
    assert "Login required" in answer.text
    assert '<a href="">Log in</a>' in answer.text


def test_a_refused_request_has_its_reason(site: WebSite) -> None:
    answer = site.get("/", HTML, host="evil.example")
    assert answer.status == 403
    assert "list it in allowed_hosts= of [inet_http_server]" in answer.text
    assert "Open the status page by its own address" in answer.text


def test_other_answers_stay(site: WebSite) -> None:
    """Pages, redirects, and the 403 of the status page, which is a page itself."""
    assert site.get("/", HTML).status == 200
    assert site.get("/index.html?action=refresh", HTML).status == 303
    answer = site.get("/?action=stopall", HTML, "Sec-Fetch-Site: cross-site")
    assert answer.status == 403
    assert 'class="ask"' in answer.text


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 500, 503])
def test_each_code_has_a_page(code: int) -> None:
    """A message may contain markup."""
    request = BrowserRequest("/a?b")
    response = error_page(request, error_response(code, "no <b>%s{x}", {"X-Kept": "1"}))  # type: ignore[arg-type]
    assert response.status == code
    assert response.fields["X-Kept"] == "1"
    text = b"".join(response.parts).decode()  # type: ignore[arg-type]
    assert "no &lt;b&gt;%s{x}" in text
    assert int(response.fields["Content-Length"]) == len(text.encode())


class BrowserRequest:
    """A request of a browser."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def get_header(self, name: str) -> str | None:
        """Return a header field."""
        return "text/html" if name == "accept" else None
