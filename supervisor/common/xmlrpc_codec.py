"""XML-RPC serialization and parsing for server and client, without I/O.

`supervisor.xmlrpc` parses calls and serializes responses with it, `client.proxy` the reverse.
The output is that of `xmlrpc.client.dumps`, but without importing that module, which takes 17 ms
(with `http.client`, `ssl` and `email`).  It differs in two points.  Characters that XML does not
allow are replaced, because no peer could parse the document otherwise.  Integers beyond 32 bits
become `<i8>`.
The format: http://xmlrpc.com/spec.md
"""

from __future__ import annotations

import binascii
import functools
import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable
    from typing import Any, TypeAlias

RPC_PATH = "/RPC2"
"""The path of XML-RPC on the daemon's HTTP server."""

# -- values to text ------------------------------------------------------------

MAX_INT = 2**31 - 1
MIN_INT = -(2**31)
"""Bounds of an `<int>`."""

TIME_FORMAT = "%Y%m%dT%H:%M:%S"
"""Format of a `<dateTime.iso8601>`, which has no time zone."""


def _escape(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # Characters that are invalid in XML are not printable; a search takes five times as long.
    return text if text.isprintable() else _replace_invalid()("\N{REPLACEMENT CHARACTER}", text)


@functools.cache  # most responses do not need it, and compiling takes 1 ms
def _replace_invalid() -> Callable[[str, str], str]:
    return re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]").sub


def _string(value: str) -> str:
    return f"<value><string>{_escape(value)}</string></value>\n"


def _integer(value: int) -> str:
    if MIN_INT <= value <= MAX_INT:
        return f"<value><int>{value}</int></value>\n"
    return f"<value><i8>{value}</i8></value>\n"


def _boolean(value: bool) -> str:  # noqa: FBT001 - a value
    return f"<value><boolean>{value:d}</boolean></value>\n"


def _double(value: float) -> str:
    return f"<value><double>{value!r}</double></value>\n"


def _bytes(value: bytes) -> str:
    return f"<value><base64>\n{binascii.b2a_base64(value).decode()}</base64></value>\n"


def _datetime(value: dt.datetime) -> str:
    return f"<value><dateTime.iso8601>{value:{TIME_FORMAT}}</dateTime.iso8601></value>\n"


def _array(values: list[Any] | tuple[Any, ...]) -> str:
    elements = [_WRITERS[type(value)](value) for value in values]
    return "".join(["<value><array><data>\n", *elements, "</data></array></value>\n"])


def _struct(value: dict[str, Any]) -> str:
    members = tuple([_WRITERS[type(member)](member) for member in value.values()])
    return _template(tuple(value)) % members


@functools.lru_cache(maxsize=64)
def _template(names: tuple[str, ...]) -> str:
    """Return the XML of a struct, with a placeholder for each value.

    Structs of one kind have the same names, so the cache cuts the time for 1000 of them to a
    third.
    """
    members = []
    for name in names:
        if not isinstance(name, str):
            raise TypeError("dictionary key must be string")
        escaped = _escape(name).replace("%", "%%")
        members.append(f"<member>\n<name>{escaped}</name>\n%s</member>\n")
    return f"<value><struct>\n{''.join(members)}</struct></value>\n"


def capped_int(value: float) -> int:
    """Return a number as an XML-RPC integer: truncated, and clamped to 32 bits."""
    return max(MIN_INT, min(MAX_INT, int(value)))


class Serialized(str):
    """A value that is already serialized."""

    __slots__ = ()


def _serialized(value: Serialized) -> str:
    return value


Writer: TypeAlias = "Callable[[Any], str]"


class _Writers(dict[type, Writer]):
    """Type -> its serializer; a subclass is serialized like its nearest known base class."""

    def __missing__(self, kind: type) -> Writer:
        datetime = sys.modules.get("datetime")  # loaded if any of its objects exist
        if datetime is not None and issubclass(kind, datetime.datetime):
            return _datetime
        for ancestor in kind.__mro__[1:]:
            if ancestor in self:
                return self[ancestor]
        if kind is type(None):
            raise TypeError("cannot marshal None unless allow_none is enabled")
        raise TypeError(f"cannot marshal {kind} objects")


