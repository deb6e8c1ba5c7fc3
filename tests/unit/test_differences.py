"""Deliberate differences: the document, the conformance suite's table and the tests agree."""

from __future__ import annotations

import itertools
import re
from functools import cache
from pathlib import Path

from tests.support.differences import SHOWN_BY
from tests.support.tables import assert_none

ROOT = Path(__file__).parents[2]
CONFORMANCE = ROOT / "tests" / "conformance"


def headings() -> list[str]:
    """Return the names of the entries of the document."""
    text = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
    return re.findall(r"^### (.+)$", text, re.MULTILINE)


def test_the_document_and_the_table_have_the_same_entries() -> None:
    found = headings()
    assert len(found) == len(set(found)), "an entry stands twice in docs/differences.md"
    assert sorted(found) == sorted(SHOWN_BY), "add or remove the entry in the other one"


def missing(entry: str, place: str) -> str | None:
    """Return which part of a row is missing: its test, or a scenario that names the entry."""
    module, _, test = place.partition("::")
    text = (ROOT / module).read_text(encoding="utf-8")
    if not re.search(rf"^ *def {test}\(", text, re.MULTILINE):
        return f"{entry}: no {test} in {module}"
    if module.startswith("tests/conformance/") and f'"{entry}"' not in scenarios():
        return f"{entry}: no conformance test names it"
    return None


@cache
def scenarios() -> str:
    """Return the text of all conformance tests."""
    return "".join(path.read_text(encoding="utf-8") for path in CONFORMANCE.glob("*.py"))


def test_there_is_a_test_that_shows_each() -> None:
    assert_none(filter(None, itertools.starmap(missing, SHOWN_BY.items())))
