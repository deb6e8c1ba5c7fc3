"""Questions that are asked again: the kept answer is what the general form would make."""

from __future__ import annotations

import functools
import shutil
import tempfile
import xmlrpc.client
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from supervisor import loggers
from supervisor.http import repeats
from supervisor.http.handlers import supervisor_auth_handler
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.states import SupervisorStates
from supervisor.xmlrpc import supervisor_xmlrpc_handler
from tests.support.httpsite import Client, Echo, Site, body, get, post, status

CONSTANTS = ("getAPIVersion", "getSupervisorVersion", "getIdentification", "getState", "getPID")


class Daemon:
    """A site with the namespace `supervisor`, and somebody who asks on one connection."""

    def __init__(self, directory: Path, *, keeps: bool = True) -> None:
        self.site = Site(directory)
        self.pid = 4711
        self.options = self.site.supervisord.options
        self.options.mood = SupervisorStates.RUNNING
        self.options.identifier = "it"
        self.options.get_pid = lambda: self.pid
        self.rpc = SupervisorNamespaceRPCInterface(self.site.supervisord)  # type: ignore[arg-type]
        self.handler = supervisor_xmlrpc_handler(
            self.site.supervisord,  # type: ignore[arg-type]
            [("supervisor", self.rpc)],
        )
        self.server = self.site.serve(self.handler)
        if not keeps:
            self.server.repeats.keep = lambda *_: None  # type: ignore[method-assign]
        self.made = 0
        self._count_answers()
        self.client: Client = self.site.connect()

    def _count_answers(self) -> None:
        """Count what the general form makes: it always asks which handler is meant."""
        handler_for = self.server.handler_for

        def counting(request: Any) -> Any:
            self.made += 1
            return handler_for(request)

        self.server.handler_for = counting  # type: ignore[method-assign]

    def ask(self, request: bytes) -> bytes:
        """Send a whole request in one piece; return its answer."""
        self.client.send(request)
        return self.client.answer()

    def close(self) -> None:
        self.site.close()


@pytest.fixture
def daemon(directory: Path) -> Iterator[Daemon]:
    made = Daemon(directory)
    yield made
    made.close()


def call(method: str, *params: Any, lines: tuple[str, ...] = ()) -> bytes:
    """Return the request that calls a method."""
    document = xmlrpc.client.dumps(params, f"supervisor.{method}").encode()
    return post(document, "/RPC2", *lines)


GET_STATE = call("getState")


def value_of(answer: bytes) -> Any:
    """Return what a call returned, or its fault."""
    try:
        return xmlrpc.client.loads(body(answer))[0][0]
    except xmlrpc.client.Fault as fault:
        return fault.faultString


# -- both forms ------------------------------------------------------------------

requests = st.builds(
    call,
    st.sampled_from([*CONSTANTS, "getAllProcessInfo", "noSuchMethod"]),
    lines=st.sampled_from([(), ("User-Agent: x",), ("Connection: close",), ("Origin: http://e",)]),
) | st.sampled_from([call("getState", 1), get("/RPC2"), get("/other"), post(b"<no call/>")])


