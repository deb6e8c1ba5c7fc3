"""Two hundred liveness checks a second, for a while: memory, fds and children do not grow."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support import proctable
from tests.support.daemon import Daemon
from tests.support.soak import SECONDS, START_AND_STOP_SECONDS, soak
from tests.support.waiting import wait_until

PROGRAMS_PER_KIND = 20
FLAP_SECONDS = 3

SUCCEEDING = {
    "tcp": "tcp://127.0.0.1:{port}",
    "http": "http://127.0.0.1:{port}/200",
    "unix": "unix://%(here)s/checked.sock",
    "command": "/bin/true",
}
FAILING = {
    "refused": "tcp://127.0.0.1:1",
    "status": "http://127.0.0.1:{port}/500",
    "silent": "http://127.0.0.1:{port}/silent",
    "missing": "unix://%(here)s/missing.sock",
    "exits": "/bin/false",
}
FLAPPING = {"flapping": "http://127.0.0.1:{port}/flapping"}
"""Kinds of programs, and their checks."""

PROGRAM = f"""
[program:{{kind}}]
command=/bin/sleep 1000000
process_name=%(process_num)d
numprocs={PROGRAMS_PER_KIND}
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
liveness_check_script={{script}}
liveness_check_initial_delay=0
liveness_check_period=1s
liveness_check_timeout=500ms
liveness_check_failure_threshold={{threshold}}
liveness_check_failure_action=/bin/true
"""


class Handler(BaseHTTPRequestHandler):
    """Responds with the status in the path, with changing ones, or not at all."""

    def do_GET(self) -> None:
        name = self.path[1:]
        if name == "silent":
            self.rfile.read()  # until the check closes the connection
            return
        is_failing = int(time.monotonic() / FLAP_SECONDS) % 2
        self.send_response(int(name) if name.isdigit() else (200, 500)[is_failing])
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Be quiet."""


class HTTPServer(ThreadingHTTPServer):
    """A server whose clients may close connections early."""

    request_queue_size = 1000

    def handle_error(self, *_arguments: Any) -> None:
        """Ignore a client that has gone."""


class UnixServer(socketserver.UnixStreamServer):
    """A server that accepts connections and closes them."""

    request_queue_size = 1000


@contextmanager
def serving(directory: Path) -> Iterator[int]:
    """Run the servers that are checked; yield the TCP port."""
    with (
        HTTPServer(("127.0.0.1", 0), Handler) as http,
        UnixServer(f"{directory}/checked.sock", socketserver.BaseRequestHandler) as unix,
        ExitStack() as cleanup,
    ):
        for server in (http, unix):
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            cleanup.callback(thread.join)
            cleanup.callback(server.shutdown)
        yield http.server_port


def config(port: int) -> str:
    """Return the sections of all programs."""
    text = "minfds=4096\n"
    for kind, script in {**SUCCEEDING, **FAILING, **FLAPPING}.items():
        threshold = 1 if kind in FLAPPING else 1_000_000
        text += PROGRAM.format(kind=kind, script=script.format(port=port), threshold=threshold)
    return text


def failures(health: str) -> int:
    """Return the number of failures in a row: 2 of `failing (2/3)`."""
    return int(health.partition("(")[2].partition("/")[0] or 0)


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + START_AND_STOP_SECONDS)
def test_two_hundred_checks_a_second(directory: Path) -> None:
    """Sockets, HTTP and commands; succeeding, failing, timing out, and alternating."""
    with serving(directory) as port, Daemon(directory, config(port), seconds=60) as daemon:
        began = time.monotonic()
        samples = soak(daemon, time.sleep)
        seconds = time.monotonic() - began
        health = {each["name"]: each["health"] for each in details(daemon)}
        for kind in SUCCEEDING:
            assert health[f"{kind}:0"] == "ok"
        for kind in FAILING:
            assert failures(health[f"{kind}:0"]) > seconds / 2, kind
        assert daemon.log_text().count("running liveness_check_failure_action") > 0
        for kind in health:
            daemon.rpc.supervisor.stopProcess(kind)
        wait_until(lambda: proctable.children(daemon.pid) == [], 30)
        pipes = len(health)  # of stdin
        wait_until(lambda: proctable.fd_count(daemon.pid) <= samples[-1].fds - pipes, 30)
        assert "Traceback" not in daemon.log_text()


def details(daemon: Daemon) -> list[dict[str, Any]]:
    """Return the details of all processes, by their full names."""
    found: Any = daemon.rpc.supervisor.getAllProcessDetails()
    return [{**each, "name": f"{each['group']}:{each['name']}"} for each in found]
