"""All processes as XML: the quick form says what the general one says, byte for byte."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.common import xmlrpc_codec
from supervisor.config.process_config import ProcessConfig
from supervisor.process.details import process_info
from supervisor.rpc import rows as quick_form
from supervisor.rpc.rows import rows
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.states import ProcessStates, SupervisorStates
from supervisor.xmlrpc import supervisor_xmlrpc_handler
from tests.support.clock import FakeClock

CLOCK = FakeClock()


def now() -> int:
    """Return the time as an answer has it."""
    return xmlrpc_codec.capped_int(CLOCK.time())


texts = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["%s", "a%(b)s", "<&>"]
)
times = st.floats(0, 2**33) | st.just(0) | st.integers(0, 2**32)
states = st.sampled_from(
    [number for name, number in vars(ProcessStates).items() if not name.startswith("_")]
)
logfiles = texts | st.none() | st.just("/var/log/%(name)s.log")


@st.composite
def members(draw: st.DrawFn) -> tuple[Any, Any]:
    """Return a group and a process with anything that an answer shows."""
    config = ProcessConfig(
        draw(texts), "", stdout_logfile=draw(logfiles), stderr_logfile=draw(logfiles)
    )
    state = draw(states)
    process = SimpleNamespace(
        config=config,
        laststart=draw(times),
        laststop=draw(times),
        get_state=lambda: state,
        spawnerr=draw(texts | st.none()),
        exitstatus=draw(st.integers(-1, 255) | st.none()),
        pid=draw(st.integers(0, 2**22)),
        runtime=SimpleNamespace(clock=CLOCK),
        is_plain=True,
    )
    return SimpleNamespace(config=SimpleNamespace(name=draw(texts))), process


def quick(several: list[tuple[Any, Any]]) -> str:
    """Return the answer as the quick form makes it."""
    return b"".join(xmlrpc_codec.response_in_pieces(rows(several, now()))).decode()


def general(several: list[tuple[Any, Any]]) -> str:
    """Return the answer as the general form makes it."""
    return xmlrpc_codec.response([process_info(*each) for each in several])


@given(st.lists(members(), max_size=3), st.integers(0, 10**7))
def test_both_forms_give_the_same_bytes(several: list[tuple[Any, Any]], later: int) -> None:
    CLOCK.set_wall(1_700_000_000)
    for _ in range(2):  # made, and kept from before
        assert quick(several) == general(several)
        CLOCK.advance(later)


@given(members(), members())
def test_a_row_is_rendered_again_when_a_process_changes(
    one: tuple[Any, Any], other: tuple[Any, Any]
) -> None:
    rows([one], now())
    vars(one[1]).update(vars(other[1]))
    assert quick([one]) == general([one])


@given(st.lists(members(), max_size=3), st.lists(members(), max_size=3))
def test_only_the_rows_of_the_latest_response_are_kept(
    some: list[tuple[Any, Any]], others: list[tuple[Any, Any]]
) -> None:
    rows([*some, *others], now())
    rows(some, now())
    assert list(quick_form._cache) == [id(process) for _, process in some]


@pytest.fixture
def handler() -> supervisor_xmlrpc_handler:
    """Return a handler for a daemon without processes."""
    options = SimpleNamespace(mood=SupervisorStates.RUNNING)
    runtime = SimpleNamespace(clock=CLOCK)
    daemon: Any = SimpleNamespace(options=options, process_groups={}, runtime=runtime)
    return supervisor_xmlrpc_handler(
        daemon, [("supervisor", SupervisorNamespaceRPCInterface(daemon))]
    )


def test_the_quick_form_takes_no_parameters_either(handler: supervisor_xmlrpc_handler) -> None:
    assert handler.call("supervisor.getAllProcessInfo", ()) == []
    with pytest.raises(Exception, match="INCORRECT_PARAMETERS"):
        handler.call("supervisor.getAllProcessInfo", (1,))


def test_a_plugin_that_wraps_the_method_is_called(
    handler: supervisor_xmlrpc_handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = SupervisorNamespaceRPCInterface.getAllProcessInfo

    @functools.wraps(original)
    def wrapper(self: SupervisorNamespaceRPCInterface) -> list[dict[str, Any]]:
        return [*original(self), {"name": "added"}]

    monkeypatch.setattr(SupervisorNamespaceRPCInterface, "getAllProcessInfo", wrapper)
    assert handler.call("supervisor.getAllProcessInfo", ()) == [{"name": "added"}]