class BothForms(RuleBasedStateMachine):
    """Two daemons to which the same happens; one of them keeps answers."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="supervisor-repeats-"))
        self.daemons = []
        for name, keeps in (("keeps", True), ("makes", False)):
            (self.directory / name).mkdir()
            self.daemons.append(Daemon(self.directory / name, keeps=keeps))

    def _answers(self, ask: Callable[[Daemon], bytes]) -> list[bytes]:
        return [ask(daemon) for daemon in self.daemons]

    @rule(request=requests, times=st.integers(1, 3), cut=st.integers(0, 400))
    def ask(self, request: bytes, times: int, cut: int) -> None:
        """Ask some times, perhaps in two pieces, perhaps on a new connection."""

        def asked(daemon: Daemon) -> bytes:
            received = b""
            for _ in range(times):
                if daemon.client.has_ended:
                    daemon.client = daemon.site.connect()
                daemon.client.send(request[:cut])
                daemon.site.turn()
                daemon.client.send(request[cut:])
                received += daemon.client.answer()
                daemon.site.turn()
                daemon.client.receive()
            return received

        kept, made = self._answers(asked)
        assert kept == made

    @rule(several=st.lists(st.sampled_from(CONSTANTS), min_size=2, max_size=3))
    def ask_in_one_breath(self, several: list[str]) -> None:
        """Send some requests in one piece."""

        def asked(daemon: Daemon) -> bytes:
            daemon.client = daemon.site.connect()
            daemon.client.send(b"".join(call(method) for method in several))
            return b"".join(daemon.client.answer() for _ in several)

        kept, made = self._answers(asked)
        assert kept == made

    @rule(mood=st.sampled_from([1, 0, -1, 2]))
    def change_mood(self, mood: int) -> None:
        for daemon in self.daemons:
            daemon.options.mood = mood

    @rule(seconds=st.sampled_from([0.3, 1.0, 86400.0]))
    def pass_time(self, seconds: float) -> None:
        for daemon in self.daemons:
            daemon.site.pass_time(seconds)
            daemon.client = daemon.site.connect()  # the other may have waited too long

    @rule(pid=st.integers(2, 9))
    def change_what_is_answered(self, pid: int) -> None:
        for daemon in self.daemons:
            daemon.pid = pid
            daemon.options.identifier = f"it{pid}"

    @rule(first=st.booleans())
    def install_a_handler(self, first: bool) -> None:  # noqa: FBT001 - drawn by the machine
        """Put a plugin's handler before ours, or take it away."""
        for daemon in self.daemons:
            daemon.server.handlers = [daemon.handler]
            if first:
                daemon.server.install_handler(Echo())

    def teardown(self) -> None:
        for daemon in self.daemons:
            daemon.close()
        shutil.rmtree(self.directory)


TestBothForms = BothForms.TestCase
TestBothForms.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


# -- what is kept ----------------------------------------------------------------


@pytest.mark.parametrize("method", CONSTANTS)
def test_a_question_that_comes_again_is_answered_from_memory(daemon: Daemon, method: str) -> None:
    first = daemon.ask(call(method))
    assert [daemon.ask(call(method)) for _ in range(5)] == [first] * 5
    assert daemon.made == 1


def test_it_makes_no_difference_who_asks(daemon: Daemon) -> None:
    first = daemon.ask(GET_STATE)
    assert [daemon.site.ask(GET_STATE), daemon.site.ask(GET_STATE)] == [first] * 2
    assert daemon.made == 1


def test_a_client_that_is_answered_from_memory_may_idle(daemon: Daemon) -> None:
    daemon.ask(GET_STATE)
    other = daemon.site.connect()
    other.send(GET_STATE)
    assert status(other.answer()) == 200
    daemon.site.pass_time(3600)
    other.send(GET_STATE)
    assert status(other.answer()) == 200


def test_an_answer_is_made_anew_each_second(daemon: Daemon) -> None:
    first = daemon.ask(GET_STATE)
    daemon.site.pass_time(1)
    assert daemon.ask(GET_STATE) != first
    assert daemon.made == 2


def test_whatever_is_answered_is_as_of_now(daemon: Daemon) -> None:
    assert value_of(daemon.ask(call("getPID"))) == 4711
    daemon.pid = 5
    assert value_of(daemon.ask(call("getPID"))) == 5
    daemon.options.mood = SupervisorStates.SHUTDOWN
    assert value_of(daemon.ask(call("getPID"))) == "SHUTDOWN_STATE"
    daemon.options.mood = SupervisorStates.RUNNING
    assert value_of(daemon.ask(call("getPID"))) == 5


@pytest.mark.parametrize("times", [2, 3])
def test_requests_in_one_breath_are_not_taken_for_one(daemon: Daemon, times: int) -> None:
    for _ in range(2):
        daemon.client.send(GET_STATE * times)
        answers = [daemon.client.answer() for _ in range(times)]
        assert len(set(answers)) == 1
    assert daemon.made == 2 * times