_WRITERS = _Writers(
    {
        bool: _boolean,
        int: _integer,
        float: _double,
        str: _string,
        bytes: _bytes,
        bytearray: _bytes,
        list: _array,
        tuple: _array,
        dict: _struct,
        Serialized: _serialized,
    }
)


def to_xml(value: object) -> str:
    """Return a `<value>` element; raises `TypeError` if XML-RPC has no matching type."""
    return _WRITERS[type(value)](value)


def response(value: object) -> str:
    """Return the response document with a value."""
    return (
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n"
        f"{to_xml(value)}</param>\n</params>\n</methodResponse>\n"
    )


def call(method: str, params: Iterable[object]) -> str:
    """Return the document of a call; raises `TypeError` like `to_xml`."""
    values = "".join([f"<param>\n{to_xml(value)}</param>\n" for value in params])
    return (
        f"<?xml version='1.0'?>\n<methodCall>\n<methodName>{_escape(method)}</methodName>\n"
        f"<params>\n{values}</params>\n</methodCall>\n"
    )


class Pieces(list[bytes]):
    """Chunks of an array's serialized elements, split anywhere; joining them gives the XML."""


def response_in_pieces(elements: Pieces) -> list[bytes]:
    """Return the response document with an array, as chunks."""
    before, after = response(Serialized(_array([Serialized("\0")]))).split("\0")
    return [before.encode(), *elements, after.encode()]


def fault_struct(code: int, text: str) -> dict[str, Any]:
    """Return the value of a fault."""
    return {"faultCode": code, "faultString": text}


def fault(code: int, text: str) -> str:
    """Return the response document with a fault."""
    struct = to_xml(fault_struct(code, text))
    return (
        f"<?xml version='1.0'?>\n<methodResponse>\n<fault>\n{struct}</fault>\n</methodResponse>\n"
    )


# -- text to values ------------------------------------------------------------

MAX_CALL_DEPTH = 64
"""Limit of nested elements in a call."""


@functools.cache  # the client parses no calls
def _simple_call() -> Callable[[bytes], re.Match[bytes] | None]:
    # S is whitespace in XML, which is a subset of `\s` in `re`.
    return re.compile(
        rb"(?:<\?xml version=['\"]1\.0['\"]S\?>)?S<methodCall>S"
        rb"<methodName>([A-Za-z0-9_.]+)</methodName>S"
        rb"(?:<params>S</params>S|<params/>S)?</methodCall>S".replace(b"S", rb"[ \t\r\n]*")
    ).fullmatch


def parse_call(document: bytes) -> tuple[str, tuple[Any, ...]]:
    """Return (method name, parameters) of a call; the name is "" if there is none.

    Base64 becomes text, as in earlier versions of Supervisor.  Raises `ValueError` for a
    document that is not XML, has a DOCTYPE, is nested too deeply, or has an unknown element or
    a malformed value.
    """
    # Most calls have no parameters.
    match = _simple_call()(document)
    return _parse_call(document) if match is None else (match[1].decode("ascii"), ())


def _parse_call(document: bytes) -> tuple[str, tuple[Any, ...]]:
    parser = _CallParser(_CALL_SCALARS)
    try:
        values = parser.parse(document)
    except parser.ExpatError as error:
        raise ValueError(str(error)) from None
    return parser.method, tuple(values)


def parse_response(document: bytes, wrappers: Scalars) -> tuple[bool, Any]:
    """Return (whether the response is a fault, its value); unknown elements are ignored.

    `wrappers` make the values of base64 and dateTime.iso8601 from their texts.  Raises
    `expat.ExpatError` for a document that is not XML, `ValueError` for one with a DOCTYPE, a
    malformed value, or not exactly one value.
    """
    parser = _Parser({**RESPONSE_SCALARS, **wrappers})
    (value,) = parser.parse(document)
    return parser.is_fault, value


Scalars: TypeAlias = "dict[str, Callable[[str], Any]]"
"""Name of an element -> the conversion of its text to a value."""


def _to_datetime(text: str) -> dt.datetime:
    import datetime as dt

    return dt.datetime.strptime(text.strip(), TIME_FORMAT)  # noqa: DTZ007 - no time zone in XML-RPC


