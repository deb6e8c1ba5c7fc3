"""Both implementations read the same from every configuration, or say the same against it.

Ours says more: behind the reference's text, whose lines it joins, it says where the mistake is.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from supervisor.config.commandline import (
    find_configuration_file,
    parse_arguments,
    read_server_configuration,
    search_server_file,
    server_options,
)
from supervisor.config.parser import PERCENT_HINT, ConfigurationError
from supervisor.config.problems import ERROR as ERROR_OF_CHECK
from supervisor.config.problems import Findings
from supervisor.config.settings import Source
from tests.conformance.config_cases import CASES, INCLUDED_FILES, LINES, MENDED
from tests.support.comparison import DOUBT, assert_same
from tests.support.differences import declared
from tests.support.reference import reference_script
from tests.support.tables import assert_none

READER = Path(__file__).parents[1] / "support" / "read_configurations.py"
# The names of variables appear in messages, so both see the same ones and few of them.
ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}

Answers = dict[str, dict[str, Any]]

ERROR = re.compile(r"(.*)Error: (.+)\nFor help, use \S+ -h\n", re.DOTALL)
OPTION = r", option '[\w.-]+'"
WHERE = re.compile(
    rf"( in section '[^']+' \(file: '[^']+'\))?({OPTION})?"
    rf"| \(file: '[^']+'\)|, option '-\w/--\w+'|: [\w ]+"  # of a whole file; of a flag; a reason
)


def write_included_files(directory: Path) -> None:
    """Write the files that the cases include."""
    for name, text in INCLUDED_FILES.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")


def read_all(python: str, implementation: str, directory: Path) -> Answers:
    """Return what an implementation makes of all cases; one process reads them all."""
    directory.mkdir()
    write_included_files(directory)
    finished = subprocess.run(
        [python, READER, implementation],
        input=json.dumps(CASES | {name: case for name, (case, _, _) in MENDED.items()}),
        cwd=directory,
        env={**ENVIRONMENT, "HOME": str(directory)},
        capture_output=True,
        text=True,
        check=True,
    )
    answers: Answers = json.loads(finished.stdout.replace(str(directory), "HERE"))
    return answers


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What the reference makes of the cases."""
    directory = tmp_path_factory.mktemp("reference") / "cases"
    return read_all(reference_script("python"), "reference", directory)


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What this implementation makes of the cases."""
    return read_all(sys.executable, "ours", tmp_path_factory.mktemp("ours") / "cases")


def without_doubts(answer: dict[str, Any]) -> dict[str, Any]:
    """Leave out what only ours warns of."""
    declared("Configuration warnings")
    values = answer["values"]
    if not values or "warnings" not in values:
        return dict(answer)
    warnings = [line for line in values["warnings"] if not DOUBT.search(line)]
    return {**answer, "values": {**values, "warnings": warnings}}


@pytest.mark.parametrize("name", CASES)
def test_both_read_the_same(name: str, ours: Answers, reference: Answers) -> None:
    """Status and values agree, and ours begins with the reference's message."""
    theirs, mine = dict(reference[name]), without_doubts(ours[name])
    assert theirs["status"] != 1, "the reference ends in a traceback"
    said, says = ERROR.fullmatch(theirs["stderr"]), ERROR.fullmatch(mine["stderr"])
    if said and says:
        theirs["stderr"], mine["stderr"] = said[1], says[1]
        first, *rest = said[2].splitlines()
        begin = "; ".join([first, *(line.lstrip() for line in rest)])
        message = says[2].replace(PERCENT_HINT, "")
        assert message.startswith(begin)
        assert WHERE.fullmatch(message.removeprefix(begin))
    assert_same(theirs, mine)


@pytest.mark.parametrize("name", LINES)
def test_mistakes_in_options_say_where_they_are(name: str, ours: Answers) -> None:
    """Whatever is wrong with an option, its section, file and name stand at the end."""
    said = ERROR.fullmatch(ours[name]["stderr"])
    if said:
        assert re.search(rf" in section '[^']+' \(file: 'c\.conf'\){OPTION}$", said[2])


def told_by_start(case: dict[str, Any]) -> str | None:
    """Return the error with which a start would end, None without one."""
    try:
        read_server_configuration(case["argv"])
    except ConfigurationError as error:
        return str(error)
    return None


def told_by_check(case: dict[str, Any]) -> str | None:
    """Return the first error that `supervisord --check` prints about the files."""
    try:
        values, _ = parse_arguments(server_options(), case["argv"], "", only_options=True)
        file = find_configuration_file(values, search_server_file)
    except ConfigurationError as error:
        return str(error)
    findings = Findings()
    findings.read(Source(file), values)
    return next((each.text for each in findings.problems if each.severity == ERROR_OF_CHECK), None)


@pytest.mark.filterwarnings("ignore:Supervisord is running as root")
def test_a_check_begins_with_the_error_of_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And finds an error whenever a start does, although it goes on after the first."""
    monkeypatch.chdir(tmp_path)
    write_included_files(tmp_path)
    differences = []
    for name, case in (CASES | {name: case for name, (case, _, _) in MENDED.items()}).items():
        if case["command"] != "supervisord":
            continue
        Path("c.conf").unlink(missing_ok=True)
        if case["text"] is not None:
            Path("c.conf").write_text(case["text"], encoding="utf-8")
        start, check = told_by_start(case), told_by_check(case)
        if start != check:
            differences.append(f"{name}: {start!r} {check!r}")
    assert_none(differences)


@pytest.mark.parametrize("name", MENDED)
def test_what_the_reference_gets_wrong(name: str, ours: Answers, reference: Answers) -> None:
    """Where this implementation differs on purpose, it says or reads what it should."""
    _, expected, entry = MENDED[name]
    declared(entry)
    assert expected in json.dumps(ours[name])
    assert expected not in json.dumps(reference[name])
