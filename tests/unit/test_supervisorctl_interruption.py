"""Commands that wait for processes when the daemon replaces itself."""

from __future__ import annotations

import xmlrpc.client
from typing import Any

import pytest

from supervisor.states import ProcessStates, getProcessStateDescription
from supervisor.supervisorctl import interruption
from tests.support.ctl import process, through_the_wire
from tests.support.fakeserver import Last, rpc_answer, serving

NOW = 1000
STOPPED, STARTING, RUNNING = ProcessStates.STOPPED, ProcessStates.STARTING, ProcessStates.RUNNING
BACKOFF, STOPPING, FATAL = ProcessStates.BACKOFF, ProcessStates.STOPPING, ProcessStates.FATAL
EXITED = ProcessStates.EXITED

NO_EVENTS = Last(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def details(state: int, name: str = "web", **more: Any) -> dict[str, Any]:
    """Return the details of a process whose last start and stop were long ago."""
    given = {"now": NOW, "start": 500, "stop": 400, "spawnerr": "", "next_start": 0.0}
    pid = 5 if state in {STARTING, RUNNING, STOPPING} else 0
    info = process(name, getProcessStateDescription(state) or "", state, **given)
    return {**info, "waiting_for": [], "pid": pid, **more}


class Server:
    """A daemon that loses the connection of each waiting call once, and its successor.

    The processes of the successor are those of the first of `looks`, then of the next one.
    """

    def __init__(self, *looks: list[dict[str, Any]], method: str = "supervisor.reexec") -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._lost: set[str] = set()
        self._looks = list(looks)
        self._method = method

    def __call__(self, request: bytes) -> bytes | None:
        """Return the response to a request; each has a connection of its own."""
        if request.startswith(b"GET "):
            return NO_EVENTS
        params, method = xmlrpc.client.loads(request.partition(b"\r\n\r\n")[2])
        name = str(method).rpartition(".")[2]
        if name.startswith(("start", "stop")):
            self.calls.append((name, *params))
            if name not in self._lost:
                self._lost.add(name)
                return None
        if name == "getAllProcessDetails":
            return Last(rpc_answer(self._looks.pop(0) if self._looks[1:] else self._looks[0]))
        answers = {
            "getVersion": "3.0",
            "listMethods": [self._method],
            "getAllProcessInfo": [process("web")],
        }
        return Last(rpc_answer(answers.get(name, True)))


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "WAIT_POLL_SECONDS", 0.01)


START, STOP = ("startProcess", "web"), ("stopProcess", "web")
ABNORMAL, SPAWN = "web: ERROR (abnormal termination)\n", "web: ERROR (spawn error)\n"


