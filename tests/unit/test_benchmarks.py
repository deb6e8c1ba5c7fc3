"""The figures in docs/performance.md, which new measurements replace."""

from __future__ import annotations

from pathlib import Path

from benchmarks.document import merged
from benchmarks.rows import ROWS

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"

DOCUMENT = """\
Text.

| floor | figure |
| --- | --- |
| idle | 1 |

| row | figure | ours |
| --- | --- | --- |
| boot | up | 1 |
| boot | CPU | 2 |
| gone | up | 3 |
| idle | CPU | 4 |

| more | figure |
| --- | --- |
| boot | 5 |
"""


def test_measured_rows_replace_those_of_the_table() -> None:
    order = ("start", "boot", "idle")
    measured = ["| boot | up | 10 |", "| start | up | 20 |"]
    before, _, after = DOCUMENT.partition("| boot | up | 1 |")
    expected = f"{before}| start | up | 20 |\n| boot | up | 10 |\n{after[after.index('| idle') :]}"
    assert merged(DOCUMENT, measured, order) == expected


def test_the_page_is_in_the_order_of_the_rows() -> None:
    """So a measurement of some rows changes these alone."""
    text = PAGE.read_text(encoding="utf-8")
    assert merged(text, [], [row.name for row in ROWS]) == text
