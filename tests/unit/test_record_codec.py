"""Records as JSON values: any value of a known type is the same again, any other JSON an error."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.common.record_codec import Codecs, make_record
from supervisor.common.records import field, record, replace
from tests.support.tables import assert_none


class Marker:
    """A class that is a value itself."""


@record(frozen=True)
class Part:
    """A record within a record, whose equality is wider than that of its fields."""

    size: int = 5
    place: tuple[str, int] | None = None

    def __eq__(self, other: object) -> bool:
        """Compare the type only."""
        return isinstance(other, Part)

    def __hash__(self) -> int:
        return 0


@record()
class Whole:
    """A record with every kind of type."""

    name: str
    on: bool = False
    pause: float = 1.5
    target: str | type[Marker] | None = Marker
    number: int | str | None = None
    action: str | Part = "stop"
    either: Part | Other | None = None
    pattern: re.Pattern[str] | None = None
    part: Part = Part()
    parts: tuple[Part, ...] = ()
    numbers: list[int] = field(default_factory=list)
    names: frozenset[str] = frozenset()
    texts: Mapping[str, str] = field(default_factory=dict)


@record(frozen=True)
class Other:
    """A record that differs from `Part` by its tag alone."""

    size: int = 5


@record(frozen=True)
class Unknown:
    """A record with a type that has no codec."""

    data: bytes = b""


@record(frozen=True)
class Unsupported:
    """A record with a kind of type that has no codec."""

    part: complex = 0


TYPES = {
    kind.__name__: kind
    for kind in (
        *(bool, int, float, str, list, tuple, frozenset, type, complex),
        *(Marker, Mapping, Other, Part, Unknown, Unsupported, Whole),
    )
} | {"re": re}

CODECS = Codecs(
    TYPES,
    {re.Pattern: (lambda pattern: pattern.pattern, re.compile)},
    {Part: {"note": "str"}},
)
Part.note = ""  # type: ignore[attr-defined]

WHOLES = st.builds(
    Whole,
    name=st.text(),
    on=st.booleans(),
    pause=st.floats(allow_nan=False),
    target=st.text() | st.sampled_from([Marker, None]),
    number=st.integers() | st.text() | st.none(),
    action=st.text() | st.builds(Part, size=st.integers()),
    either=st.none() | st.builds(Part, size=st.integers()) | st.builds(Other, size=st.integers()),
    pattern=st.none() | st.sampled_from([re.compile("a"), re.compile("")]),
    part=st.builds(Part, place=st.none() | st.tuples(st.text(), st.integers())),
    parts=st.lists(st.builds(Part, size=st.integers())).map(tuple),
    numbers=st.lists(st.integers()),
    names=st.frozensets(st.text()),
    texts=st.dictionaries(st.text(), st.text()),
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(CODECS.of(type(value)).encode(value)))


def decode(saved: Any, kind: Any = Whole) -> Any:
    return CODECS.of(kind).decode(saved, make_record)


def error_of(saved: Any) -> str:
    with pytest.raises(ValueError, match=" ") as caught:
        decode(saved)
    return str(caught.value)


def shown(whole: Whole) -> str:
    """Return all values with their types; `==` of parts is wider, and sets have any order."""
    return repr(replace(whole, names=sorted(whole.names)))


@given(WHOLES)
def test_a_record_is_the_same_again(whole: Whole) -> None:
    found = decode(through_json(whole))
    assert shown(found) == shown(whole)
    assert isinstance(found.names, frozenset)


@given(
    st.sampled_from(sorted(set(Whole.__match_args__) - {"name"})),  # type: ignore[attr-defined]
    JSON_VALUES,
)
def test_any_json_is_a_value_of_the_field_or_an_error(name: str, saved: Any) -> None:
    reason = ""
    try:
        found = decode({"name": "x", name: saved})
    except ValueError as error:
        reason = str(error)
    if reason:
        assert reason.startswith(f"x: {name}: ")
    else:
        assert shown(decode(through_json(found))) == shown(found)


def test_text_that_is_no_unicode_is_kept() -> None:
    assert decode(through_json(Whole("\udcff"))).name == "\udcff"


def test_defaults_are_left_out_and_unknown_fields_are_skipped() -> None:
    assert CODECS.of(Whole).encode(Whole("x")) == {"name": "x"}
    assert repr(decode({"name": "x", "later": {"deep": 1}})) == repr(Whole("x"))


def test_each_record_has_its_own_lists() -> None:
    first, second = decode({"name": "x"}), decode({"name": "x"})
    first.numbers.append(1)
    assert second.numbers == []


def test_a_record_that_equals_its_default_but_for_a_field_is_kept() -> None:
    """Equality may be wider: a log path that replaces AUTO equals AUTO."""
    assert Part(7) == Part()
    assert CODECS.of(Whole).encode(Whole("x", part=Part(7))) == {"name": "x", "part": {"size": 7}}


def test_values_are_tagged_in_a_union_alone() -> None:
    whole = Whole("x", target=None, action=Part(7), either=Other(), pattern=re.compile("a"))
    whole.parts = (Part(8, ("y", 1)),)
    assert CODECS.of(Whole).encode(whole) == {
        "name": "x",
        "target": None,
        "action": {"Part": {"size": 7}},
        "either": {"Other": {}},
        "pattern": {"Pattern": "a"},
        "parts": [{"size": 8, "place": {"tuple": ["y", 1]}}],
    }


def test_attributes_that_are_no_fields_are_saved_with_the_record() -> None:
    part = Part()
    vars(part)["note"] = "see below"
    assert CODECS.of(Part).encode(part) == {"note": "see below"}
    made = []
    CODECS.of(Part).decode({"note": "n"}, lambda *record: made.append(record))
    assert made == [(Part, {"note": "n"})]


WRONG = {
    "name": (7, "7: name: str expected, not int"),
    "on": (1, "x: on: bool expected, not int"),
    "pause": ("1", "x: pause: float expected, not str"),
    "target": ({"Marker": 1}, "x: target: null expected, not int"),
    "number": ([], "x: number: list is not one of its types"),
    "action": ({"Other": {}}, "x: action: 'Other' is not one of its types"),
    "either": ({"Part": {}, "Other": {}}, "x: either: one tag expected, not 2"),
    "pattern": ({"Pattern": 7}, "x: pattern: str expected, not int"),
    "part": ({"place": {"tuple": ["y"]}}, "x: part: place: a list of 2 values expected"),
    "parts": ([{}, {"size": None}], "x: parts: 2: size: int expected, not NoneType"),
    "numbers": ({}, "x: numbers: list expected, not dict"),
    "names": ([7], "x: names: 1: str expected, not int"),
    "texts": ({"PASSWORD": ["secret"]}, "x: texts: PASSWORD: str expected, not list"),
}
"""Field -> a wrong value and its error."""


def test_a_value_of_a_wrong_type_is_an_error_with_its_place() -> None:
    assert WRONG.keys() == set(Whole.__match_args__)  # type: ignore[attr-defined]
    cases = ((error_of({"name": "x", name: saved}), text) for name, (saved, text) in WRONG.items())
    assert_none(f"{found} (expected: {expected})" for found, expected in cases if found != expected)


def test_what_is_no_record_is_an_error() -> None:
    assert error_of([]) == "dict expected, not list"
    assert error_of({}) == "name: missing"


WRONG_VALUES: dict[str, Any] = {
    "on": 1,
    "target": Part,
    "action": Whole("y"),
    "either": Whole("y"),
    "pattern": "a",
    "part": Other(),
    "parts": Part(),
    "numbers": ["7"],
    "texts": {7: "x"},
}


def test_a_value_that_was_assigned_with_a_wrong_type_is_an_error() -> None:
    """Plugins assign to configs."""
    for name, value in WRONG_VALUES.items():
        with pytest.raises(ValueError, match=f"^x: {name}: "):
            CODECS.of(Whole).encode(Whole("x", **{name: value}))


@pytest.mark.parametrize("kind", [Unknown, Unsupported])
def test_a_type_without_a_codec_is_an_error(kind: type[Any]) -> None:
    (name,) = kind.__match_args__
    with pytest.raises(ValueError, match=f"^{name}: no codec for .*(bytes|complex)"):
        CODECS.of(kind).encode(kind(7))
