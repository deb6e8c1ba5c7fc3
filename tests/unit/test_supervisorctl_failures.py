"""Servers that misbehave and a closed stdout: one clear line, the right exit status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from supervisor.client import proxy, transport
from tests.support.ctl import Ctl, FakeOptions, process, through_the_wire
from tests.support.fakeserver import rpc_answer, serving

CTL = [sys.executable, "-m", "supervisor.supervisorctl"]
XML = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "closed the connection without a response"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "sent an invalid response (BadStatusLine: "),
        (XML + b"Content-Length: 5\r\n\r\nhello", "invalid response (ExpatError: syntax error"),
        (XML + b"Content-Length: 50\r\n\r\n<?xml", "closed the connection before the end of its"),
        (XML + b"Content-Length: 4\r\n\r\n<a/>", "invalid response (ResponseError: "),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "responded with 500 Oops"),
        (b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n", "responded with 404 Not Found"),
    ],
)
@pytest.mark.parametrize("line", ["status", "shutdown", "reread", "tail -f x"])
def test_a_server_that_sends_an_invalid_response(
    answer: bytes | None, problem: str, line: str
) -> None:
    with serving(lambda _: answer) as server:
        text, status = through_the_wire(server.url).run(line)
    assert text.startswith(f"{server.url} ")
    assert problem in text
    assert text.count("\n") == 1
    assert status == 1


ENDLESS = {
    "body": XML + b"\r\n" + b"x" * 1_000_000,
    "chunks": XML + b"Transfer-Encoding: chunked\r\n\r\n" + b"5\r\nhello\r\n" * 100_000,
    "trailer": XML + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 200_000,
    "length": XML + b"Content-Length: 999999999999\r\n\r\n" + b"x" * 1_000_000,
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_server_whose_response_has_no_end(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(transport, "MAX_RESPONSE_BYTES", 300_000)
    with serving(lambda _: ENDLESS[kind]) as server:
        found = through_the_wire(server.url).run("status")
    assert found == (f"{server.url} sent a response of more than 0 MB\n", 1)


def test_a_response_that_would_expand() -> None:
    """By entities, which no XML-RPC server sends."""
    content = (
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
        b"<methodResponse><params><param><value>&b;</value></param></params></methodResponse>"
    )
    answer = XML + b"Content-Length: %d\r\n\r\n%b" % (len(content), content)
    with serving(lambda _: answer) as server:
        text, _ = through_the_wire(server.url).run("status")
    assert "sent an invalid response (ResponseError" in text
    assert text.count("\n") == 1


def test_a_server_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(proxy.TIMEOUTS, "supervisor.getVersion", 0.05)
    released = threading.Event()

    def hang(_: bytes) -> None:
        released.wait(20)

    with serving(hang) as server:
        found = through_the_wire(server.url).run("version")
        released.set()
    assert found == (f"{server.url} does not respond\n", 1)


def test_a_host_that_does_not_exist() -> None:
    text, status = through_the_wire("http://name.invalid:1").run("status")
    assert text.startswith("http://name.invalid:1 ")
    assert status == 1


def test_a_socket_that_may_not_be_opened(directory: Path) -> None:
    """The path is wrong; there is no server that could have sent a bad response."""
    url = f"unix://{directory}/{'x' * 200}"
    text, status = through_the_wire(url).run("status")
    assert text == f"{url} cannot be used: AF_UNIX path too long\n"
    assert status == 1


def test_names_with_control_characters_are_not_completed() -> None:
    """Readline would show them as they are."""
    processes = [process("good"), process("gone\x1b[2J"), process("g\u202egnp")]
    ctl = Ctl(FakeOptions(getAllProcessInfo=processes))
    assert ctl.controller.complete("g", 0, "start g") == "good "
    assert ctl.controller.complete("g", 1, "start g") is None


# -- stdout ---------------------------------------------------------------------------------


def many_processes(request: bytes) -> bytes:
    """Respond as a daemon with a thousand processes."""
    if b"getVersion" in request:
        return rpc_answer("3.0")
    return rpc_answer([process(f"process_{i}") for i in range(1000)])


def shell(url: str, redirection: str, command: str = "status") -> subprocess.CompletedProcess[str]:
    """Run supervisorctl in a shell that redirects its streams."""
    line = f'"$@" -s {url} {command} {redirection}; exit $?'
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line, "bash", *CTL],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        # Without this variable Python still has something to write when it ends.
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
    )


def test_a_reader_that_exits_early() -> None:
    """The rest is dropped; the exit status is that of the command."""
    with serving(many_processes) as server:
        found = shell(server.url, "| head -n 1")
    assert found.stdout.startswith("process_0 ")
    assert (found.stdout.count("\n"), found.stderr, found.returncode) == (1, "", 0)


def endless_log(request: bytes) -> bytes:
    """Respond as a daemon with a log that is larger than a pipe."""
    if b"getVersion" in request:
        return rpc_answer("3.0")
    if b"getProcessInfo" in request:
        return rpc_answer({"name": "x", "group": "x"})
    chunk = b"line\n" * 13107 + b"\n"
    size = f"{len(chunk):x}".encode()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + (size + b"\r\n" + chunk + b"\r\n") * 10


def test_a_reader_of_a_followed_log_that_exits() -> None:
    """The log is not followed without a reader."""
    with serving(endless_log) as server:
        found = shell(server.url, "| head -n 2", "tail -f x")
    assert found.stdout == "==> Press Ctrl-C to exit <==\nline\n"
    assert (found.stderr, found.returncode) == ("", 0)


@pytest.mark.parametrize("redirection", [">&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("command", "status"), [("status", 0), ("nonsense", 1), ("", 0)])
def test_closed_streams(redirection: str, command: str, status: int) -> None:
    with serving(many_processes) as server:
        found = shell(server.url, redirection, command)
    assert (found.stderr, found.returncode) == ("", status)
    assert (">&-" in redirection) == (found.stdout == "")


def test_a_full_disk() -> None:
    with serving(many_processes) as server:
        found = shell(server.url, ">/dev/full")
    assert found.stderr == "Error: cannot write to stdout: No space left on device\n"
    assert found.returncode == 1


def test_a_terminal_without_accents() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    with serving(many_processes) as server:
        found = subprocess.run(
            [*CTL, "-s", server.url, "status", "é"],
            capture_output=True,
            env=environment,
            timeout=30,
            check=False,
        )
    assert found.stdout == b"\\xe9: ERROR (no such process)\n"


def test_ctrl_c_while_a_command_waits() -> None:
    """There is no traceback; whether the command took effect is unknown."""
    waiting, released = threading.Event(), threading.Event()

    def wait(request: bytes) -> bytes | None:
        if b"getVersion" in request:
            return rpc_answer("3.0")
        waiting.set()
        released.wait(20)
        return None

    with serving(wait) as server:
        running = subprocess.Popen(
            [*CTL, "-s", server.url, "stop", "x"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert waiting.wait(20)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=20)
        released.set()
    assert (out, err, running.returncode) == ("", "\n", 130)
