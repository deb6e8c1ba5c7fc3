"""Wildcards in names of every command."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.supervisorctl.patterns import expand, expand_groups
from tests.support.ctl import Ctl, process
from tests.support.tables import assert_none

PROCESSES = [process(name) for name in ("web_a", "web_b", "grp:web_c", "grp:one", "od[d]", "a*")]

EXPANDED = {
    "web_a": "web_a",
    "web_*": "web_a web_b",
    "web_?": "web_a web_b",
    "web_[!a]": "web_b",
    "*web_*": "web_a web_b grp:web_c",
    "grp:w*": "grp:web_c",
    "gr?:*": "grp:web_c grp:one",
    "grp:*": "grp:*",
    "web_a:web_?": "web_a",
    "web_b web_*": "web_b web_a",
    "web_a web_a": "web_a web_a",
    "web_* web_*": "web_a web_b",
    "od[d]": "od[d]",
    "od[d]:*": "od[d]:*",
    "a*": "a*",
    "a*:*": "a*:*",
    "nope_* web_a": "nope_* web_a",
    "*": "web_a web_b grp:web_c grp:one od[d] a*",
}


def test_patterns_of_processes() -> None:
    found = {names: " ".join(expand(names.split(), PROCESSES)) for names in EXPANDED}
    assert_none(f"{names}: {found[names]}" for names in EXPANDED if found[names] != EXPANDED[names])


@pytest.mark.parametrize(
    ("names", "expanded"),
    [("a*", "ab ac"), ("x* ab", "x* ab"), ("[b]", "[b]"), ("ab a*", "ab ac"), ("ab ab", "ab ab")],
)
def test_patterns_of_groups(names: str, expanded: str) -> None:
    assert expand_groups(names.split(), ["ab", "ac", "[b]"]) == expanded.split()


OUTCOME = [{"group": "web", "name": "web", "status": 80, "description": "OK"}]

CALLS: list[tuple[str, str]] = [
    ("start web_*", "startProcess web_a, startProcess web_b"),
    ("start --no-deps web_?", "startProcessAlone web_a, startProcessAlone web_b"),
    ("stop grp:o*", "stopProcess grp:one"),
    ("stop --with-dependents grp:o*", "stopProcessWithDependents grp:one"),
    ("restart grp:o*", "stopProcess grp:one, startProcess grp:one"),
    ("signal HUP *:on*", "signalProcess grp:one HUP"),
    ("clear *_a", "clearProcessLogs web_a"),
    ("pid *_a", "getProcessInfo web_a"),
    ("tail *_a", "readProcessStdoutLog web_a -1600 0"),
    ("explain *_a", "getProcessDetails web_a"),
    ("logs *_a", "readProcessStdoutLog web_a -2000 0"),
    ("remove gr?", "removeProcessGroup grp"),
    ("add n?w", "addProcessGroup new"),
    (
        "update gr?",
        "reloadConfig, stopProcessGroup grp, removeProcessGroup grp, addProcessGroup grp",
    ),
    ("start grp:*", "startProcessGroup grp"),
]
QUERIES = {"getVersion", "getAllProcessInfo", "getAllConfigInfo", "getProcessInfo"}


def calls(line: str) -> str:
    """Return the calls of a command to the daemon, without those that only query."""
    infos = [{**each, "stdout_logfile": "/o", "stderr_logfile": ""} for each in PROCESSES]
    config = [{"group": "new", "inuse": False}, {"group": "now", "inuse": True}]
    values: dict[str, Any] = {
        "getAllProcessInfo": infos,
        "getAllConfigInfo": config,
        "getProcessInfo": infos[0],
        "getProcessDetails": RuntimeError("after the call"),
        "reloadConfig": [[[], ["grp"], []]],
        "readProcessStdoutLog": "",
    }
    for name in (
        *("startProcess", "startProcessAlone", "stopProcess", "signalProcess", "clearProcessLogs"),
        *("removeProcessGroup", "addProcessGroup"),
    ):
        values[name] = True
    for name in ("stopProcessWithDependents", "startProcessGroup", "stopProcessGroup"):
        values[name] = OUTCOME
    ctl = Ctl(**values)
    ctl.run(line)
    queries = QUERIES - {"getProcessInfo"} if line.startswith("pid") else QUERIES
    made = [call for call in ctl.options.calls if call[0] not in queries]
    return ", ".join(" ".join(map(str, call)) for call in made)


def test_every_command_accepts_patterns() -> None:
    assert_none(f"{line}: {calls(line)}" for line, expected in CALLS if calls(line) != expected)


@pytest.mark.parametrize("line", ["start a b:*", "stop a", "signal HUP a", "clear a", "tail a"])
def test_without_wildcards_the_processes_are_not_queried(line: str) -> None:
    ctl = Ctl()
    ctl.run(line)
    assert ("getAllProcessInfo",) not in ctl.options.calls


@pytest.mark.parametrize("line", ["tail web_*", "tail -f web_*", "fg web_*"])
def test_one_process_only(line: str) -> None:
    ctl = Ctl(getAllProcessInfo=PROCESSES)
    assert ctl.run(line) == ("web_*: ERROR (matches 2 processes: web_a, web_b)\n", 1)
