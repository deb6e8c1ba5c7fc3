"""The names that third-party software uses, and the shapes in which it calls them.

`tests/contract.json` was read from that software: module -> name -> who uses it, and for each
call the number of positional arguments and the names of the others.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

from tests.support.tables import assert_none

CONTRACT = Path(__file__).parents[1] / "contract.json"
MODULES: dict[str, dict[str, Any]] = json.loads(CONTRACT.read_text(encoding="utf-8"))["modules"]


def names() -> Iterator[tuple[str, str]]:
    """Yield (module, name) of all that must exist.

    What is marked as `instance` is set by the plugin itself on our classes, so it must not.
    """
    for module, used in MODULES.items():
        for name, how in used.items():
            if not how.get("instance"):
                yield module, name


def names_of_plugins() -> Iterator[tuple[str, str]]:
    """Yield (module, name) of what plugins set on our classes, unless it is there already."""
    for module, used in MODULES.items():
        for name, how in used.items():
            if how.get("instance"):
                yield module, name


def calls() -> Iterator[tuple[str, str, int, list[str]]]:
    """Yield (module, name, number of positional arguments, names of the others)."""
    for module, name in names():
        for positional, keywords in MODULES[module][name]["calls"]:
            yield module, name, positional, keywords


def exists(module: str, name: str) -> bool:
    """Whether a module, or a class in it, has a name."""
    try:
        attrgetter(name)(import_module(module))
    except (ImportError, AttributeError):
        return False
    return True


def mismatch(module: str, name: str, positional: int, keywords: list[str]) -> str | None:
    """Return why a function cannot be called with such arguments, None if it can."""
    called = attrgetter(name)(import_module(module))
    if is_without_signature(called):
        return None
    try:
        inspect.signature(called).bind(*[None] * positional, **dict.fromkeys(keywords))
    except TypeError as error:
        return str(error)
    return None


def is_without_signature(called: Any) -> bool:
    """Whether it is written in C, as the methods of a dict and the exceptions are."""
    is_plain_exception = isinstance(called, type) and called.__init__ is Exception.__init__
    return inspect.isbuiltin(called) or is_plain_exception


def test_every_name_exists() -> None:
    assert_none(each for each in names() if not exists(*each))


def test_names_are_left_to_plugins() -> None:
    """Supvisors keeps the original of a method that it replaces under such a name, once."""
    assert_none(each for each in names_of_plugins() if exists(*each))


def test_every_call_fits() -> None:
    assert_none((*call, reason) for call in calls() if (reason := mismatch(*call)))


def test_the_contract_is_walked_as_a_whole() -> None:
    assert len(MODULES) == 20
    assert len(list(names())) > 220
    assert len(list(calls())) > 60
