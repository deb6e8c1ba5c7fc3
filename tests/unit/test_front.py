"""Front of the repository: pages whose links lead somewhere, and configuration for tools."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.floors import FLOORS
from tests.support.tables import assert_none

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGES.md")
SECTIONS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
"""Those of Keep a Changelog, in its order."""


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_links_lead_to_files() -> None:
    assert_none(
        f"{page}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#]+)", text(page))
        if "://" not in target and not (ROOT / target).exists()
    )


def test_paths_in_the_map_of_the_code_exist() -> None:
    listed = re.findall(r"^    (?:supervisor/\S+|\w+/(?:  \w+/)+)", text("README.md"), re.MULTILINE)
    paths = [path for line in listed for path in line.split()]
    assert {"supervisor/engine/", "supervisor/http/", "docs/"} <= set(paths)
    assert_none(path for path in paths if not any(ROOT.glob(path)))


def test_the_map_of_the_code_shows_every_floor() -> None:
    code_map = text("README.md").partition("## The code")[2].partition("\n## ")[0]
    assert_none(folder for folder in FLOORS if f"{folder}/" not in code_map)


def test_two_commands_set_up_the_quickstart_and_the_tests() -> None:
    commands = re.findall(r"^    sh (.+)$", text("README.md"), re.MULTILINE)
    assert commands == ["docs/examples/quickstart.sh", "tests/run"]
    assert_none(path for path in commands if not (ROOT / path).exists())


def test_changes_are_in_the_sections_of_keep_a_changelog() -> None:
    releases = re.split(r"^## ", text("CHANGES.md"), flags=re.MULTILINE)[1:]
    assert releases[0].startswith("Unreleased\n")
    for release in releases:
        found = re.findall(r"^### (.+)$", release, re.MULTILINE)
        assert found == sorted(found, key=SECTIONS.index)
        assert found


@pytest.mark.parametrize(
    ("name", "command"),
    [
        (".github/workflows/tests.yml", "sh tests/run --quick"),
        (".pre-commit-config.yaml", ".venv-test/bin/mypy --strict supervisor"),
        ("CONTRIBUTING.md", "sh tests/run --quick"),
    ],
)
def test_the_checks_are_those_of_the_tests(name: str, command: str) -> None:
    """Other places call the same commands as `tests/run`, or `tests/run` itself."""
    assert command in text(name)
