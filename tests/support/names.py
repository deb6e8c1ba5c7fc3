"""Names of the code that prose mentions: which of them exist.

A mention is text between single backticks.  Only mentions that can be nothing but code are
checked: a path, a dotted name, a class, a private name, a call.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from functools import cache
from importlib import import_module

from tests.support.floors import FILES, FLOORS, PACKAGE, ROOT, is_module, module_name, parsed

MENTION = re.compile(r"(?<![`\w])`([^`\n]+)`(?!`)")
DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
CLASS_OR_PRIVATE = re.compile(r"[A-Z][a-z0-9]+[A-Z]\w*|_[a-z]\w+")
CALL = re.compile(r"([A-Za-z_][\w.]*)\([^()]*\)")
PATH = re.compile(r"(?:[\w.-]+/)*[\w-]+\.(?:py|md|toml)|[\w-]+/(?:[\w-]+/)*")
PLACEHOLDER = re.compile(r"\w+_x|[A-Z]+\.[A-Z]+")

TESTS = sorted((ROOT / "tests").rglob("*.py"))
PATH_ROOTS = (ROOT, PACKAGE, ROOT / "tests")
HELPERS = sorted((ROOT / "tests/support").glob("*.py"))
WORD = re.compile(r"[A-Za-z_]\w*")


def mentions(text: str) -> list[str]:
    """Return the mentions in a text, without fenced blocks."""
    return MENTION.findall(re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


def is_current(mention: str) -> bool:
    """Whether a mention names code that exists; true for a mention of something else."""
    if PATH.fullmatch(mention):
        return _is_path(mention)
    called = CALL.fullmatch(mention)
    name = called[1] if called else mention
    if PLACEHOLDER.fullmatch(name):
        return True
    if DOTTED.fullmatch(name):
        return _is_dotted_name(name.removeprefix("supervisor."))
    return not (called or CLASS_OR_PRIVATE.fullmatch(name)) or name in known_names()


def _is_path(mention: str) -> bool:
    if any((root / mention).exists() for root in PATH_ROOTS):
        return True
    return any(str(path).endswith(f"/{mention}") for path in (*FILES, *TESTS))


def _is_dotted_name(name: str) -> bool:
    """Whether a name is found in a module, or is an attribute of an object that the code uses."""
    first, _, rest = name.partition(".")
    if any(_resolves(f"supervisor.{module}", rest) for module in _modules_named(first)):
        return True
    if first in sys.stdlib_module_names and _resolves(first, rest):
        return True
    if first == "tests" and _resolves(*name.rpartition(".")[::2]):
        return True
    if first in FLOORS and (first not in OBJECTS or _modules_named(rest.partition(".")[0])):
        return name == "config.options"  # an attribute for plugins, and there is such a module
    return all(part in known_names() for part in name.split("."))


OBJECTS = {"config", "process"}
"""Folders whose names are also those of variables: `config.stdout` is an attribute."""


@cache
def _modules_named(name: str) -> list[str]:
    """Return the folder or the modules with this name."""
    modules = [module_name(path) for path in FILES]
    return [name] * is_module(name) + [each for each in modules if each.endswith(f".{name}")]


def _resolves(module: str, rest: str) -> bool:
    """Whether the dotted rest leads from a module through submodules to an attribute."""
    found = import_module(module)
    for part in filter(None, rest.split(".")):
        if not hasattr(found, part):
            try:
                import_module(f"{found.__name__}.{part}")
            except (ImportError, AttributeError):
                return False
        found = getattr(found, part)
    return True


@cache
def known_names() -> frozenset[str]:
    """Return builtins, the identifiers in the code, and the words of its strings."""
    names = set(dir(builtins)) | sys.stdlib_module_names
    for path in (*FILES, *HELPERS):
        tree = parsed(path)
        texts = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
        for node in ast.walk(tree):
            fields = [getattr(node, field, None) for field in ("id", "attr", "name", "arg")]
            if isinstance(node, ast.Constant) and id(node) not in texts:
                fields.append(str(node.value))
            names.update(*(WORD.findall(each) for each in fields if isinstance(each, str)))
    return frozenset(names)
