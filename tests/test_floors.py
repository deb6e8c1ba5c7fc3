"""Imports go only downwards; files, classes and functions stay small."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter

import pytest

from supervisor.process.runtime import Runtime
from tests.support.floors import (
    FILES,
    FLOORS,
    ROOT,
    code_lines,
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

MAX_CODE_LINES = 400
"""In a file, without blank lines, comments and docstrings."""

MAX_METHODS = 25
MAX_FUNCTION_LINES = 60

LARGE_CLASSES = {
    "SupervisorNamespaceRPCInterface",  # its methods are the RPC API
}

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

FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef

IMPORT_EACH_FIRST = """\
import importlib, sys
for name in sys.stdin.read().split():
    for loaded in [each for each in sys.modules if each.partition(".")[0] == "supervisor"]:
        del sys.modules[loaded]
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(f"{name}: {error}")
"""


def test_the_top_level_has_floors_and_import_names_alone() -> None:
    """Other modules are in the folder of their floor."""
    modules = {module_name(path).partition(".")[0] for path in FILES} - {""}
    assert modules == FLOORS.keys() | IMPORT_NAMES


def test_the_import_names_of_the_contract_are_there() -> None:
    """Third parties import these modules; each is at the top level, or a folder."""
    modules = json.loads((ROOT / "tests" / "contract.json").read_text(encoding="utf-8"))["modules"]
    names = {name.split(".")[1] for name in modules if name.startswith("supervisor.")}
    assert names <= FLOORS.keys() | IMPORT_NAMES


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
    """Imports for type checkers count: a circle of types is two modules that are one."""
    graph: dict[str, set[str]] = {}
    for found in package_imports():
        if not found.importer.startswith(f"{found.imported}."):
            graph.setdefault(found.importer, set()).add(found.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"in a circle: {error.args[1]}")


def test_every_module_can_be_imported_first() -> None:
    """A package that re-exports names imports its own modules, which the graph does not show."""
    modules = [
        f"supervisor.{module_name(path)}".rstrip(".") for path in FILES if path.stem != "__main__"
    ]
    imported = subprocess.run(
        [sys.executable, "-c", IMPORT_EACH_FIRST],
        input="\n".join(modules),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert imported.stdout.splitlines() == []
    assert imported.returncode == 0, imported.stderr


def test_the_runtime_depends_on_meld3_alone() -> None:
    allowed = sys.stdlib_module_names | {"supervisor"} | RUNTIME_DEPENDENCIES
    assert_none(
        f"{module_name(path)} imports {name}"
        for path in FILES
        for node, _ in nodes(parsed(path))
        for name in imported_names(node, module_name(path), is_package=False)
        if name.partition(".")[0] not in allowed
    )


def test_no_file_has_more_than_400_lines_of_code() -> None:
    counts = {path: code_lines(path) for path in FILES}
    assert_none(f"{path}: {lines}" for path, lines in counts.items() if lines > MAX_CODE_LINES)


def test_no_class_has_more_than_25_methods() -> None:
    assert_none(
        f"{path}: {node.name}: {count}"
        for path in FILES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ClassDef) and node.name not in LARGE_CLASSES
        if (count := sum(isinstance(each, FUNCTIONS) for each in node.body)) > MAX_METHODS
    )


def test_no_function_has_more_than_60_lines() -> None:
    """Its docstring is not counted."""
    assert_none(
        f"{path}: {node.name}: {lines}"
        for path in FILES
        for node in ast.walk(parsed(path))
        if isinstance(node, FUNCTIONS) and (lines := _length(node)) > MAX_FUNCTION_LINES
    )


def test_the_runtime_context_does_not_grow() -> None:
    """What only some need is an object of its own: see `process/services.py`."""
    members = {name for name in dir(Runtime) if not name.startswith(("_", "record_"))}
    assert members | set(Runtime.__annotations__) == {
        *("loop", "logger", "settings", "serverurl", "daemon_state", "children", "services"),
        *("clock", "may_start", "publish", "run_guarded"),
    }


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 2 if body else 1
