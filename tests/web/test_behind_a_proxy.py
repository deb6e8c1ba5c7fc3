"""The pages behind nginx, under a sub-path and another host's name."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import Browser, row
from tests.support.daemon import Daemon
from tests.support.pages import PROGRAMS
from tests.support.ports import free_port, inet_server
from tests.support.tools import tool
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)

HOST = "sup.example"

NGINX = """
daemon off;
error_log {directory}/error.log;
pid {directory}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location /sup/ {{
            proxy_pass http://127.0.0.1:{backend}/;
            proxy_http_version 1.1;
            proxy_set_header Host {host};
            proxy_set_header X-Forwarded-Host $http_host;
        }}
    }}
}}
"""


class Proxy:
    """A daemon, nginx as one of its programs, and the port of nginx."""

    def __init__(self, daemon: Daemon, port: int) -> None:
        self.daemon = daemon
        self.port = port

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection to nginx."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def answers(self) -> bool:
        """Whether nginx is up and finds the daemon behind it."""
        connection = self.connection()
        try:
            connection.request("GET", "/sup/")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


@pytest.fixture
def proxy(directory: Path) -> Iterator[Proxy]:
    """Both running; the daemon allows the name that nginx passes on."""
    port, backend = free_port(), free_port()
    text = NGINX.format(directory=directory, port=port, backend=backend, host=HOST)
    (directory / "nginx.conf").write_text(text, encoding="ascii")
    nginx = (
        f"[program:nginx]\ncommand={tool('nginx')} -e stderr -c %(here)s/nginx.conf\n"
        "startsecs=0\nstopasgroup=true\n"
    )
    server = inet_server(backend, f"allowed_hosts={HOST}")
    with Daemon(directory, server + PROGRAMS + nginx) as daemon:
        started = Proxy(daemon, port)
        wait_until(started.answers, 30, what=lambda: daemon.text("error.log"))
        yield started


def test_a_person_uses_it_there(page: Browser, proxy: Proxy) -> None:
    """Links, actions and what comes by itself stay under the path."""
    page.open(f"http://127.0.0.1:{proxy.port}/sup/")
    page.wait_until_live()
    page.click(f"{row('idle')} button[formaction*='action=start']")
    page.wait_for_text(f"{row('idle')} .state", "RUNNING")
    proxy.daemon.rpc.supervisor.stopProcess("idle")
    page.wait_for_text(f"{row('idle')} .state", "STOPPED")
    page.click(f"{row('speaks')} th a")
    page.wait_for_text("h1", "speaks")
    page.wait_until_live()
    page.click(".output h2 a")
    page.wait_for_text(".streams", "Process")
    page.wait_until_live()
    proxy.daemon.rpc.supervisor.sendProcessStdin("speaks", "through the proxy\n")
    page.wait_for_text("pre.log", "through the proxy")
    page.click("header h1 a")
    page.wait_for_text(row("idle"), "STOPPED")


def test_without_scripts_too(page: Browser, proxy: Proxy) -> None:
    page.allow_scripts(allowed=False)
    page.open(f"http://127.0.0.1:{proxy.port}/sup/")
    page.click(f"{row('idle')} button[formaction*='action=start']")
    page.wait_for_text("#message", "Process idle started")
    assert page.driver.current_url.startswith(f"http://127.0.0.1:{proxy.port}/sup/?message=")


def test_a_redirect_names_no_host(proxy: Proxy) -> None:
    connection = proxy.connection()
    connection.request("GET", "/sup/index.html?action=start&processname=idle")
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Location")) == (
        303,
        "./?message=Process%20idle%20started",
    )
    connection.close()


def test_changes_come_through_at_once(proxy: Proxy) -> None:
    """The proxy is asked not to hold them back."""
    connection = proxy.connection()
    connection.request("GET", "/sup/changes")
    stream = connection.getresponse()
    assert stream.readline() == b"event: beat\n"
    assert stream.readline().startswith(b"data: ")
    proxy.daemon.rpc.supervisor.startProcess("idle")
    rows: list[Any] = []
    while not any("idle" in each for each in rows):
        line = stream.readline()
        assert line
        if line.startswith(b"data: "):
            rows += json.loads(line[6:])["rows"]
    connection.close()
