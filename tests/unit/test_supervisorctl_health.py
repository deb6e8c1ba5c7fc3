"""The command health: lines, and an exit status that is 0 or 1."""

from __future__ import annotations

from typing import Any
from xmlrpc.client import Fault, ProtocolError

import pytest

from supervisor.common.faults import Faults
from tests.support.ctl import Ctl, process

WEB, JOB = process("web"), process("g:job", "EXITED", 100)
JOB_LINE = "g:job                            EXITED    description of the daemon\n"

OLD_SERVER = Fault(Faults.UNKNOWN_METHOD, "UNKNOWN_METHOD")
SHUTTING_DOWN = Fault(Faults.SHUTDOWN_STATE, "SHUTDOWN_STATE")


@pytest.mark.parametrize(
    ("infos", "expected"),
    [([], ("", 0)), ([WEB], ("", 0)), ([WEB, JOB], (JOB_LINE, 1))],
    ids=["none", "healthy", "unhealthy"],
)
def test_processes_that_are_not_running(infos: Any, expected: tuple[str, int]) -> None:
    assert Ctl(getEssentialProcessInfo=infos).run("health") == expected
    older = Ctl(getEssentialProcessInfo=OLD_SERVER, getAllProcessInfo=infos)
    assert older.run("health") == expected


@pytest.mark.parametrize(
    "answers",
    [
        {"getVersion": ConnectionRefusedError()},
        {"getVersion": FileNotFoundError()},
        {"getVersion": ProtocolError("x", 401, "Unauthorized", {})},
        {"getVersion": "9.9"},
        {"getVersion": SHUTTING_DOWN},
        {"getVersion": OLD_SERVER},
        {"getEssentialProcessInfo": SHUTTING_DOWN},
        {"getEssentialProcessInfo": OLD_SERVER, "getAllProcessInfo": OLD_SERVER},
    ],
)
def test_a_daemon_that_cannot_be_asked_is_unhealthy(answers: dict[str, Any]) -> None:
    text, status = Ctl(**answers).run("health")
    assert (text.count("\n"), status) == (1, 1)


def test_health_takes_no_names() -> None:
    text, status = Ctl().run("health web")
    assert text.startswith("Error: health accepts no arguments\nhealth\t")
    assert status == 1
