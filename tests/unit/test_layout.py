"""Layout of the tests: shared code is in `tests/support`, and no test is skipped."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.support.floors import imported_names
from tests.support.tables import assert_none

TESTS = Path(__file__).parents[1]
FILES = sorted(TESTS.rglob("*.py"))
TEST_MODULE = re.compile(r"\.(?:test_\w+|conftest)$")


def is_allowed(importer: str, imported: str) -> bool:
    """Whether a module below tests/ may import another: support, or its own folder's data."""
    if TEST_MODULE.search(imported):
        return False
    folder = ".".join(importer.split(".")[:2])
    return f"{imported}.".startswith(("tests.support.", f"{folder}."))


def test_which_imports_are_allowed() -> None:
    table = {
        ("tests.unit.test_a", "tests.support.clock"): True,
        ("tests.support.clock", "tests.support.waiting"): True,
        ("tests.fuzz.test_a", "tests.fuzz.machines"): True,
        ("tests.unit.test_a", "tests.unit.test_b"): False,
        ("tests.web.test_a", "tests.web.conftest"): False,
        ("tests.unit.test_a", "tests.test_floors"): False,
        ("tests.unit.test_a", "tests.conformance.config_cases"): False,
        ("tests.support.clock", "tests.fuzz.machines"): False,
    }
    assert {pair: is_allowed(*pair) for pair in table} == table


def test_shared_code_is_imported_from_support() -> None:
    wrong: list[str] = []
    for path in FILES:
        module = ".".join(path.relative_to(TESTS.parent).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            wrong += [
                f"{module} imports {name}"
                for name in imported_names(node, module, is_package=path.name == "__init__.py")
                if name.startswith("tests.") and not is_allowed(module, name)
            ]
    assert_none(wrong)


def test_no_test_is_skipped() -> None:
    """A missing tool makes a test fail; `needs_root` and `slow` are markers that deselect."""
    skip = re.compile(r"pytest\.(?:mark\.)?(?:skip|importorskip)|unittest\.skip|SkipTest")
    others = [path for path in FILES if path != Path(__file__)]
    assert_none(path for path in others if skip.search(path.read_text(encoding="utf-8")))
