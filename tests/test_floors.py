"""The fence: imports go only downwards, files and functions stay small."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.support.floors import (
    FILES,
    FLOORS,
    Import,
    floor_of,
    imported_names,
    is_client,
    loaded_by,
    module_name,
    nodes,
    package_imports,
    parsed,
)
from tests.support.tables import assert_none

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60

IMPORT_NAMES = {
    "childutils",
    "compat",
    "confecho",
    "datatypes",
    "dispatchers",
    "events",
    "http_client",
    "loggers",
    "medusa",
    "options",
    "pidproxy",
    "poller",
    "rpcinterface",
    "socket_manager",
    "states",
    "supervisord",
    "xmlrpc",
}
"""Modules of Supervisor 4 that are not the name of a folder."""

SERVER_FOLDERS = {"logs", "process", "http", "rpc", "web", "daemon"}
RUNTIME_DEPENDENCIES = {"meld3"}


def test_the_top_level_has_floors_and_import_names_alone() -> None:
    """Other modules are in the folder of their floor."""
    modules = {module_name(path).partition(".")[0] for path in FILES} - {""}
    assert modules == FLOORS.keys() | IMPORT_NAMES


def test_imports_go_only_downwards() -> None:
    assert_none(
        f"{found} (floor {floor_of(found.importer)} of {floor_of(found.imported)})"
        for found in package_imports()
        if floor_of(found.imported) > floor_of(found.importer)
    )


def test_the_client_loads_nothing_of_the_server() -> None:
    assert_none(
        f"{module} loads {imported}"
        for module in map(module_name, FILES)
        if is_client(module)
        for imported in loaded_by(module)
        if imported.partition(".")[0] in SERVER_FOLDERS
    )


def test_no_imports_in_a_circle() -> None:
    """Imports for type checkers are left out: they load nothing."""
    _assert_no_circle(each for each in package_imports() if not each.for_types)


def test_no_types_in_a_circle_in_the_client() -> None:
    _assert_no_circle(each for each in package_imports() if is_client(each.importer))


def _assert_no_circle(imports: Iterable[Import]) -> None:
    graph: dict[str, set[str]] = {}
    for found in imports:
        if not found.importer.startswith(f"{found.imported}."):
            graph.setdefault(found.importer, set()).add(found.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"in a circle: {error.args[1]}")


def test_the_runtime_depends_on_meld3_alone() -> None:
    allowed = sys.stdlib_module_names | {"supervisor"} | RUNTIME_DEPENDENCIES
    assert_none(
        f"{module_name(path)} imports {name}"
        for path in FILES
        for node, _ in nodes(parsed(path))
        for name in imported_names(node, module_name(path), is_package=False)
        if name.partition(".")[0] not in allowed
    )


def test_no_file_has_more_than_500_lines() -> None:
    counts = {path: path.read_text(encoding="utf-8").count("\n") for path in FILES}
    assert_none(f"{path}: {lines}" for path, lines in counts.items() if lines > MAX_FILE_LINES)


def test_no_function_has_more_than_60_lines() -> None:
    """Its docstring is not counted."""
    assert_none(
        f"{path}: {node.name}: {lines}"
        for path in FILES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := _length(node)) > MAX_FUNCTION_LINES
    )


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 2 if body else 1
