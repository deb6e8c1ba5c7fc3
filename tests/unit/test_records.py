"""Records mean what dataclasses mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from supervisor.common.records import Field, field, names, record, replace, specifications
from tests.support.tables import assert_none


def classes(decorator: Callable[..., Any], new_field: Callable[..., Any]) -> tuple[type[Any], ...]:
    """Return the same classes, made by records or by dataclasses."""

    @decorator()
    class Base:
        name: str
        size: int = 1
        parts: list[int] = new_field(default_factory=list)

    @decorator()
    class Derived(Base):
        extra: str = "x"

    class Undecorated(Base):
        pass

    @decorator(frozen=True)
    class Frozen:
        value: int
        text: str = ""

    @decorator(frozen=True)
    class Empty:
        pass

    return Base, Derived, Undecorated, Frozen, Empty


OURS = classes(record, field)
THEIRS = classes(dataclasses.dataclass, dataclasses.field)

CALLS: list[tuple[int, tuple[Any, ...], dict[str, Any]]] = [
    (0, ("a",), {}),
    (0, ("a", 2, [3]), {}),
    (0, (), {"name": "a", "size": 5}),
    (0, (), {}),
    (0, ("a",), {"name": "b"}),
    (0, ("a",), {"unknown": 1}),
    (0, ("a", 1, [], 4), {}),
    (1, ("a", 2), {"extra": "y"}),
    (1, ("a",), {}),
    (2, ("a",), {"size": 3}),
    (3, (1,), {}),
    (3, (1, "b"), {}),
    (3, ([],), {}),
    (4, (), {}),
    (4, (1,), {}),
]


def made(kinds: tuple[type[Any], ...], call: tuple[int, Any, Any]) -> Any:
    """Return an instance, or the type of what making it raises."""
    which, args, kwargs = call
    try:
        return kinds[which](*args, **kwargs)
    except TypeError:
        return TypeError


def differing(outcome: Callable[..., Any], *calls: list[Any]) -> list[Any]:
    """Return the calls, or combinations of them, with other outcomes than for dataclasses."""
    return [each for each in product(*calls) if outcome(OURS, *each) != outcome(THEIRS, *each)]


def test_instances_are_made_and_shown_alike() -> None:
    def outcome(kinds: tuple[type[Any], ...], call: Any) -> tuple[str, Any]:
        instance = made(kinds, call)
        return repr(instance), None if instance is TypeError else vars(instance)

    assert_none(differing(outcome, CALLS))


def test_instances_are_compared_alike() -> None:
    def outcome(kinds: tuple[type[Any], ...], one: Any, other: Any) -> bool:
        return bool(made(kinds, one) == made(kinds, other))

    assert_none(differing(outcome, CALLS, CALLS))


def test_instances_are_hashed_alike() -> None:
    def outcome(kinds: tuple[type[Any], ...], call: Any) -> Any:
        try:
            return hash(made(kinds, call)) == hash(made(kinds, call))
        except TypeError:
            return TypeError

    assert_none(differing(outcome, CALLS))


def test_frozen_ones_refuse_changes() -> None:
    for kinds in (OURS, THEIRS):
        frozen = kinds[3](1)
        with pytest.raises(AttributeError, match="cannot assign to field 'value'"):
            frozen.value = 2
        with pytest.raises(AttributeError):
            del frozen.value
        kinds[0]("a").size = 2


def test_a_factory_makes_one_for_each() -> None:
    one, other = OURS[0]("a"), OURS[0]("b")
    one.parts.append(1)
    assert other.parts == []
    assert not hasattr(OURS[0], "parts")


def test_names_are_in_order() -> None:
    assert names(OURS[1]) == ("name", "size", "parts", "extra")


def test_a_changed_copy() -> None:
    for changed in (replace, dataclasses.replace):
        original: Any = (OURS if changed is replace else THEIRS)[1]("a", 2, [3])
        duplicate = changed(original, size=5)
        assert (original.size, duplicate.size) == (2, 5)
        assert duplicate.parts is original.parts


def test_specifications_of_fields() -> None:
    """A specification without an annotation is no field, and instances do not have it."""

    class Special(Field):
        pass

    needed, noted = Special(None), Special(list)

    @record()
    class Specified:
        first: Any = needed
        second: Any = noted
        third: int = 3
        beside = Special(None)

    @record()
    class Heir(Specified):
        fourth: Any = noted

    assert list(specifications(Heir)) == ["first", "second", "beside", "fourth"]
    assert specifications(Heir)["first"] is needed
    assert vars(Heir(1)) == {"first": 1, "second": [], "third": 3, "fourth": []}
    assert not hasattr(Heir(1), "beside")
    with pytest.raises(TypeError, match="needs first"):
        Heir()


def test_own_methods_stay() -> None:
    @record()
    class Own:
        value: int

        def __eq__(self, other: object) -> bool:
            return True

        def __repr__(self) -> str:
            return "own"

        __hash__ = None  # type: ignore[assignment]

    assert Own(1) == Own(2)
    assert repr(Own(1)) == "own"
    with pytest.raises(TypeError):
        hash(Own(1))


def test_they_can_be_matched() -> None:
    match OURS[3](1, "b"):
        case object(value=1, text=text):
            assert text == "b"
        case _:
            pytest.fail("no match")
