"""`reexec` and `reload --keep`: the successor of the daemon is awaited and compared with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from xmlrpc.client import Fault

import pytest

from supervisor.common.faults import Faults
from supervisor.supervisorctl import replacing
from tests.support.ctl import process, through_the_wire
from tests.support.fakeserver import Last, rpc_answer, serving

BEFORE = [process("web:a", pid=11), process("web:b", pid=12), process("job", "EXITED", pid=0)]


class Daemon:
    """A daemon and its successor: `answer` responds to calls until `reexec`, and after it."""

    def __init__(
        self,
        after: object = BEFORE,
        *,
        version: str = "4.3.1",
        fault: Fault | None = None,
        responds: bool = True,
        ends: Callable[[bytes], bytes] = Last,
    ) -> None:
        self.is_replaced = False
        self.calls: list[str] = []
        self._after = after
        self._version = version
        self._fault = fault
        self._responds = responds
        self._ends = ends

    def __call__(self, request: bytes) -> bytes | None:
        """Return the response to a request."""
        found = re.search(rb"<methodName>supervisor\.(\w+)<", request)
        assert found is not None
        name = found[1].decode()
        self.calls.append(name)
        if name == "reexec":
            if self._fault is not None:
                return rpc_answer(self._fault)
            self.is_replaced = True
            return self._ends(rpc_answer(True))
        if self.is_replaced and not self._responds:
            return None
        answers: dict[str, Any] = {
            "getVersion": "3.0",
            "getSupervisorVersion": self._version if self.is_replaced else "4.3.1",
            "getAllProcessInfo": self._after if self.is_replaced else BEFORE,
        }
        return rpc_answer(answers[name])


@pytest.mark.parametrize(
    ("line", "daemon", "text"),
    [
        ("reexec", Daemon(), "Restarted supervisord 4.3.1; 2 processes kept running"),
        (
            "reexec",
            Daemon(version="4.10.0"),
            "Upgraded supervisord from 4.3.1 to 4.10.0; 2 processes kept running",
        ),
        (
            "reexec",
            Daemon(version="4.3.0"),
            "Downgraded supervisord from 4.3.1 to 4.3.0; 2 processes kept running",
        ),
        (
            "reexec",
            Daemon([process("web:a", pid=11), process("web:b", pid=13), process("job", pid=14)]),
            "Restarted supervisord 4.3.1; 1 of 2 processes kept running",
        ),
        (
            "reload --keep",
            Daemon(version="4.10.0"),
            "Reloaded the settings of supervisord; 2 processes kept running",
        ),
    ],
)
def test_what_has_been_replaced_is_one_line(line: str, daemon: Daemon, text: str) -> None:
    with serving(daemon) as server:
        assert through_the_wire(server.url).run(line) == (f"{text}\n", 0)
    assert daemon.calls.count("reexec") == 1


def test_processes_that_were_running_before_are_counted() -> None:
    for before, after, text in (
        ({}, {"a": 1}, ""),
        ({"a": 1}, {"a": 1, "b": 2}, "; 1 process kept running"),
        ({"a": 1}, {}, "; 0 of 1 processes kept running"),
    ):
        assert replacing.Replacement(("1", "1"), before, after).kept() == text


def test_versions_are_compared_by_their_numbers() -> None:
    ascending = ["4.3.1", "4.4.0.dev0", "4.4.0rc1", "4.4.0rc2", "4.4.0", "4.10.0rc1", "4.10.0"]
    for old, new in pairwise(ascending):
        for versions, verb in (((old, new), "Upgraded"), ((new, old), "Downgraded")):
            change = replacing.Replacement(versions, {}, {}).change()
            assert change == f"{verb} supervisord from {versions[0]} to {versions[1]}"


@pytest.mark.parametrize("line", ["reexec", "reload --keep"])
def test_failures_are_one_line(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacing, "END_SECONDS", 0.1)
    for daemon, text in (
        (
            Daemon(fault=Fault(Faults.FAILED, "FAILED: an update is running")),
            "error: supervisord was not replaced: an update is running\n",
        ),
        (
            Daemon(fault=Fault(Faults.UNKNOWN_METHOD, "UNKNOWN_METHOD")),
            "error: this server cannot replace itself (supervisord 4.3.1)\n",
        ),
        (
            Daemon(fault=Fault(Faults.SHUTDOWN_STATE, "SHUTDOWN_STATE")),
            "ERROR: supervisord is shutting down or restarting\n",
        ),
        (
            Daemon(responds=False),
            (
                "error: supervisord was replaced, but does not respond: URL closed the connection"
                " without a response\n"
            ),
        ),
        (
            Daemon(ends=bytes),
            "error: supervisord was not replaced, and goes on; see its log (maintail)\n",
        ),
    ):
        with serving(daemon, connections=2) as server:
            expected = (text.replace("URL", server.url), 1)
            assert through_the_wire(server.url).run(line) == expected


def test_arguments() -> None:
    with serving(Daemon()) as server:
        ctl = through_the_wire(server.url)
        for line in ("reexec now", "reload --keeps", "reload --keep now", "reload now"):
            text, status = ctl.run(line)
            assert text.startswith(f"Error: {line.split()[0]} accepts no arguments\n")
            assert status == 1
    assert not server.requests


def test_a_shell_asks_for_no_confirmation() -> None:
    with serving(Daemon()) as server:
        ctl = through_the_wire(server.url)
        ctl.options.interactive = True
        for line in ("reexec", "reload --keep"):
            assert ctl.run(line)[1] == 0
