"""No foreign page may act: by a link, a form, a script, or a name of its own for 127.0.0.1."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.common.addresses import TcpAddress
from supervisor.engine import sockets
from supervisor.http.throttle import MAX_LINES
from tests.support.httpsite import inet_config, unix_config
from tests.support.website import WebSite

ACTION = "/index.html?action=start&processname=cat"

BROWSER = ("User-Agent: Mozilla/5.0 (X11; Linux x86_64)", "Accept-Language: en")


@pytest.fixture
def site(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebSite]:
    """Pages, with one program that is stopped."""
    made = WebSite(directory, monkeypatch)
    made.add("cat")
    yield made
    made.close()


HONEST = [
    (),
    ("User-Agent: curl/8.0",),
    ("User-Agent: Mozilla/5.0 (Windows NT) WindowsPowerShell/5.1",),
    (*BROWSER, "Sec-Fetch-Site: same-origin"),
    (*BROWSER, "Sec-Fetch-Site: none"),
    (*BROWSER, "Sec-Fetch-Site: same-origin", "Origin: https://behind.a.proxy"),
    (*BROWSER, "Origin: http://localhost"),
    (*BROWSER, "Referer: http://LOCALHOST/index.html"),
    (*BROWSER, "Origin: http://sup.example:80", "X-Forwarded-Host: sup.example:80"),
    (*BROWSER, "Origin: http://sup.example", "X-Requested-With: supervisor"),
]

FOREIGN = [
    (*BROWSER, "Sec-Fetch-Site: cross-site"),
    (*BROWSER, "Sec-Fetch-Site: same-site"),
    (*BROWSER, "Sec-Fetch-Site: cross-site", "Origin: http://localhost"),
    (*BROWSER, "Origin: http://evil.example"),
    (*BROWSER, "Origin: null"),
    (*BROWSER, "Origin: http://localhost:8080"),
    (*BROWSER, "Origin: http://localhost.evil.example"),
    (*BROWSER, "Referer: http://evil.example/http://localhost/"),
]


@pytest.mark.parametrize("lines", HONEST)
@pytest.mark.parametrize("method", ["get", "post"])
def test_honest_requests_act(site: WebSite, method: str, lines: tuple[str, ...]) -> None:
    site.open()
    assert getattr(site, method)(ACTION, *lines).status == 303
    assert len(site.plans) == 1


@pytest.mark.parametrize("lines", FOREIGN)
@pytest.mark.parametrize("method", ["get", "post"])
def test_foreign_requests_do_not_act(site: WebSite, method: str, lines: tuple[str, ...]) -> None:
    site.open()
    assert getattr(site, method)(ACTION, *lines).status == 403
    assert site.plans == []


def test_a_browser_without_evidence_of_its_origin_must_confirm(site: WebSite) -> None:
    """Over plain HTTP a page can have its visitors' browsers say nothing at all."""
    site.open()
    answer = site.get(ACTION, *BROWSER)
    assert answer.status == 403
    assert "Nothing was done" in answer.text
    assert 'action="index.html?action=start&amp;processname=cat"' in answer.text
    assert site.plans == []


def test_a_link_from_elsewhere_shows_the_page(site: WebSite) -> None:
    site.open()
    lines = (*BROWSER, "Sec-Fetch-Site: cross-site", "Referer: http://wiki.example/")
    assert site.get("/", *lines).status == 200
    assert site.get("/index.html?action=refresh", *lines).status == 303


@pytest.mark.parametrize("path", ["/RPC2", "/anything", "/tail.html"])
def test_foreign_posts_are_refused_everywhere(site: WebSite, path: str) -> None:
    """XML-RPC would take a form that is sent as plain text."""
    site.open()
    answer = site.post(path, "Origin: http://evil.example", content=b"<methodCall/>")
    assert answer.status == 403
    assert "another site" in answer.text


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:9001",
        "127.0.0.1",
        "127.0.0.1:9001",
        "192.0.2.7:9001",
        "[::1]:9001",
        "app.localhost",
        socket.gethostname(),
        "",
    ],
)
def test_a_loopback_server_accepts_its_own_names(site: WebSite, host: str) -> None:
    """And to addresses, which cannot be rebound."""
    site.open()
    assert site.get("/", host=host).status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:9001", "1.2.3", "[x]"])
