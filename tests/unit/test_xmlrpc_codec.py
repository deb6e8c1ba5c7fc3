"""The XML-RPC codec, compared with that of the standard library."""

from __future__ import annotations

import datetime as dt
import enum
import xmlrpc.client
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.common import xmlrpc_codec

REPRESENTABLE = st.characters(
    exclude_categories=["Cs"],
    exclude_characters=[
        *(chr(code) for code in range(32) if code not in {9, 10}),
        "\ufffe",
        "\uffff",
    ],
)
TEXTS = st.text(REPRESENTABLE, max_size=20)
SIMPLE = st.one_of(st.booleans(), st.integers(-(2**31), 2**31 - 1), st.floats(), TEXTS)
SCALARS = st.one_of(
    SIMPLE.filter(lambda value: value == value),  # noqa: PLR0124 - a NaN equals nothing
    st.integers(0, 2**31 - 1).map(dt.datetime.fromtimestamp),
)


def nested(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return values made of scalars, arrays and structs."""
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
        max_leaves=10,
    )


def parsed_by_a_client(document: str) -> Any:
    """Return the value that a client parses."""
    [value], _ = xmlrpc.client.loads(document, use_builtin_types=True)
    return value


# -- serializing ---------------------------------------------------------------------


@given(nested(SCALARS | st.binary(max_size=100)))
def test_a_client_parses_the_same_value(value: Any) -> None:
    assert parsed_by_a_client(xmlrpc_codec.response(value)) == value


@given(SIMPLE)
def test_simple_values_are_serialized_as_by_the_standard_library(value: Any) -> None:
    expected = xmlrpc.client.dumps((value, [value], {"a%s": value}), "method")
    for each in (value, [value], {"a%s": value}):
        assert xmlrpc_codec.to_xml(each) in expected


def test_a_response_document() -> None:
    expected = xmlrpc.client.dumps(({"a": [1, True, "x"]},), methodresponse=True)
    assert xmlrpc_codec.response({"a": [1, True, "x"]}) == expected


def test_a_fault_document() -> None:
    expected = xmlrpc.client.dumps(xmlrpc.client.Fault(10, "BAD_NAME: <x>"), methodresponse=True)
    assert xmlrpc_codec.fault(10, "BAD_NAME: <x>") == expected


@given(st.text())
def test_a_response_with_any_text_is_xml(text: str) -> None:
    parsed_by_a_client(xmlrpc_codec.response({text: text}).encode().decode())


def test_characters_that_xml_does_not_allow_are_replaced() -> None:
    invalid = "a\0b\x1b[0m\ud800\uffff"
    assert parsed_by_a_client(xmlrpc_codec.response(invalid)) == "a\ufffdb\ufffd[0m\ufffd\ufffd"


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 2**70])
def test_large_integers_do_not_break_a_response(number: int) -> None:
    assert parsed_by_a_client(xmlrpc_codec.response([number])) == [number]


class Mood(enum.IntEnum):
    """A number with a name."""

    GOOD = 1


def test_a_subclass_is_serialized_like_its_base() -> None:
    assert xmlrpc_codec.to_xml(Mood.GOOD) == "<value><int>1</int></value>\n"


@pytest.mark.parametrize("value", [None, [None], object(), {1: 2}, {1, 2}])
def test_values_without_an_xmlrpc_type_raise_an_error(value: Any) -> None:
    with pytest.raises(TypeError):
        xmlrpc_codec.response(value)


PLAIN = b"<methodCall><methodName>a.b</methodName></methodCall>"


# -- parsing ---------------------------------------------------------------------


@given(st.lists(nested(SCALARS), max_size=3))
def test_calls_of_the_standard_library_are_parsed_to_the_same_values(params: list[Any]) -> None:
    document = xmlrpc.client.dumps(tuple(params), "a.b").encode()
    assert xmlrpc_codec.parse_call(document) == ("a.b", tuple(params))


blanks = st.sampled_from(["", " ", "\n", "\t\r\n", "\x0b", "\x0c", "\x85", "x"])
simple_calls = st.tuples(
    blanks,
    st.sampled_from(["", "<?xml version='1.0'?>", '<?xml version="1.0" ?>', "<?xml?>", "<!-- -->"]),
    blanks,
    st.sampled_from(["<methodCall>", "<methodcall>"]),
    blanks,
    st.sampled_from(["supervisor.getState", "a", "", " a", "a&amp;b", "a<b/>", "\N{SNOWMAN}"]),
    blanks,
    st.sampled_from(["", "<params></params>", "<params>\n</params>", "<params/>", "<params>"]),
    blanks,
).map(
    lambda parts: "{}{}{}{}{}<methodName>{}</methodName>{}{}</methodCall>{}".format(*parts).encode()
)


@given(simple_calls)
@example(PLAIN)
@example(b" <?xml version='1.0'?>" + PLAIN)
def test_a_simple_call_is_parsed_like_any_other(document: bytes) -> None:
    match = xmlrpc_codec._simple_call()(document)
    if match is not None:
        assert xmlrpc_codec._parse_call(document) == (match[1].decode(), ())


def is_refused(document: bytes) -> bool:
    """Whether a document is refused; no exception but `ValueError` is raised."""
    try:
        xmlrpc_codec.parse_call(document)
    except ValueError:
        return True
    return False


def document(inner: str) -> bytes:
    """Return a call with one parameter."""
    text = f"<methodCall><methodName>m</methodName><params><param>{inner}</param></params>"
    return f"{text}</methodCall>".encode()


@pytest.mark.parametrize(
    ("element", "value"),
    [
        ("<value>bare</value>", "bare"),
        ("<value> bare </value>", " bare "),
        ("<value/>", ""),
        ("<value><string/></value>", ""),
        ("<value>\n <string>x</string>\n</value>", "x"),
        ("<value><string>c<!-- no -->at</string></value>", "cat"),
        ("<value><string><![CDATA[<a>]]></string></value>", "<a>"),
        ("<value><string>&lt;&#233;</string></value>", "<é"),
        ("<string>without value</string>", "without value"),
        ("<value><int>5</int></value>", 5),
        ("<value><i4>-5</i4></value>", -5),
        ("<value><i8>99999999999</i8></value>", 99999999999),
        ("<value><double>1.5</double></value>", 1.5),
        ("<value><boolean>1</boolean></value>", True),
        ("<value><boolean>0</boolean></value>", False),
        ("<value><boolean>true</boolean></value>", False),
        ("<value><boolean> 1 </boolean></value>", False),
        ("<value><boolean/></value>", False),
        ("<value><base64>Y2F0</base64></value>", "cat"),
        ("<value><nil/></value>", None),
        (
            "<value><dateTime.iso8601>20200102T03:04:05</dateTime.iso8601></value>",
            dt.datetime(2020, 1, 2, 3, 4, 5),  # noqa: DTZ001 - XML-RPC has no time zones
        ),
        ("<value><array><data/></array></value>", []),
        ("<value><struct/></value>", {}),
        (
            "<value><struct><member><name>a</name><value>b</value></member></struct></value>",
            {"a": "b"},
        ),
    ],
)
def test_values_that_are_parsed(element: str, value: Any) -> None:
    assert xmlrpc_codec.parse_call(document(element)) == ("m", (value,))


@pytest.mark.parametrize(
    "element",
    [
        "<value><int>x</int></value>",
        "<value><int></int></value>",
        f"<value><int>{'9' * 5000}</int></value>",
        "<value><double>x</double></value>",
        "<value><base64>/w==</base64></value>",
        "<value><base64>x</base64></value>",
        "<value><dateTime.iso8601>now</dateTime.iso8601></value>",
        "<value><unknown>x</unknown></value>",
        "<value><struct><member><name>a</name></member></struct></value>",
        "<value><struct><value><array/></value><value>b</value></struct></value>",
        "<value><string>a\x01</string></value>",
        "<value><string>&entity;</string></value>",
        "<value>" + "<array><data><value>" * 30 + "x" + "</value></data></array>" * 30 + "</value>",
    ],
)
def test_values_that_are_refused(element: str) -> None:
    assert is_refused(document(element))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"hello",
        b"<methodCall>",
        b"<methodCall><methodName>a</methodName></methodCall>x",
        b"<methodCall><methodName>\xff</methodName></methodCall>",
        b"<!DOCTYPE x><methodCall><methodName>a</methodName></methodCall>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><methodCall><methodName>&a;</methodName></methodCall>',
        b'<?xml version="1.0" encoding="nonsense"?>' + PLAIN,
    ],
)
def test_documents_that_are_refused(text: bytes) -> None:
    assert is_refused(text)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        xmlrpc.client.dumps((), "a.b").encode(),
        b'<?xml version="1.0"?>' + PLAIN,
        b"<methodCall><methodName>a.b</methodName><params/></methodCall>",
        b'<?xml version="1.0" encoding="UTF-8"?>' + PLAIN,
        b"<methodCall><!-- x --><methodName>a.<![CDATA[b]]></methodName></methodCall>",
        ('<?xml version="1.0" encoding="UTF-16"?>' + PLAIN.decode()).encode("utf-16"),
    ],
)
def test_calls_without_parameters(text: bytes) -> None:
    assert xmlrpc_codec.parse_call(text) == ("a.b", ())


@pytest.mark.parametrize(
    "text", [b"<methodCall/>", b"<methodCall><methodName/></methodCall>", b"<methodResponse/>"]
)
def test_a_call_without_a_method(text: bytes) -> None:
    assert xmlrpc_codec.parse_call(text)[0] == ""


@given(st.binary(max_size=300))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    is_refused(data)


TAGS = ["methodCall", "params", "param", "value", "array", "data", "struct", "member", "string"]
PIECES = st.sampled_from(
    [
        *(f"<{tag}>" for tag in TAGS),
        *(f"</{tag}>" for tag in TAGS),
        "<methodName>m</methodName>",
        "<name>n</name>",
        "<int>1</int>",
        "<nil/>",
        "text",
    ]
)


@given(st.lists(PIECES, max_size=20))
def test_any_elements_are_parsed_or_refused(pieces: list[str]) -> None:
    is_refused("".join(pieces).encode())
    is_refused(f"<methodCall>{_closed(pieces)}</methodCall>".encode())


def _closed(pieces: list[str]) -> str:
    """Return the pieces as a well-formed document: ends are added, or left out."""
    written, open_tags = [], []
    for piece in pieces:
        if piece.startswith("</"):
            if not open_tags or open_tags[-1] != piece[2:-1]:
                continue
            open_tags.pop()
        elif piece.startswith("<") and "</" not in piece and "/>" not in piece:
            open_tags.append(piece[1:-1])
        written.append(piece)
    return "".join([*written, *(f"</{tag}>" for tag in reversed(open_tags))])
