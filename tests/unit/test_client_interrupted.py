"""Starts and stops whose first response was lost with a daemon that has replaced itself."""

from __future__ import annotations

from typing import Any
from xmlrpc.client import Fault

import pytest

from supervisor.client import interrupted
from supervisor.common.faults import Faults
from supervisor.states import ProcessStates

S = ProcessStates

STARTED = Fault(Faults.ALREADY_STARTED, "ALREADY_STARTED: x")
NOT_RUNNING = Fault(Faults.NOT_RUNNING, "NOT_RUNNING: x")
BAD_NAME = Fault(Faults.BAD_NAME, "BAD_NAME: x")

ROWS = [{"name": "x", "status": 80}]


class Successor:
    """The next daemon: its response to the method, and the states of the process in turn."""

    def __init__(self, response: Any, *states: int) -> None:
        self._response = response
        self._states = list(states)

    def call(self, method: str, *params: Any) -> Any:
        """Return a response, or raise it."""
        assert params[:1] == ("x",)
        if method == "supervisor.getProcessInfo":
            return {"state": self._states.pop(0)}
        if isinstance(self._response, Fault):
            raise self._response
        return self._response

    @property
    def is_done(self) -> bool:
        """Whether all states have been asked for."""
        return not self._states


@pytest.mark.parametrize(
    ("method", "successor", "expected"),
    [
        # the request did not reach the first daemon
        ("startProcess", Successor(True), True),
        ("stopProcess", Successor(True), True),
        ("startProcess", Successor(BAD_NAME), Faults.BAD_NAME),
        # it did
        ("stopProcess", Successor(NOT_RUNNING), True),
        ("startProcess", Successor(STARTED, S.STARTING, S.STARTING, S.RUNNING), True),
        ("startProcess", Successor(STARTED, S.RUNNING), True),
        ("startProcess", Successor(STARTED, S.STARTING, S.FATAL), Faults.ABNORMAL_TERMINATION),
        ("startProcess", Successor(STARTED, S.BACKOFF), Faults.ABNORMAL_TERMINATION),
        # those of several processes have a row for each that was left
        ("stopProcessGroup", Successor(ROWS), ROWS),
        ("startProcessGroup", Successor(STARTED), Faults.ALREADY_STARTED),
    ],
)
def test_the_response_that_was_lost(
    monkeypatch: pytest.MonkeyPatch, method: str, successor: Successor, expected: Any
) -> None:
    monkeypatch.setattr(interrupted.time, "sleep", lambda _seconds: None)
    method = f"supervisor.{method}"
    if isinstance(expected, int) and expected is not True:
        with pytest.raises(Fault) as raised:
            interrupted.call_again(successor.call, method, ("x",))
        assert raised.value.faultCode == expected
    else:
        assert interrupted.call_again(successor.call, method, ("x",)) == expected
    assert successor.is_done
