"""The fence: imports go only downwards, files and functions stay small.

The floors are read from the table in docs/development.md, so that it cannot lie.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "supervisor"
FILES = sorted(PACKAGE.rglob("*.py"))

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60

# Which floors a floor may import, itself aside. 5 and 6 reach for the client only to offer
# its old names: `xmlrpc.SupervisorTransport` and `options.ClientOptions`.
NUMBERED = ("0", "1", "2", "3", "4", "5", "6")
ALLOWED = {
    **{floor: set(NUMBERED[:index]) for index, floor in enumerate(NUMBERED[:5])},
    "5": {*NUMBERED[:5], "client"},
    "6": {*NUMBERED[:6], "client", "scripts"},
    "client": {"0", "3"},
    "scripts": {"0", "3", "client"},
}
RUNTIME_DEPENDENCIES = {"meld3"}


@dataclass(frozen=True)
class Import:
    """One import of a module of ours by another."""

    importer: str
    imported: str
    line: int
    for_types: bool

    def __str__(self) -> str:
        """Return where it stands and what it says."""
        return f"{self.importer}:{self.line} imports {self.imported}"


@cache
def floors() -> dict[str, str]:
    """Return module or package name -> floor, from the table of the documentation."""
    text = (ROOT / "docs" / "development.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (\d|client|scripts) \| (.+?) \|", text, re.MULTILINE)
    return {
        name.rstrip("/"): floor
        for floor, modules in table
        for name in re.findall(r"`(\w+/?)`", modules)
    }


def module_name(path: Path) -> str:
    """Return `process.child` for supervisor/process/child.py, '' for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor_of(module: str) -> str:
    """Return a module's floor; the package itself, which is empty, stands on floor 0."""
    return floors().get(module.partition(".")[0], "unknown") if module else "0"


@cache
def parsed(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def nodes(tree: ast.AST, *, for_types: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Walk a tree; also say whether each node is there for type checkers alone."""
    yield tree, for_types
    guarded = isinstance(tree, ast.If) and "TYPE_CHECKING" in ast.unparse(tree.test)
    for child in ast.iter_child_nodes(tree):
        yield from nodes(child, for_types=for_types or guarded)


def names_imported(node: ast.AST, module: str, *, is_package: bool) -> list[str]:
    """Return the absolute names that an import statement may load, none for other nodes."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        parents = f"supervisor.{module}".split(".")
        kept = parents[: len(parents) - node.level + is_package]
        base = ".".join([*kept, base]).rstrip(".")
    return [base, *(f"{base}.{alias.name}" for alias in node.names)]


def is_module(name: str) -> bool:
    """Whether `process.child` is a file of ours, and not a name in one."""
    path = PACKAGE.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


@cache
def our_imports() -> list[Import]:
    """Return every import between modules of ours."""
    found = []
    for path in FILES:
        module, is_package = module_name(path), path.name == "__init__.py"
        for node, for_types in nodes(parsed(path)):
            for name in names_imported(node, module, is_package=is_package):
                short = name.removeprefix("supervisor.")
                if short not in {name, module} and is_module(short):
                    found.append(Import(module, short, getattr(node, "lineno", 0), for_types))
    return found


def test_every_module_has_a_floor() -> None:
    modules = {module_name(path).partition(".")[0] for path in FILES} - {""}
    assert modules - floors().keys() == set(), "docs/development.md does not know them"


def test_imports_go_only_downwards() -> None:
    wrong = [
        f"{found} (floor {floor_of(found.importer)} of {floor_of(found.imported)})"
        for found in our_imports()
        if floor_of(found.imported) != floor_of(found.importer)
        and floor_of(found.imported) not in ALLOWED.get(floor_of(found.importer), ())
    ]
    assert wrong == []


def test_no_imports_in_a_circle() -> None:
    """Imports for type checkers are left out: they load nothing."""
    graph: dict[str, set[str]] = {}
    for found in our_imports():
        if not found.for_types and not found.importer.startswith(f"{found.imported}."):
            graph.setdefault(found.importer, set()).add(found.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"in a circle: {error.args[1]}")


def test_the_runtime_depends_on_meld3_alone() -> None:
    allowed = sys.stdlib_module_names | {"supervisor"} | RUNTIME_DEPENDENCIES
    foreign = {
        f"{module_name(path)} imports {name}"
        for path in FILES
        for node, _ in nodes(parsed(path))
        for name in names_imported(node, module_name(path), is_package=False)
        if name.partition(".")[0] not in allowed
    }
    assert foreign == set()


def test_floor_0_needs_the_standard_library_alone() -> None:
    wrong = [
        str(found)
        for found in our_imports()
        if floor_of(found.importer) == "0" and floor_of(found.imported) != "0"
    ]
    assert wrong == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: module_name(path) or "supervisor")
def test_a_file_has_at_most_500_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("path", FILES, ids=lambda path: module_name(path) or "supervisor")
def test_a_function_has_at_most_60_lines(path: Path) -> None:
    """Its docstring is not counted."""
    long = {
        node.name: lines
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := _length(node)) > MAX_FUNCTION_LINES
    }
    assert long == {}


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 2 if body else 1
