"""curl: requests written by hand, over TCP and the unix socket; what scripts and probes send."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.support.children import child
from tests.support.comparison import Pair
from tests.support.daemon import Daemon
from tests.support.guarded import PASSWORD, USER, GuardedDaemon, guarded_pair
from tests.support.tools import tool

CURL_SECONDS = 20

CONFIG = f"""
[program:echo]
command={child("echo")}
startsecs=0
[program:idle]
command={child("sleeper")}
autostart=false
"""

CALL = "<methodCall><methodName>supervisor.{}</methodName><params>{}</params></methodCall>"
STATE = CALL.format("getState", "")
ODD_STATE = f"<?xml version='1.0' encoding='iso-8859-1'?>\r\n<!-- a comment -->\r\n {STATE}\n\n"
NO_SUCH = CALL.format("getProcessInfo", "<param><value>n\u00f6pe</value></param>")

# A request to both: curl's options before the address, the path behind it.
REQUESTS = {
    "a call": ("/RPC2", ["-d", STATE]),
    "a call that is answered by a fault": ("/RPC2", ["-d", NO_SUCH]),
    "a call with a declaration and a comment": ("/RPC2", ["-d", ODD_STATE]),
    "a call without parameters": ("/RPC2", ["-d", STATE.replace("<params></params>", "")]),
    "a call at a longer path": ("/RPC2xyz?a=b", ["-d", STATE]),
    "a call by HTTP/1.0": ("/RPC2", ["-0", "-d", STATE]),
    "a call by HTTP/1.0 that is to be kept": (
        "/RPC2",
        ["-0", "-H", "Connection: keep-alive", "-d", STATE],
    ),
    "a call that is to be closed": ("/RPC2", ["-H", "Connection: close", "-d", STATE]),
    "a call without a method": ("/RPC2", ["-d", "<methodCall><params/></methodCall>"]),
    "no XML": ("/RPC2", ["-d", "garbage"]),
    "XML that ends too soon": ("/RPC2", ["-d", STATE[:-5]]),
    "no length": ("/RPC2", ["-X", "POST"]),
    "GET instead of POST": ("/RPC2", []),
    "PUT instead of POST": ("/RPC2", ["-X", "PUT", "-d", STATE]),
    "HEAD of the calls": ("/RPC2", ["-I"]),
    "HEAD of a log": ("/logtail/echo", ["-I"]),
    "HEAD of nothing": ("/nope", ["-I"]),
    "nothing there": ("/nope", []),
    "a path that climbs": ("/../../etc/passwd", ["--path-as-is"]),
    "a log of no program": ("/logtail/nope", []),
    "a log of a program without one": ("/logtail/idle/nope", []),
}

SHOWN = re.compile(r"HTTP/1\.[01] .*|(?:Content-Type|WWW-Authenticate|X-Accel\S+): .*")


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Both, each with a server on TCP that wants a password."""
    with guarded_pair(CONFIG) as started:
        for daemon in (started.theirs, started.ours):
            daemon.wait_for_state("echo", "RUNNING")
        yield started


@pytest.fixture
def daemon(pair: Pair) -> Daemon:
    """Ours alone."""
    return pair.ours


def curl(daemon: Daemon, path: str, *options: str, by: str = "unix") -> str:
    """Run curl to its end; return the headers and the body that it got."""
    host = "localhost" if by == "unix" else f"127.0.0.1:{_port(daemon)}"
    to = ["--unix-socket", str(daemon.socket_path)] if by == "unix" else []
    command = [tool("curl"), "-sS", "--max-time", "10", "-i", *to, *options, f"http://{host}{path}"]
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=CURL_SECONDS, check=False
    )
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout.decode().replace("\r\n", "\n")


def _port(daemon: Daemon) -> int:
    assert isinstance(daemon, GuardedDaemon)
    return daemon.port


def seen(answer: str) -> list[str]:
    """Return what a script goes by: status, some of the header, the body if it is XML."""
    *heads, body = answer.split("\n\n", answer.count("HTTP/1."))
    return [
        *(line for head in heads for line in head.splitlines() if SHOWN.fullmatch(line)),
        "".join(body.split()) if "<methodResponse>" in body else "",
    ]


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_answered_as_by_the_reference(pair: Pair, name: str) -> None:
    path, options = REQUESTS[name]
    pair.same(lambda daemon: seen(curl(daemon, path, *options)))


@pytest.mark.parametrize(
    ("login", "code"),
    [
        (["-u", f"{USER}:{PASSWORD}"], 200),
        (["-u", f"{USER}:wrong"], 401),
        (["-u", f"nobody:{PASSWORD}"], 401),
        (["-u", f"{USER}:"], 401),
        ([], 401),
        (["--anyauth", "-u", f"{USER}:{PASSWORD}"], 200),
    ],
    ids=["right", "wrong password", "wrong name", "no password", "nothing", "when asked"],
)
def test_a_password_opens_the_server_on_tcp(pair: Pair, login: list[str], code: int) -> None:
    def ask(daemon: Daemon) -> list[str]:
        return seen(curl(daemon, "/RPC2", *login, "-d", STATE, by="tcp"))

    pair.same(ask)
    codes = [line.split()[1] for line in ask(pair.ours) if line.startswith("HTTP/")]
    assert codes[-1] == str(code)


