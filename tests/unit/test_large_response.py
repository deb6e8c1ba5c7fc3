"""Large responses: the fast path gives the value that the general parser gives, or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.parsers.expat import ExpatError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.client import proxy
from supervisor.client.large_response import parse_large
from supervisor.common import xmlrpc_codec

NAMES = st.sampled_from(["name", "a_1", "a b", "<", ""])
TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("&<>\r\n\t;"))
SCALARS = (
    TEXT
    | st.integers(-(2**40), 2**40)
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS, lambda values: st.lists(values) | st.dictionaries(NAMES, values), max_leaves=12
)
CONTAINERS = st.lists(VALUES) | st.dictionaries(NAMES, VALUES)
FRAGMENTS = st.sampled_from(
    [
        "",
        " ",
        "x",
        "&amp;",
        "&#65;",
        "</member>\n",
        "<value><int>1</int></value>\n",
        "<value><nil/></value>\n",
        "<member>\n<name>a</name>\n",
        "<value><struct>\n",
        "</struct></value>\n",
        "<value><array><data>\n",
        "</data></array></value>\n",
    ]
)


def general(document: bytes) -> Any:
    """Return the value that the general parser gives, or a marker for an error."""
    try:
        is_fault, value = xmlrpc_codec.parse_response(document, proxy.WRAPPERS)
    except (ExpatError, ValueError):
        return "error"
    return "fault" if is_fault else value


@given(CONTAINERS)
def test_the_value_is_that_of_the_general_parser(value: object) -> None:
    document = xmlrpc_codec.response(value).encode()
    assert parse_large(document) in (None, general(document))


@given(value=CONTAINERS, fragment=FRAGMENTS, start=st.integers(0, 10**4), length=st.integers(0, 40))
def test_a_damaged_response_is_left_to_the_general_parser(
    value: object, fragment: str, start: int, length: int
) -> None:
    text = xmlrpc_codec.response(value)
    start %= len(text)
    document = f"{text[:start]}{fragment}{text[start + length :]}".encode()
    found = parse_large(document)
    assert found is None or found == general(document)


def test_the_struct_of_a_process_has_a_fast_path() -> None:
    struct = {
        "name": 'a <&> "b"',
        "pid": 7,
        "next_start": 1.5,
        "enabled": True,
        "huge": 2**40,
        "history": [{"at": 1.0, "reason": "a\nb\tc"}, {}],
        "waiting_for": ["b", "c"],
        "none": [],
    }
    assert parse_large(xmlrpc_codec.response([struct] * 3).encode()) == [struct] * 3


def unescape(document: bytes) -> bytes:
    """Return a document with an entity that the daemon does not write."""
    return document.replace(b"name", b"&#110;ame")


@pytest.mark.parametrize(
    "damage",
    [
        unescape,
        lambda document: b" " + document,
        lambda document: document.replace(b"name", b"\xff"),
        lambda document: document.replace(b"text", b"te\rxt"),
        lambda document: document.replace(b"text", b"te\x00xt"),
        lambda document: document.replace(b"text", b"&unknown;"),
        lambda document: document.replace(b"<int>1", b"<int>x"),
        lambda document: document.replace(b"</member>", b"", 1),
    ],
)
def test_a_response_in_another_form_is_left_to_the_general_parser(
    damage: Callable[[bytes], bytes],
) -> None:
    document = xmlrpc_codec.response([{"name": "text", "pid": 1}]).encode()
    assert damage(document) != document
    assert parse_large(damage(document)) is None


def test_a_large_response_is_parsed_either_way() -> None:
    value = [{"name": "text"}] * 1000
    document = xmlrpc_codec.response(value).encode()
    assert len(document) > proxy.MIN_LARGE_BYTES
    assert proxy.loads(document) == value
    assert proxy.loads(document.replace(b"\n", b"")) == value