@pytest.mark.parametrize(
    ("line", "looks", "result", "calls"),
    [
        # the old daemon had started it
        ("start web", [details(STARTING, start=NOW)], ("web: started\n", 0), [START]),
        ("start web", [details(RUNNING, start=NOW - 1)], ("web: started\n", 0), [START]),
        ("start web", [details(EXITED, start=NOW, stop=NOW)], ("web: started\n", 0), [START]),
        ("start web", [details(STOPPED, waiting_for=["db"])], ("web: started\n", 0), [START]),
        ("start web", [details(STOPPING, next_start=1.0)], ("web: started\n", 0), [START]),
        ("start web", [details(BACKOFF, start=NOW, next_start=1.0)], (ABNORMAL, 7), [START]),
        ("start web", [details(FATAL, start=NOW, spawnerr="x")], (SPAWN, 7), [START]),
        (
            "start web",
            [details(EXITED, start=NOW, stop=NOW, next_start=NOW + 600.0)],
            ("web: started\n", 0),
            [START],
        ),
        # it had not read the request
        (
            "start web",
            [details(EXITED, stop=NOW, next_start=NOW + 600.0)],
            ("web: started\n", 0),
            [START, START],
        ),
        ("start web", [details(STOPPED)], ("web: started\n", 0), [START, START]),
        ("start web", [details(RUNNING)], ("web: started\n", 0), [START, START]),
        # stops
        ("stop web", [details(STOPPING)], ("web: stopped\n", 0), [STOP]),
        ("stop web", [details(STOPPED, stop=NOW)], ("web: stopped\n", 0), [STOP]),
        ("stop web", [details(RUNNING)], ("web: stopped\n", 0), [STOP, STOP]),
        ("stop web", [details(RUNNING, start=NOW, stop=NOW)], ("web: stopped\n", 0), [STOP, STOP]),
        ("stop web", [details(EXITED, stop=NOW)], ("web: stopped\n", 0), [STOP, STOP]),
        (
            "restart web",
            [details(STOPPING)],
            ("web: stopped\nweb: started\n", 0),
            [STOP, START, START],
        ),
        # further calls
        (
            "start --no-deps web",
            [details(STARTING, start=NOW)],
            ("web: started\n", 0),
            [("startProcessAlone", "web")],
        ),
        (
            "restart --rolling web",
            [details(STOPPING)],
            ("web: stopped\nweb: started\n", 0),
            [STOP, START, START],
        ),
        # several processes: those that the call has changed
        (
            "start all",
            [details(STARTING, "a", start=NOW), details(RUNNING, "b"), details(FATAL, "c")],
            ("a: started\n", 0),
            [("startAllProcesses",)],
        ),
        (
            "stop a:*",
            [
                details(STOPPING, "a:1"),
                details(STOPPED, "a:2", stop=NOW),
                details(STOPPED, "a:3"),
                details(STOPPED, "b", stop=NOW),
            ],
            ("a:1: stopped\na:2: stopped\n", 0),
            [("stopProcessGroup", "a")],
        ),
        (
            "stop --with-dependents a",
            [details(STOPPING, "a"), details(STOPPED, "b", stop=NOW), details(RUNNING, "c")],
            ("a: stopped\nb: stopped\n", 0),
            [("stopProcessWithDependents", "a")],
        ),
    ],
)
def test_a_command_goes_on_with_the_successor(
    line: str, looks: list[dict[str, Any]], result: tuple[str, int], calls: list[tuple[Any, ...]]
) -> None:
    """All that starts, waits or stops in the first look has done so in the next ones."""
    last = {STOPPING: {"stop": NOW, "state": STOPPED, "pid": 0}}
    if line.startswith("start"):
        last[STOPPING] = {"state": RUNNING, "start": NOW, "next_start": 0.0}
    last[STARTING] = {"state": RUNNING}
    last[STOPPED] = {"state": RUNNING, "start": NOW} if looks[0]["waiting_for"] else {}
    done = [{**each, **last.get(each["state"], {})} for each in looks]
    for each in done:
        each["waiting_for"] = []
    server = Server(looks, looks, done)
    with serving(server) as listening:
        assert through_the_wire(listening.url).run(line) == result
    assert server.calls == calls


def test_a_server_that_cannot_replace_itself_is_as_before() -> None:
    server = Server([details(STARTING, start=NOW)], method="supervisor.restart")
    with serving(server) as listening:
        text, status = through_the_wire(listening.url).run("start web")
        expected = f"{listening.url} closed the connection without a response\n"
    assert (text, status, server.calls) == (expected, 1, [START])


def test_a_daemon_that_has_gone_is_as_before() -> None:
    def answer(request: bytes) -> bytes | None:
        if b"startProcess" in request:
            listening.close()
        return server(request)

    server = Server([])
    with serving(answer) as listening:
        text, status = through_the_wire(listening.url).run("start web")
        assert text.startswith(f"{listening.url} ")
    assert "refused" not in text
    assert (text.count("\n"), status, server.calls) == (1, 1, [START])


def test_a_process_that_is_removed_in_the_meantime() -> None:
    with serving(Server([details(STOPPING)], [])) as listening:
        result = through_the_wire(listening.url).run("stop web")
    assert result == ("web: ERROR (no such process)\n", 1)


@pytest.mark.parametrize(
    ("line", "before", "after", "result"),
    [
        ("start web", details(STOPPED, waiting_for=["db"]), details(STOPPED), (ABNORMAL, 7)),
        ("stop web", details(STOPPING), details(STARTING, stop=NOW), ("web: stopped\n", 0)),
    ],
)
def test_another_client_changes_the_process(
    line: str, before: dict[str, Any], after: dict[str, Any], result: tuple[str, int]
) -> None:
    with serving(Server([before], [before], [after])) as listening:
        assert through_the_wire(listening.url).run(line) == result