@pytest.mark.parametrize(
    "request_bytes",
    [call("getState", lines=("Connection: close",)), call("getAllProcessInfo"), get("/other")],
)
def test_what_is_not_kept(daemon: Daemon, request_bytes: bytes) -> None:
    for _ in range(3):
        daemon.site.ask(request_bytes)
    assert daemon.made == 3


def test_answers_of_other_methods_are_not_kept_in_memory(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(daemon.rpc), "plain", lambda _self: "x" * 100_000, raising=False)
    assert value_of(daemon.ask(call("plain"))) == "x" * 100_000
    assert not daemon.server.repeats._kept
    daemon.ask(GET_STATE)
    assert len(daemon.server.repeats._kept) == 1


def test_long_requests_are_not_kept(daemon: Daemon) -> None:
    padded = call("getState", lines=("X-Padding: " + "x" * repeats.LONGEST,))
    for _ in range(3):
        daemon.ask(padded)
    assert daemon.made == 3


def test_those_that_came_first_make_room(daemon: Daemon) -> None:
    several = [call("getState", lines=(f"X-Number: {n}",)) for n in range(repeats.MOST + 1)]
    for each in several:
        daemon.ask(each)
    for each in several[1:]:
        daemon.ask(each)
    assert daemon.made == len(several)
    daemon.ask(several[0])
    assert daemon.made == len(several) + 1


# -- who has a say ---------------------------------------------------------------


def test_a_password_is_looked_at_each_time(daemon: Daemon) -> None:
    users = {"joe": "secret"}
    daemon.server.handlers = [supervisor_auth_handler(users, daemon.handler)]
    joe = call("getState", lines=("Authorization: Basic am9lOnNlY3JldA==",))
    assert [status(daemon.ask(joe)) for _ in range(2)] == [200, 200]
    users.clear()
    assert status(daemon.ask(joe)) == 401


def test_a_handler_that_was_put_before_ours_is_asked(daemon: Daemon) -> None:
    daemon.ask(GET_STATE)
    daemon.ask(GET_STATE)
    daemon.server.install_handler(echo := Echo())
    assert body(daemon.ask(GET_STATE)).startswith(b"POST /RPC2 ")
    assert len(echo.requests) == 1


def count_calls(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> list[str]:
    """Wrap a method as a plugin does; return a list that grows with every call."""
    original = getattr(owner, name)
    calls: list[str] = []

    @functools.wraps(original)
    def wrapper(*args: Any) -> Any:
        calls.append(name)
        return original(*args)

    monkeypatch.setattr(owner, name, wrapper)
    return calls


@pytest.mark.parametrize("name", ["getState", "_update"])
def test_a_method_that_a_plugin_wraps_is_asked(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    daemon.ask(GET_STATE)
    calls = count_calls(monkeypatch, SupervisorNamespaceRPCInterface, name)
    for _ in range(3):
        daemon.ask(GET_STATE)
    assert len(calls) >= 3


@pytest.mark.parametrize("name", ["match", "handle_request", "continue_request", "call"])
def test_a_handler_that_a_plugin_wraps_is_asked(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    daemon.ask(GET_STATE)
    calls = count_calls(monkeypatch, supervisor_xmlrpc_handler, name)
    for _ in range(3):
        daemon.ask(GET_STATE)
    assert len(calls) == 3


def test_a_trace_shows_every_call(daemon: Daemon) -> None:
    daemon.ask(GET_STATE)
    daemon.site.logger.level = loggers.LevelsByName.TRAC
    for _ in range(3):
        daemon.ask(GET_STATE)
    traced = [text for _, text in daemon.site.log() if "method called" in text]
    assert traced == ["XML-RPC method called: supervisor.getState()"] * 3


def test_what_fails_fails_in_the_general_form(daemon: Daemon) -> None:
    daemon.ask(GET_STATE)

    def broken() -> None:
        raise LookupError("no luck")

    daemon.rpc._update = lambda _text: broken()  # type: ignore[method-assign]
    assert status(daemon.ask(GET_STATE)) == 500
