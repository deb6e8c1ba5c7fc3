"""Probes of every kind, where each runs, and that they never overlap."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from supervisor.common.probes import NotRun, parse_probe
from supervisor.engine import paths, posix, probe_socket
from supervisor.process import probes
from supervisor.process.plan import no_exec, no_fork
from supervisor.process.probes import STILL_RUNNING, ProbeRunner
from tests.support.certificate import CERTIFICATE, KEY
from tests.support.probing import SUCCESS, Site, probing
from tests.support.tables import assert_none
from tests.support.turning import turn_all

NAME = "127.1"
"""A notation that only `getaddrinfo` knows: it counts as a name, and resolves everywhere."""


class Runner:
    """A runner in a real loop."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.spawned: list[tuple[str, ...]] = []
        self.runner = ProbeRunner("readiness of p", site.loop, self._spawn, site.register)

    def _spawn(self, argv: tuple[str, ...]) -> tuple[int, int]:
        self.spawned.append(argv)
        return self.site.spawn(argv)

    def start(self, text: str, timeout: float = 10) -> None:
        """Start a probe."""
        self.runner.start(parse_probe(text), timeout, self.site.on_result)

    def result(self, text: str, timeout: float = 10) -> str:
        """Start a probe and return its result."""
        self.start(text, timeout)
        return self.site.wait()


@pytest.fixture
def runner() -> Iterator[Runner]:
    with probing() as site:
        yield Runner(site)


# -- commands --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "result"),
    [
        ("true", SUCCESS),
        ("false", "exit status 1"),
        ("sh -c 'exit 3'", "exit status 3"),
        ("sh -c 'echo no response; exit 3'", "exit status 3: no response"),
        ("sh -c 'echo fine'", SUCCESS),
        ("sh -c 'kill -9 $$'", "terminated by SIGKILL"),
        ("/nonexistent/command", "no such file or directory"),
        ("echo $HOME; exit 1", SUCCESS),
    ],
)
def test_commands(runner: Runner, command: str, result: str) -> None:
    assert runner.result(command) == result


def test_a_command_that_hangs(runner: Runner) -> None:
    assert runner.result("sleep 3600", timeout=0.1) == "timed out after 0.1 seconds"


def test_a_start_that_the_daemon_refuses(runner: Runner) -> None:
    def refuse(_argv: tuple[str, ...]) -> tuple[int, int]:
        raise posix.NoPermission("no permission to run command 'x'")

    runner.runner._spawn = refuse
    runner.start("x")
    assert runner.site.results == []
    assert runner.site.wait() == "no permission to run command 'x'"


