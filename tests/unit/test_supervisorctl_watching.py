"""Commands that watch processes: status --watch, wait."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from xmlrpc.client import Fault

import pytest

from supervisor.common.faults import Faults
from supervisor.supervisorctl import changes, watching
from supervisor.supervisorctl.commands import wait
from tests.support.clock import FakeClock
from tests.support.ctl import Ctl, FakeOptions, process
from tests.support.fakeserver import FakeServer, Last, serving
from tests.support.waiting import wait_until

OLD_SERVER = Fault(Faults.UNKNOWN_METHOD, "UNKNOWN_METHOD")

States = list[list[dict[str, Any]]]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """A clock that a wait for changes advances by the interval, or by a second."""
    fake = FakeClock()

    class FakeChanges:
        def __init__(self, *_: object) -> None:
            pass

        def wait(self, seconds: float | None) -> None:
            fake.advance(1 if seconds is None else seconds)

        def close(self) -> None:
            pass

    monkeypatch.setattr(changes, "Changes", FakeChanges)
    monkeypatch.setattr(watching, "Changes", FakeChanges)
    monkeypatch.setattr(watching, "MIN_SECONDS", 0)
    monkeypatch.setattr(wait.time, "monotonic", fake.monotonic)
    return fake


def up(name: str = "web", uptime: int = 1, **more: Any) -> dict[str, Any]:
    description = f"pid 5, uptime 0:00:0{uptime}"
    return process(name, start=7, **{"description": description, **more})


def down(name: str = "web", statename: str = "STOPPED", state: int = 0) -> dict[str, Any]:
    return process(name, statename, state, pid=0, start=7, description="Nov 29 01:36 PM")


def in_turn(results: list[Any]) -> Any:
    """Return a method with these results, then Ctrl-C."""
    left: Iterator[Any] = iter(results)

    def call() -> Any:
        for result in left:
            if isinstance(result, Exception):
                raise result
            return result
        raise KeyboardInterrupt

    return call


# -- status --watch ------------------------------------------------------------------------


@pytest.mark.usefixtures("clock")
def test_a_pipe_gets_a_line_for_each_change() -> None:
    looks = [
        [up(), down("job")],
        [up(), down("job")],
        [up(uptime=2), down("job")],
        [down(), down("job")],
        [down()],
    ]
    text, status = Ctl(getAllProcessInfo=in_turn(looks)).run("status --watch")
    assert [line.split(None, 1)[0] + " " + line.split()[1] for line in text.splitlines()] == [
        "web RUNNING",
        "job STOPPED",
        "web STOPPED",
        "job (removed)",
    ]
    assert status == 0


@pytest.mark.usefixtures("clock")
def test_json_changes_are_arrays() -> None:
    looks = [[up(), down("job")], [up(uptime=3), down("job")], [down(), down("job")]]
    looks = [looks[0], *looks]
    text, _ = Ctl(getAllProcessDetails=in_turn(looks)).run("status --json --watch")
    arrays = [[each["name"] for each in json.loads(line)] for line in text.splitlines()]
    assert arrays == [["web", "job"], ["web"]]


@pytest.mark.usefixtures("clock")
def test_a_server_that_is_gone_for_a_while(capsys: pytest.CaptureFixture[str]) -> None:
    gone = ConnectionRefusedError(111, "Connection refused")
    shutdown = Fault(Faults.SHUTDOWN_STATE, "SHUTDOWN_STATE")
    looks = [[up()], [up()], shutdown, gone, gone, [up(pid=6)]]
    text, _ = Ctl(getAllProcessInfo=in_turn(looks)).run("status --watch")
    assert text.count("web") == 2
    assert capsys.readouterr().err == (
        "supervisord is shutting down or restarting\nunix:///fake.sock refused connection\n"
    )


@pytest.mark.usefixtures("clock")
def test_a_pattern_finds_processes_that_are_added() -> None:
    looks = [[up("web_a")], [up("web_a")], [up("web_a"), up("web_b"), up("other")]]
    text, _ = Ctl(getAllProcessInfo=in_turn(looks)).run("status --watch web_*")
    assert [line.split()[0] for line in text.splitlines()] == ["web_a", "web_b"]


@pytest.mark.usefixtures("clock")
def test_unknown_names_alone_are_not_watched() -> None:
    ctl = Ctl(getAllProcessInfo=[up()])
    assert ctl.run("status --watch nope") == ("nope: ERROR (no such process)\n", 4)


def test_an_interval_is_a_number() -> None:
    for value in ("x", "0", "-1", "nan", "1e99"):
        text, status = Ctl().run(f"status --watch={value}")
        assert text.startswith(f"Error: bad argument --watch={value}\n")
        assert status == 1


class Gone(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError

    def fileno(self) -> int:
        raise OSError


@pytest.mark.usefixtures("clock")
def test_it_ends_with_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    discarded: list[object] = []
    monkeypatch.setattr(watching, "discard", discarded.append)
    ctl = Ctl(getAllProcessInfo=[up()])
    ctl.controller.stdout = Gone()
    ctl.controller.onecmd("status --watch")
    assert discarded == [ctl.controller.stdout]


def test_a_frame_fits_the_terminal() -> None:
    text = watching.frame(["one", "two\x1b[2J", "three", "four"], 4)
    assert text == (
        "\x1b[H\x1b[?7lone\x1b[K\ntwo\\x1b[2J\x1b[K\n... and 2 more lines\x1b[K\n\x1b[J\x1b[?7h"
    )
    assert "more" not in watching.frame(["one", "two", "three"], 4)


# -- wait ----------------------------------------------------------------------------------

QUIET = {"next_start": 0.0, "waiting_for": []}
PENDING = {"next_start": 9.0, "waiting_for": []}
BACKOFF = process("web", "BACKOFF", 30)
FATAL = process("web", "FATAL", 200)
EXITED = down(statename="EXITED", state=100)
STOPPING = process("web", "STOPPING", 40)

WAITS: list[tuple[str, States, Any, str, int]] = [
    ("web running", [[down()], [BACKOFF], [up()]], QUIET, "web: running\n", 0),
    ("web running", [[BACKOFF], [FATAL]], QUIET, "web: ERROR (not running: FATAL)\n", 7),
    ("web running", [[FATAL]], OLD_SERVER, "web: ERROR (not running: FATAL)\n", 7),
    ("web running", [[EXITED]], QUIET, "web: ERROR (not running: EXITED)\n", 7),
    ("web running", [[EXITED], [up()]], PENDING, "web: running\n", 0),
    ("web running", [[EXITED], [up()]], OLD_SERVER, "web: running\n", 0),
    ("web running", [[down()], []], QUIET, "web: ERROR (no such process)\n", 1),
    ("web stopped", [[up()], [STOPPING], [down()]], QUIET, "web: stopped\n", 0),
    ("web stopped", [[EXITED], [down()]], QUIET, "web: stopped\n", 0),
    ("web exited", [[down()], [up()], [EXITED]], QUIET, "web: exited\n", 0),
    ("web exited", [[FATAL]], QUIET, "web: ERROR (not exited: FATAL)\n", 7),
    ("nope running", [[up()]], QUIET, "nope: ERROR (no such process)\n", 4),
    (
        "w* running --timeout 3",
        [[down(), up("w")], *[[down(), up("w")]] * 9],
        QUIET,
        "w: running\nweb: ERROR (not running after 3 seconds: STOPPED)\n",
        1,
    ),
    ("a b running", [[up("a"), up("b")]], QUIET, "a: running\nb: running\n", 0),
]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(("line", "looks", "details", "text", "status"), WAITS)
def test_wait(line: str, looks: States, details: Any, text: str, status: int) -> None:
    ctl = Ctl(getAllProcessInfo=in_turn([looks[0], *looks]), getProcessDetails=details)
    found, exitstatus = ctl.run(f"wait {line}")
    assert (sorted(found.splitlines()), exitstatus) == (sorted(text.splitlines()), status)


@pytest.mark.parametrize("line", ["wait", "wait web", "wait running", "wait web up"])
def test_wait_requires_names_and_a_state(line: str) -> None:
    text, status = Ctl().run(line)
    assert text.startswith(
        "Error: wait requires process names and a state (running, stopped, exited)\n"
    )
    assert status == 2


# -- a daemon that replaces itself ---------------------------------------------------------------

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n:\n"


@pytest.fixture
def stream_clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """A clock of streams only."""
    clock = FakeClock()
    monkeypatch.setattr(changes, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def opened_changes(server: FakeServer) -> changes.Changes:
    """Return the changes of a server, for which it is polled once in a minute."""
    options = FakeOptions()
    options.serverurl = server.url
    return changes.Changes(options, 60)


def test_the_stream_of_a_successor_is_opened_at_once(stream_clock: FakeClock) -> None:
    """One that ends soon is not: then the server is polled."""
    with serving(lambda _: Last(STREAM)) as server:
        found = opened_changes(server)
        stream_clock.advance(61)
        found.wait()
        wait_until(lambda: server.connections == 2, 10, what="a second connection")
        found.wait(0.01)
        assert server.connections == 2
        found.close()


def test_a_daemon_that_has_gone_is_polled(stream_clock: FakeClock) -> None:
    with serving(lambda _: Last(STREAM)) as server:
        found = opened_changes(server)
        wait_until(lambda: server.connections == 1, 10, what="a connection")
    stream_clock.advance(61)
    found.wait(0.01)
    assert found._stream is None
