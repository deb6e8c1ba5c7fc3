"""The XML-RPC client of PHP's CodeIgniter, as Supervisord-Monitor uses it, byte by byte.

It speaks HTTP/1.0, reads up to the end of the connection and sends every argument as a string,
numbers and booleans included.
"""

from __future__ import annotations

import html
import socket
import xmlrpc.client
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.children import DIRECTORY as CHILDREN
from tests.support.children import child
from tests.support.comparison import Pair, running_pair
from tests.support.daemon import Daemon

CONFIG = f"""
[program:talks]
command={child("two_streams", "to stdout", "to stderr")}
startsecs=0
[program:toggled]
command={child("sleeper")}
startsecs=0
autostart=false
[program:quiet]
command={child("sleeper")}
startsecs=0
stderr_logfile=NONE
"""

ANSWER_SECONDS = 20

# What the dashboard asks for each row it shows, and what its buttons do, in this order.
CALLS: tuple[tuple[str, ...], ...] = (
    ("readProcessStderrLog", "talks", "-1000", "0"),
    ("readProcessStderrLog", "toggled", "-1000", "0"),
    ("readProcessStderrLog", "quiet", "-1000", "0"),
    ("readProcessStdoutLog", "talks", "0", "4"),
    ("tailProcessStdoutLog", "talks", "0", "4"),
    ("startProcess", "toggled", "1"),
    ("startProcess", "toggled", "1"),
    ("stopProcess", "toggled", "1"),
    ("clearProcessLogs", "talks"),
    ("readProcessStderrLog", "talks", "-1000", "0"),
    ("stopAllProcesses", "1"),
    ("startAllProcesses", "1"),
)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with running_pair(CONFIG) as started:
        for daemon in (started.theirs, started.ours):
            daemon.wait_for_text(log_of(daemon), "to stderr")
        yield started


def log_of(daemon: Daemon) -> str:
    """Return the name of the stderr log of `talks`."""
    path: str = daemon.info("talks")["stderr_logfile"]
    return path.rpartition("/")[2]


def ask(daemon: Daemon, method: str, *arguments: str) -> Any:
    """Send a call as CodeIgniter does; return its value, or the fault's code and text."""
    params = "".join(
        f"<param>\r\n<value>\n<string>{html.escape(each)}</string>\n</value>\n</param>\r\n"
        for each in arguments
    )
    body = (
        '<?xml version="1.0"?>\r\n<methodCall>\r\n'
        f"<methodName>supervisor.{method}</methodName>\r\n"
        f"<params>\r\n{params}</params>\r\n</methodCall>\r\n"
    )
    head = (
        "POST /RPC2 HTTP/1.0\r\nHost: localhost\r\nContent-Type: text/xml\r\n"
        f"User-Agent: XML-RPC for CodeIgniter\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(str(daemon.socket_path))
        connection.sendall((head + body).encode())
        answer = connection.makefile("rb").read()
    status, _, rest = answer.partition(b"\r\n")
    assert status == b"HTTP/1.0 200 OK", answer
    try:
        (value,), _ = xmlrpc.client.loads(rest.partition(b"\r\n\r\n")[2])
    except xmlrpc.client.Fault as fault:
        return fault.faultCode, fault.faultString
    return value


def test_its_calls_are_answered_alike(pair: Pair) -> None:
    def take(daemon: Daemon, method: str, *arguments: str) -> Any:
        value = ask(daemon, method, *arguments)
        if method == "startProcess":  # the original loses a signal before the child's exec
            daemon.wait_for_child(arguments[0], CHILDREN)
        return method, arguments, _sorted(value)

    pair.same(lambda daemon: [take(daemon, *call) for call in CALLS])


def _sorted(value: Any) -> Any:
    """Return results of several processes by name: they come in the order of the exits."""
    is_of_several = isinstance(value, list) and isinstance(value[0], dict)
    return sorted(value, key=lambda each: str(each["name"])) if is_of_several else value