@pytest.mark.parametrize("path", ["/", "/RPC2", "/logtail/cat"])
def test_a_loopback_server_accepts_no_other_name(site: WebSite, path: str, host: str) -> None:
    site.open()
    answer = site.get(path, host=host)
    assert answer.status == 403
    assert "Host" in answer.text


@pytest.mark.parametrize(
    ("target", "host", "code"),
    [
        ("http://evil.example/", "localhost", 403),
        ("http://localhost:9001/", "evil.example", 200),
    ],
)
def test_the_host_of_an_absolute_target_counts(
    site: WebSite, target: str, host: str, code: int
) -> None:
    """RFC 9112, 3.2.2: it takes the place of the Host field."""
    site.open()
    assert site.get(target, host=host).status == code


def test_a_refused_name_leads_to_the_option(site: WebSite) -> None:
    """On the page and in the log, in a few lines a second."""
    site.open()
    pages = [site.get("/", host="evil.example" * 10).text for _ in range(MAX_LINES + 3)]
    hint = "if the name is right, list it in allowed_hosts= of [inet_http_server]"
    assert all(hint in page for page in pages)
    lines = [text for level, text in site.log() if level == "warn"]
    assert len(lines) == MAX_LINES
    host = ("evil.example" * 10)[:64]
    assert lines[0].startswith("127.0.0.1:")
    assert f": Host {host!r} refused: " in lines[0]
    assert lines[0].endswith(hint)
    site.pass_time(1)
    assert site.log()[-1] == ("warn", "127.0.0.1: 3 more refused Host fields within a second")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1"])
def test_every_form_of_the_loopback_address_is_guarded(site: WebSite, host: str) -> None:
    site.open(inet_config(host=host))
    assert site.get("/", host="evil.example").status == 403
    assert site.get("/", host="localhost").status == 200


def test_a_name_that_means_the_loopback_address_is_guarded(
    site: WebSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the name of a machine does where /etc/hosts says 127.0.1.1: the bound address counts."""
    bound = []

    def listen(address: TcpAddress, backlog: int, _real: Any = sockets.listen_tcp) -> socket.socket:
        bound.append(address.host)
        return _real(TcpAddress("127.0.1.1", address.port), backlog)

    monkeypatch.setattr(sockets, "listen_tcp", listen)
    site.open(inet_config(host="box.example"))
    assert bound == ["box.example"]
    assert site.get("/", host="evil.example").status == 403
    assert site.get("/", host="box.example").status == 200


@pytest.mark.parametrize("host", ["", "::"])
def test_a_server_on_every_interface_accepts_any_name(site: WebSite, host: str) -> None:
    site.open(inet_config(host=host))
    assert site.get("/", host="sup.example").status == 200


def test_a_loopback_server_accepts_names_that_are_allowed(site: WebSite) -> None:
    """As a proxy in front passes them on."""
    site.open(inet_config(allowed_hosts=("Sup.example", "other.example")))
    assert site.get("/", host="sup.example:8080").status == 200
    assert site.get("/", host="evil.example").status == 403


def test_with_a_password_any_name_will_do(site: WebSite) -> None:
    """A browser keeps no password for a name that was rebound."""
    site.open(inet_config(username="u", password="p"))
    assert site.get("/", host="sup.example").status == 200


def test_other_servers_accept_any_name(site: WebSite) -> None:
    site.open(unix_config(site.directory / "s"))
    assert site.get("/", host="sup.example").status == 200