def _to_text(text: str) -> str:
    return binascii.a2b_base64(text).decode()


def _to_none(_text: str) -> None:
    return None


def _to_bool(text: str) -> bool:
    return bool(int(text))


_SCALARS: Scalars = {
    "int": int,
    "i4": int,
    "i8": int,
    "double": float,
    "string": str,
    "name": str,
    "nil": _to_none,
    "ex:nil": _to_none,
}

_CALL_SCALARS: Scalars = {
    **_SCALARS,
    "boolean": "1".__eq__,  # as in Supervisor 4: any other text is false
    "base64": _to_text,
    "dateTime.iso8601": _to_datetime,
}

RESPONSE_SCALARS: Scalars = {**_SCALARS, "boolean": _to_bool}

_CALL_CONTAINERS = frozenset({"methodCall", "methodResponse", "params", "param", "data", "member"})


def _to_struct(elements: list[Any]) -> dict[str, Any]:
    names, values = elements[::2], elements[1::2]
    if not set(map(type, names)) <= {str}:
        raise ValueError("member without a name")
    return dict(zip(names, values, strict=True))


class _Parser:
    """Handler of Expat events that builds values on a stack.

    The start of an array or a struct marks the position of its elements on the stack; its end
    replaces the elements by the complete value.  `scalars` are the elements that contain text.
    """

    def __init__(self, scalars: Scalars) -> None:
        from xml.parsers import expat  # a daemon without calls with parameters never needs it

        self.ExpatError = expat.ExpatError
        self.method = ""
        self.is_fault = False
        self._scalars = scalars
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._text: list[str] = []
        self._value_is_bare = False  # <value>text</value>, which means a string
        self._expat = expat.ParserCreate()
        self._expat.buffer_text = True
        self._expat.StartElementHandler = self._started
        self._expat.EndElementHandler = self._ended
        self._expat.CharacterDataHandler = self._text.append
        self._expat.StartDoctypeDeclHandler = self._refuse_doctype

    def parse(self, document: bytes) -> list[Any]:
        """Return the values; raises `ValueError` or `expat.ExpatError`."""
        try:
            self._expat.Parse(document, True)
        except LookupError as error:  # an unknown encoding
            raise ValueError(str(error)) from None
        return self._stack

    def _refuse_doctype(self, *_: object) -> None:
        """Raise ValueError: expanded entities of a short document could exhaust the memory."""
        raise ValueError("DOCTYPE")

    # A response with a thousand processes calls each of the next two 60,000 times.

    def _started(self, tag: str, _attributes: dict[str, str]) -> None:
        if tag == "array" or tag == "struct":  # noqa: PLR1714 - faster than a set
            self._marks.append(len(self._stack))
        self._text.clear()
        self._value_is_bare = tag == "value"

    def _ended(self, tag: str) -> None:
        convert = self._scalars.get(tag)
        if convert is not None:
            self._stack.append(convert("".join(self._text)))
        elif tag == "value":
            if self._value_is_bare:
                self._stack.append("".join(self._text))
                self._value_is_bare = False
        elif tag == "array":
            self._stack.append(self._elements())
        elif tag == "struct":
            self._stack.append(_to_struct(self._elements()))
        elif tag == "methodName":
            self.method = "".join(self._text)
        else:
            self._other_ended(tag)
        self._text.clear()

    def _other_ended(self, tag: str) -> None:
        if tag == "fault":
            self.is_fault = True

    def _elements(self) -> list[Any]:
        mark = self._marks.pop()
        elements = self._stack[mark:]
        del self._stack[mark:]
        return elements


class _CallParser(_Parser):
    """A parser that refuses deeply nested and unknown elements: any client may call."""

    _depth = 0

    def _started(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_CALL_DEPTH:
            raise ValueError("nested too deeply")
        super()._started(tag, attributes)

    def _ended(self, tag: str) -> None:
        self._depth -= 1
        super()._ended(tag)

    def _other_ended(self, tag: str) -> None:
        if tag not in _CALL_CONTAINERS:
            raise ValueError(f"unknown element {tag}")