def test_a_lack_of_resources_is_not_the_fault_of_the_program(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unlike a missing command, or a server whose queue is full."""
    plan: Any = SimpleNamespace(name="x", executable="/x")

    def fail(error: Exception) -> Any:
        def failing(*_arguments: object) -> tuple[int, int]:
            raise error

        return failing

    commands: list[tuple[Exception, bool]] = [
        *((OSError(number, "x"), True) for number in (errno.EMFILE, errno.ENFILE, errno.ENOMEM)),
        *((no_fork(plan, OSError(number, "x")), True) for number in (errno.EAGAIN, errno.ENOMEM)),
        (no_exec(plan, "ENOENT"), False),
        (posix.NotFound("can't find command 'x'"), False),
        (OSError(errno.EACCES, "x"), False),
    ]
    addresses: list[tuple[Exception, bool]] = [
        (OSError(errno.EMFILE, "x"), True),
        (OSError(errno.ENOBUFS, "x"), True),
        (OSError(errno.EAGAIN, "x"), False),
        (OSError(errno.ECONNREFUSED, "x"), False),
    ]
    wrong = []
    for text, cases in (("x", commands), ("tcp://127.0.0.1:1", addresses)):
        for error, expected in cases:
            runner.runner._spawn = fail(error)
            monkeypatch.setattr(probe_socket, "_start_connecting", fail(error))
            runner.start(text)
            runner.site.turn_until(lambda: runner.site.results)
            result = runner.site.results.pop()
            if isinstance(result, NotRun) is not expected:
                wrong.append(f"{text} {error!r}: {result!r}")
    assert_none(wrong)


def test_probes_never_overlap(runner: Runner) -> None:
    """A helper may be stuck in the kernel after its deadline."""
    runner.start("sleep 3600", timeout=0.1)
    stuck, runner.site.children = runner.site.children, {}
    assert runner.site.wait() == "timed out after 0.1 seconds"
    runner.start("true")
    turn_all(runner.site.loop)
    assert runner.site.results == [STILL_RUNNING]
    assert len(runner.spawned) == 1
    runner.site.results.clear()
    runner.site.children = stuck
    runner.site.turn_until(lambda: not runner.site.children)
    assert runner.result("true") == SUCCESS


@pytest.mark.parametrize(
    "text", ["sleep 3600", "/nonexistent", "http://127.0.0.1:1/", "http://127.1:1/"]
)
def test_a_cancelled_probe_reports_nothing(runner: Runner, text: str) -> None:
    runner.start(text)
    runner.runner.cancel()
    runner.site.turn_until(lambda: not runner.site.children)
    turn_all(runner.site.loop)
    assert runner.site.results == []
    assert runner.result("true") == SUCCESS


# -- addresses and names -----------------------------------------------------------


class Server(HTTPServer):
    """A server in a thread, over TLS if it has a certificate."""

    def __init__(self, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, *_arguments: Any) -> None:
        """A client that does not like the certificate is no error."""


class Handler(BaseHTTPRequestHandler):
    """Answers with the status that the path names."""

    def do_GET(self) -> None:
        self.send_response(int(self.path[1:]))
        self.end_headers()
        self.wfile.write(b"x" * 1000)

    def log_message(self, *_arguments: Any) -> None:
        """Be quiet."""


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[int]:
    """Run a server; yield its port."""
    server = Server(certificate)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_literal_address_needs_no_child(runner: Runner) -> None:
    with serving() as port:
        assert runner.result(f"http://127.0.0.1:{port}/204") == SUCCESS
        assert runner.result(f"http://127.0.0.1:{port}/500") == "HTTP 500"
        assert runner.result(f"tcp://127.0.0.1:{port}") == SUCCESS
    assert runner.spawned == []


def test_a_name_is_looked_up_in_a_child(runner: Runner) -> None:
    with serving() as port:
        assert runner.result(f"http://{NAME}:{port}/302") == SUCCESS
        assert runner.result(f"http://{NAME}:{port}/503") == "HTTP 503"
        assert runner.result(f"tcp://{NAME}:{port}") == SUCCESS
    assert len(runner.spawned) == 3
    assert runner.result(f"tcp://{'a' * 64}.invalid:1") != SUCCESS
    assert runner.result("tcp://nonexistent.invalid:1") != SUCCESS


@pytest.mark.parametrize(
    ("response", "result"),
    [
        (b"SSH-2.0-x\r\n", "not an HTTP response"),
        (b"", "connection closed without a response"),
    ],
)
def test_a_server_behind_a_name_that_does_not_speak_http(
    runner: Runner, response: bytes, result: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        runner.start(f"http://{NAME}:{listener.getsockname()[1]}/")
        with listener.accept()[0] as connection:
            connection.recv(1000)
            connection.send(response)
        assert runner.site.wait() == result


def test_a_server_behind_a_name_that_is_silent(runner: Runner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert runner.result(f"http://{NAME}:{port}/", 0.5) == "timed out after 0.5 seconds"


def test_tls(runner: Runner, tmp_path: Path) -> None:
    """The certificate is checked, by the system's rules and those of the program's environment."""
    trusted, both = tmp_path / "trusted.pem", tmp_path / "both.pem"
    trusted.write_text(CERTIFICATE)
    both.write_text(KEY + CERTIFICATE)
    with serving(both) as port:
        refused = runner.result(f"https://localhost:{port}/200")
        assert refused.startswith("bad certificate: self"), refused
        runner.site.environment["SSL_CERT_FILE"] = str(trusted)
        assert runner.result(f"https://localhost:{port}/200") == SUCCESS
        assert runner.result(f"https://127.0.0.1:{port}/503") == "HTTP 503"
    with serving() as port:
        assert runner.result(f"https://localhost:{port}/200") not in {SUCCESS, "HTTP 200"}


def test_a_socket_on_a_slow_file_system_is_probed_by_a_child(
    runner: Runner, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = directory / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert runner.result(f"unix://{path}") == SUCCESS
        assert runner.spawned == []
        monkeypatch.setattr(paths.mounts, "slow_points", lambda: frozenset({str(directory)}))
        assert runner.result(f"unix://{path}") == SUCCESS
        assert len(runner.spawned) == 1
    os.unlink(path)
    assert runner.result(f"unix://{path}") == "no such file or directory"


def test_the_child_needs_no_environment(runner: Runner) -> None:
    """Neither PYTHONPATH nor the directory of the program leads it astray."""
    runner.site.environment = {"PYTHONPATH": "/nonexistent", "PYTHONHOME": "/nonexistent"}
    with serving() as port:
        assert runner.result(f"http://{NAME}:{port}/200") == SUCCESS


def test_a_child_that_fails_is_not_taken_for_a_result(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("sh", "-c", "echo broken; exit 1")
    monkeypatch.setattr(probes.probe_child, "command", lambda *_arguments: command)
    assert runner.result("http://other/") == "exit status 1: broken"


def test_no_fd_is_free(runner: Runner) -> None:
    def refuse(_argv: tuple[str, ...]) -> tuple[int, int]:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    runner.runner._spawn = refuse
    assert runner.result("true") == "too many open files"
