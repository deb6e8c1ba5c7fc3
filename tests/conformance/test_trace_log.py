"""The activity log at level trace: calls, requests, output, listeners.

Left out: who has connected, which only ours says; what the original's loop says of each event
(`BLAT` lines and one `TRAC` line of its HTTP server), and the bytes of answers, which count the
name in their `Server` field.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.children import DIRECTORY as CHILDREN
from tests.support.children import child
from tests.support.comparison import Pair, call
from tests.support.daemon import Daemon
from tests.support.transport import UnixConnection
from tests.support.waiting import wait_until

CONFIG = f"""
loglevel=trace
[program:talker]
command={child("two_streams", "to stdout", "to stderr")}
startsecs=0
[program:binary]
command=/usr/bin/printf 'a\\377bc\\303'
startsecs=0
autorestart=false
[program:cat]
command={child("sleeper")}
startsecs=0
autostart=false
[program:dog]
command={child("sleeper")}
startsecs=0
autostart=false
stderr_logfile=NONE
[program:merged]
command={child("sleeper")}
startsecs=0
autostart=false
redirect_stderr=true
[program:missing]
command=/nonexistent
autostart=false
[eventlistener:ears]
command={child("listener", "%(here)s/record")}
events=TICK_3600
"""
SETTLED = {"talker": "RUNNING", "binary": "EXITED", "ears": "RUNNING"}

CALLS: tuple[tuple[Any, ...], ...] = (
    ("supervisor.getState",),
    ("supervisor.getPID",),
    ("supervisor.nope",),
    ("nope",),
    ("nope.nope",),
    ("supervisor.getProcessInfo", "nope"),
    ("supervisor.getProcessInfo", "talker"),
    ("supervisor.getProcessInfo",),
    ("supervisor.startProcess", "talker"),
    ("supervisor.startProcess", "missing"),
    ("supervisor.stopProcess", "cat"),
    ("supervisor.signalProcess", "cat", "HUP"),
    ("supervisor.signalProcess", "talker", "NOPE"),
    ("supervisor.readLog", 0, 10),
    ("supervisor.readLog", -1, 10),
    ("supervisor.readProcessStdoutLog", "talker", 0, 0),
    ("supervisor.tailProcessStdoutLog", "nope", 0, 100),
    ("supervisor.sendRemoteCommEvent", "type", "data"),
    ("supervisor.addProcessGroup", "nope"),
    ("supervisor.reloadConfig",),
    ("system.listMethods",),
    ("system.methodHelp", "nope"),
    ("system.multicall", [{"methodName": "supervisor.getState", "params": []}]),
    ("system.multicall", []),
)

REQUESTS = (
    ("GET", "/ok.html"),
    ("GET", "/nope"),
    ("GET", "/nope?a=b#c"),
    ("GET", "/stylesheets/supervisor.css"),
    ("GET", "/logtail/nope"),
    ("GET", "/RPC2"),
    ("GET", "/index.html?action=refresh"),
    ("DELETE", "/nope"),
)

REDIRECT = re.compile(r'(action=refresh HTTP/1\.1" )30[13]')
ACCESS = re.compile(r'(localhost:0 - - )\[.*?\]( ".*" \d+) \d+$')
ADDRESS = re.compile(r" at \d+")
# What "cat" says first may come before or after its stop begins.
UNSTEADY = re.compile(r" TRAC |waiting for|received SIGCHLD|stdout output:|^READY|^$")
FD = re.compile(r"\bfd \d+")


def is_quiet(text: str) -> bool:
    """Whether every call has had its line about the access, which comes after the answer."""
    return text.count("method called: ") == text.count('"POST /RPC2 HTTP/1.1" ')


def lines_of(daemon: Daemon, act: Callable[[], Any], last: str) -> list[str]:
    """Return the lines that an action leaves, up to the one that contains `last`."""
    wait_until(lambda: is_quiet(daemon.log_text()))
    before = len(daemon.log_text())
    act()
    wait_until(lambda: re.search(f"{re.escape(last)}.*\n", daemon.log_text()[before:]))
    text = daemon.log_text()[before:]
    return [
        FD.sub("fd <fd>", ADDRESS.sub(" at <address>", ACCESS.sub(r"\1<when>\2 <bytes>", line)))
        for line in text.splitlines()
        if " BLAT " not in line and "connection from pid" not in line
    ]


@pytest.mark.parametrize("number", range(len(CALLS)), ids=[str(each[0]) for each in CALLS])
def test_a_call(pair: Pair, number: int) -> None:
    pair.same(
        lambda daemon: lines_of(daemon, lambda: call(daemon, *CALLS[number]), "POST /RPC2 HTTP/1.1")
    )


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_a_request(pair: Pair, method: str, path: str) -> None:
    def ask(daemon: Daemon) -> Any:
        connection = UnixConnection(str(daemon.socket_path), timeout=10)

        def act() -> None:
            connection.request(method, path)
            connection.getresponse().read()
            connection.close()

        lines = lines_of(daemon, act, f'"{method} {path} HTTP/1.1"')
        return [REDIRECT.sub(r"\g<1>303", line) for line in lines]

    pair.same(ask)


@pytest.mark.parametrize("name", ["cat", "dog", "merged"])
def test_a_life(pair: Pair, name: str) -> None:
    """Start and stop: the lines between those of the calls, of the pipes sorted.

    The original may look before it hears of the signal, so that is left out.
    """

    def ask(daemon: Daemon) -> Any:
        def act() -> None:
            call(daemon, "supervisor.startProcess", name)
            daemon.wait_for_child(name, CHILDREN)
            call(daemon, "supervisor.stopProcess", name)

        found = lines_of(daemon, act, f"stopped: {name} ")
        lines = [line for line in found if not UNSTEADY.search(line)]
        said = [line for line in lines if "stopped monitoring" in line]
        pipes = sorted(said, key=lambda line: line.partition(" DEBG ")[2])
        return [line for line in lines if line not in pipes], pipes

    pair.same(ask)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("name", ["talker", "binary"])
def test_output(pair: Pair, name: str, stream: str) -> None:
    """What was read at once may be more or less; what was said altogether is not."""

    def ask(daemon: Daemon) -> str:
        said = re.findall(
            rf"DEBG '{name}' {stream} output:\n(.*?)\n(?=\d{{4}}-\d\d-)",
            daemon.log_text(),
            re.DOTALL,
        )
        return "".join(said)

    pair.same(ask)


def test_a_listener(pair: Pair) -> None:
    def ask(daemon: Daemon) -> list[str]:
        return [line for line in daemon.log_text().splitlines() if "ears: ACKNOWLEDGED" in line]

    pair.same(ask)


def test_what_is_said_of_the_http_server(pair: Pair) -> None:
    pair.differ(
        lambda daemon: len(re.findall(r"TRAC .*\(V.*\) started at", daemon.log_text())),
        entry="The log at trace and below",
        theirs=1,
        ours=0,
    )