@pytest.mark.parametrize("more", [[], ["-H", "Expect: 100-continue"]], ids=["at once", "asks"])
def test_a_body_in_chunks(daemon: Daemon, more: list[str]) -> None:
    """As curl sends what it reads from a pipe."""
    plain = seen(curl(daemon, "/RPC2", "-d", STATE))
    answer = seen(curl(daemon, "/RPC2", "-H", "Transfer-Encoding: chunked", *more, "-d", STATE))
    assert [line for line in answer if line != "HTTP/1.1 100 Continue"] == plain
    assert ("HTTP/1.1 100 Continue" in answer) == bool(more)


UNREADABLE = ("Basic", "Basic %%%", "Basic dXNlcg==", "nonsense")


@pytest.mark.parametrize("value", UNREADABLE)
def test_an_authorization_that_cannot_be_read_is_none(daemon: Daemon, value: str) -> None:
    answer = curl(daemon, "/RPC2", "-H", f"Authorization: {value}", "-d", STATE, by="tcp")
    assert answer.startswith("HTTP/1.1 401 ")


def test_the_realm_is_told_to_whoever_has_no_password(daemon: Daemon) -> None:
    answer = curl(daemon, "/", by="tcp")
    assert 'WWW-Authenticate: Basic realm="default"' in answer.splitlines()


def test_a_large_body_is_asked_for_before_it_is_sent(daemon: Daemon, directory: Path) -> None:
    """From a megabyte on, curl itself waits for 100 Continue."""
    (directory / "body").write_text(event("x" * 1_100_000), encoding="utf-8")
    answer = curl(daemon, "/RPC2", "--data-binary", f"@{directory / 'body'}")
    assert answer.startswith("HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\n")
    assert "<boolean>1</boolean>" in answer


def event(data: str) -> str:
    """Return a call that sends an event."""
    values = "".join(f"<param><value>{value}</value></param>" for value in ("type", data))
    return CALL.format("sendRemoteCommEvent", values)


def test_no_body_is_asked_for_without_a_password(daemon: Daemon) -> None:
    answer = curl(daemon, "/RPC2", "-H", "Expect: 100-continue", "-d", event("x"), by="tcp")
    assert answer.startswith("HTTP/1.1 401 ")


def test_an_empty_body_is_refused_at_once(daemon: Daemon) -> None:
    assert curl(daemon, "/RPC2", "-d", "").startswith("HTTP/1.1 400 ")


def test_requests_share_a_connection(daemon: Daemon) -> None:
    url = "http://localhost/RPC2"
    answer = curl(daemon, "/RPC2", "-d", STATE, url, "-w", "connected: %{num_connects}\n")
    assert re.findall("connected: .", answer) == ["connected: 1", "connected: 0"]


@contextmanager
def followed(daemon: Daemon, path: str) -> Iterator[IO[str]]:
    """What `curl -N` writes; it is told to stop at the end of the block."""
    command = [tool("curl"), "-sSN", "--max-time", str(CURL_SECONDS)]
    command += ["--unix-socket", str(daemon.socket_path), f"http://localhost{path}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        try:
            yield follower.stdout
        finally:
            follower.terminate()


@pytest.mark.parametrize("path", ["/logtail/echo", "/logtail/echo%3Aecho/stdout"])
def test_a_log_is_followed_line_by_line(daemon: Daemon, path: str) -> None:
    """Each line comes as it is written: the next is written when it has come."""
    with followed(daemon, path) as lines:
        for line in ("first\n", "second grüße\n", "third\n"):
            daemon.rpc.supervisor.sendProcessStdin("echo", f"{path} {line}")
            assert f"{path} {line}" in lines


def test_a_log_is_followed_when_it_is_cleared(daemon: Daemon) -> None:
    with followed(daemon, "/logtail/echo") as lines:
        daemon.rpc.supervisor.sendProcessStdin("echo", "before\n")
        assert "before\n" in lines
        daemon.rpc.supervisor.clearProcessLogs("echo")
        daemon.rpc.supervisor.sendProcessStdin("echo", "after\n")
        assert "after\n" in lines


def test_the_activity_log_is_followed(daemon: Daemon) -> None:
    with followed(daemon, "/mainlogtail") as lines:
        daemon.rpc.supervisor.startProcess("idle")
        daemon.rpc.supervisor.stopProcess("idle")
        assert any("stopped: idle" in line for line in lines)
