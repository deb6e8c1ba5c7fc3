"""The flags of update: the plan, for people and for programs."""

from __future__ import annotations

import json
from typing import Any
from xmlrpc.client import Fault

import pytest

from supervisor.common.faults import Faults
from tests.support.ctl import Ctl, process


def step(action: str, group: str, name: str, *options: tuple[str, str, str]) -> dict[str, Any]:
    changes = [dict(zip(("name", "old", "new"), each, strict=True)) for each in options]
    return {"action": action, "group": group, "name": name, "options": changes}


STEPS = [
    step("add", "web", "web_05"),
    step("restart", "web", "web_01", ("command", "", ""), ("environment", "", "")),
    step("apply", "db", "db", ("stopwaitsecs", "10", "30"), ("priority", "1", "2")),
    step("remove", "old", "old"),
]
PLAN = {"id": "a1", "steps": STEPS}
LINES = """\
+ add web:web_05
~ restart web:web_01 (command, environment)
= apply db (stopwaitsecs 10 -> 30, priority 1 -> 2)
- remove old
"""
INFOS = [process("web:web_01"), process("db"), process("old"), process("same")]


def test_a_plan_has_a_line_for_each_step_and_exit_status_2() -> None:
    ctl = Ctl(planUpdate=PLAN, getAllProcessInfo=INFOS)
    assert ctl.run("update --plan") == (LINES, 2)
    assert ctl.asked() == [("planUpdate",)]
    assert ctl.run("update --plan all") == (LINES, 2)
    assert ctl.run("update db --plan old") == ("".join(LINES.splitlines(keepends=True)[2:]), 2)
    assert Ctl(planUpdate={"id": "", "steps": []}).run("update --plan") == (
        "No config updates to processes\n",
        0,
    )
    assert ctl.run("update --plan same") == ("No config updates to processes\n", 0)
    assert ctl.run("update --plan nope") == (
        "ERROR: no such group: nope\nNo config updates to processes\n",
        1,
    )


def test_a_plan_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    ctl = Ctl(planUpdate=PLAN, getAllProcessInfo=INFOS)
    text, status = ctl.run("update --plan --json db")
    assert (json.loads(text), status) == ({"id": "a1", "steps": [STEPS[2]]}, 2)
    assert ctl.run("update --json") == ("", 1)
    assert capsys.readouterr().err.startswith("Error: --json requires --plan\n")


def test_a_plan_that_cannot_be_made() -> None:
    broken = Fault(Faults.CANT_REREAD, "CANT_REREAD: bad value in section 'program:x'")
    assert Ctl(planUpdate=broken).run("update --plan") == (
        "ERROR: CANT_REREAD: bad value in section 'program:x'\n",
        1,
    )
    text, status = Ctl(planUpdate=Fault(Faults.UNKNOWN_METHOD, "x")).run("update --plan")
    assert text.startswith("ERROR: supervisord does not know the method")
    assert status == 1
