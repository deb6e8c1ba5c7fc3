"""The table of figures in docs/performance.md, of which new measurements replace some rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MARGIN = "| "


def row_of(line: str) -> str:
    """Return the name of the row that a line of the table belongs to."""
    return line.removeprefix(MARGIN).partition(" ")[0]


def merged(document: str, measured: Sequence[str], order: Iterable[str]) -> str:
    """Return a document with the measured lines in its first table with a column `row`.

    They replace all lines of their rows.  The rows of the table are in `order`; those that are not
    in it any more are removed.
    """
    lines = document.splitlines()
    begin = next(number for number, line in enumerate(lines) if row_of(line) == "row") + 2
    end = next(number for number in range(begin, len(lines)) if not lines[number])
    of_row: dict[str, list[str]] = {}
    for table in (lines[begin:end], measured):
        of_row |= _grouped(table)
    rows = [line for name in order for line in of_row.get(name, ())]
    return "\n".join([*lines[:begin], *rows, *lines[end:], ""])


def _grouped(table: Iterable[str]) -> dict[str, list[str]]:
    """Return the name of each row of a table, and its lines."""
    found: dict[str, list[str]] = {}
    for line in table:
        found.setdefault(row_of(line), []).append(line)
    return found
