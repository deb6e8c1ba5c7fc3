"""Imports of the package, read from its source, and the floor of each module.

The floor of a module is that of its folder.  A module at the top level of the package is an import
name of Supervisor 4; it is on the highest floor among its imports.
"""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "supervisor"
FILES = sorted(PACKAGE.rglob("*.py"))

FLOORS = {
    "common": 0,
    "engine": 1,
    "logs": 2,
    "config": 3,
    "process": 4,
    "client": 4,
    "supervisorctl": 4,
    "http": 5,
    "rpc": 5,
    "web": 5,
    "daemon": 6,
}
"""Folders of the package, with their floors."""

NO_CODE = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}

CLIENT = {
    "client",
    "supervisorctl",
    "childutils",
    "compat",
    "confecho",
    "http_client",
    "pidproxy",
}
"""Folders and import names that a client, a script or a child loads, and no server."""


@dataclass(frozen=True)
class Import:
    """One import of a module of the package by another."""

    importer: str
    imported: str
    line: int
    for_types: bool

    def __str__(self) -> str:
        """Return the place of the import and what it loads."""
        return f"{self.importer}:{self.line} imports {self.imported}"


def module_name(path: Path) -> str:
    """Return `process.child` for supervisor/process/child.py, '' for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parsed(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def code_lines(path: Path) -> int:
    """Return the number of a file's lines without blank lines, comments and docstrings."""
    with path.open("rb") as file:
        counted = {
            line
            for token in tokenize.tokenize(file.readline)
            if token.type not in NO_CODE
            for line in range(token.start[0], token.end[0] + 1)
        }
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            counted.difference_update(range(node.lineno, (node.end_lineno or 0) + 1))
    return len(counted)


def nodes(tree: ast.AST, *, for_types: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Walk a tree; also say whether each node is there for type checkers alone."""
    yield tree, for_types
    guarded = isinstance(tree, ast.If) and "TYPE_CHECKING" in ast.unparse(tree.test)
    for child in ast.iter_child_nodes(tree):
        yield from nodes(child, for_types=for_types or guarded)


def imported_names(node: ast.AST, module: str, *, is_package: bool) -> list[str]:
    """Return the absolute names that an import statement may load, none for other nodes.

    `module` is the full name of the module that the node is in.
    """
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        parents = module.split(".")
        kept = parents[: len(parents) - node.level + is_package]
        base = ".".join([*kept, base]).rstrip(".")
    return [base, *(f"{base}.{alias.name}" for alias in node.names)]


def is_module(name: str) -> bool:
    """Whether `process.child` is a file of the package, and not a name in one."""
    path = PACKAGE.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


@cache
def package_imports() -> list[Import]:
    """Return every import between modules of the package."""
    found = []
    for path in FILES:
        module, is_package = module_name(path), path.name == "__init__.py"
        for node, for_types in nodes(parsed(path)):
            full_name = f"supervisor.{module}".rstrip(".")
            for name in imported_names(node, full_name, is_package=is_package):
                short = name.removeprefix("supervisor.")
                if short not in {name, module} and is_module(short):
                    found.append(Import(module, short, getattr(node, "lineno", 0), for_types))
    return found


def is_client(module: str) -> bool:
    """Whether a module belongs to the client or to the scripts that children run."""
    return module.partition(".")[0] in CLIENT


@cache
def imported_by(module: str) -> frozenset[str]:
    """Return the modules that a module imports."""
    return frozenset(each.imported for each in package_imports() if each.importer == module)


@cache
def floor_of(module: str) -> int:
    """Return a module's floor: that of its folder, or the highest among its imports."""
    folder = module.partition(".")[0]
    if folder in FLOORS:
        return FLOORS[folder]
    return max((floor_of(each) for each in imported_by(module)), default=0)


@cache
def loaded_by(module: str) -> frozenset[str]:
    """Return the modules that a module imports, directly or through others."""
    loaded: set[str] = set()
    pending = {module}
    while pending:
        pending = set().union(*map(imported_by, pending)) - loaded
        loaded |= pending
    return frozenset(loaded)
