"""One owner for each fact: no two modules define the same constant."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.support.floors import FILES, PACKAGE, parsed
from tests.support.tables import assert_none

SEVERAL_FACTS = {
    "LINGER_SECONDS",  # of a probe that goes on reading, and of a dead child's pipes
    "MAX_ATTEMPTS",  # of two searches for an unused name
    "PAUSE_SECONDS",  # of two floods
    "MAX_LINE_BYTES",  # of a response head, and of a line in a log
    "READ_BYTES",  # each reader chooses the size of its buffer
    "TYPE_CHECKING",
}
"""Names that each module defines for itself."""


def constants(path: Path) -> Iterator[tuple[str, str]]:
    """Yield name and value of each constant whose value contains no other name."""
    for node in parsed(path).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and target.id.isupper() and value is not None:
            if not any(isinstance(each, ast.Name) for each in ast.walk(value)):
                yield target.id, ast.unparse(value).removeprefix("b")


def test_no_constant_is_defined_twice() -> None:
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in FILES:
        for name, value in constants(path):
            owners[name, value].append(str(path.relative_to(PACKAGE)))
    assert_none(
        f"{name} = {value}: {', '.join(paths)}"
        for (name, value), paths in owners.items()
        if len(paths) > 1 and name not in SEVERAL_FACTS
    )
