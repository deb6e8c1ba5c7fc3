"""Deliberate differences: the document, the conformance suite's table and the tests agree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.differences import SHOWN_BY

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


@pytest.mark.parametrize("entry", SHOWN_BY)
def test_there_is_a_test_that_shows_it(entry: str) -> None:
    module, _, test = SHOWN_BY[entry].partition("::")
    text = (ROOT / module).read_text(encoding="utf-8")
    assert re.search(rf"^ *def {test}\(", text, re.MULTILINE), f"no {test} in {module}"
    if module.startswith("tests/conformance/"):
        sources = (path for path in CONFORMANCE.glob("*.py"))
        assert any(f'"{entry}"' in path.read_text("utf-8") for path in sources), "nobody names it"
