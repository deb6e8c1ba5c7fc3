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


def outcome(step: dict[str, Any], fault: str = "") -> dict[str, Any]:
    result = {key: step[key] for key in ("action", "group", "name")}
    return {**result, "status": Faults.FAILED if fault else 80, "description": fault or "OK"}


RESULTS = """\
web:web_05: added
web:web_01: restarted (command, environment)
db: changed (stopwaitsecs 10 -> 30, priority 1 -> 2)
old: ERROR (FAILED: no such directory)
"""


def test_a_minimal_update_prints_the_result_of_each_step() -> None:
    failed = "FAILED: no such directory"
    results = [*map(outcome, STEPS[:3]), outcome(STEPS[3], failed)]
    ctl = Ctl(planUpdate=PLAN, applyUpdate=results, getAllProcessInfo=INFOS)
    assert ctl.run("update --minimal") == (
        RESULTS,
        1,
    )
    assert ctl.asked() == [("planUpdate",), ("applyUpdate", "a1", ["db", "old", "web"])]


def test_a_minimal_update_that_is_not_applied(capsys: pytest.CaptureFixture[str]) -> None:
    outdated = Fault(Faults.FAILED, "FAILED: the plan is out of date")
    ctl = Ctl(planUpdate=PLAN, applyUpdate=outdated)
    assert ctl.run("update --minimal") == ("ERROR: FAILED: the plan is out of date\n", 1)
    nothing = Ctl(planUpdate={"id": "", "steps": []})
    assert nothing.run("update --minimal") == ("No config updates to processes\n", 0)
    assert nothing.asked() == [("planUpdate",)]
    assert nothing.run("update --minimal --json")[1] == 1
    assert capsys.readouterr().err.startswith("Error: --json requires --plan\n")


# -- scale -----------------------------------------------------------------------------------------


def test_a_scale_prints_the_processes_that_it_adds_or_removes() -> None:
    results = [outcome(step("add", "web", "w2")), outcome(step("remove", "web", "w3"), "FAILED")]
    ctl = Ctl(setNumprocs=results)
    assert ctl.run("scale web 4") == ("web:w2: added\nweb:w3: ERROR (FAILED)\n", 1)
    assert ctl.asked() == [("setNumprocs", "web", 4)]
    assert Ctl(setNumprocs=[]).run("scale web 4") == ("web: no processes added or removed\n", 0)


@pytest.mark.parametrize(
    ("code", "text", "line"),
    [
        (Faults.BAD_NAME, "BAD_NAME: web", "web: ERROR (no such program)\n"),
        (Faults.FAILED, "FAILED: a reason", "web: ERROR (a reason)\n"),
        (Faults.CANT_REREAD, "CANT_REREAD: a reason", "web: ERROR (a reason)\n"),
    ],
)
def test_a_scale_that_is_refused(code: int, text: str, line: str) -> None:
    assert Ctl(setNumprocs=Fault(code, text)).run("scale web 4") == (line, 1)


@pytest.mark.parametrize("arguments", ["", " web", " web x", " web -1", " web 1 2"])
def test_a_scale_needs_a_program_and_a_number(arguments: str) -> None:
    text, status = Ctl().run(f"scale{arguments}")
    assert text.startswith("Error: scale requires the name of a program and a number\n")
    assert status == 1
