"""XML-RPC serialization and parsing, without I/O.

`supervisor.xmlrpc` parses requests and writes responses with it.  The output is that of
`xmlrpc.client.dumps`, but without importing that module (which imports `http.client`, `ssl`
and `email`).  It differs in two points.  Characters that XML does not allow are replaced,
because no client could parse the response otherwise.  Integers beyond 32 bits become `<i8>`.
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
    from collections.abc import Callable
    from typing import Any, TypeAlias

# -- values to text ------------------------------------------------------------

MAX_INT = 2**31 - 1
MIN_INT = -(2**31)


def _escape(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # Characters invalid in XML are never printable; searching for them takes five times as long.
    return text if text.isprintable() else _unspeakable()("\N{REPLACEMENT CHARACTER}", text)


@functools.cache  # most responses do not need it, and compiling takes 1 ms
def _unspeakable() -> Callable[[str, str], str]:
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
    return f"<value><dateTime.iso8601>{value:%Y%m%dT%H:%M:%S}</dateTime.iso8601></value>\n"


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


class Ready(str):
    """A value that is already serialized."""

    __slots__ = ()


def _ready(value: Ready) -> str:
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
        Ready: _ready,
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


class Pieces(list[bytes]):
    """Chunks of an array's serialized elements, split anywhere; joining them gives the XML."""


def response_in_pieces(elements: Pieces) -> list[bytes]:
    """Return the response document with an array, as chunks."""
    before, behind = response(Ready(_array([Ready("\0")]))).split("\0")
    return [before.encode(), *elements, behind.encode()]


def fault(code: int, text: str) -> str:
    """Return the response document with a fault."""
    struct = to_xml({"faultCode": code, "faultString": text})
    return (
        f"<?xml version='1.0'?>\n<methodResponse>\n<fault>\n{struct}</fault>\n</methodResponse>\n"
    )


# -- text to values ------------------------------------------------------------

MAX_DEPTH = 64

# S is whitespace in XML, which is a subset of `\s` in `re`.
_simple_call = re.compile(
    rb"(?:<\?xml version=['\"]1\.0['\"]S\?>)?S<methodCall>S"
    rb"<methodName>([A-Za-z0-9_.]+)</methodName>S"
    rb"(?:<params>S</params>S|<params/>S)?</methodCall>S".replace(b"S", rb"[ \t\r\n]*")
).fullmatch


def parse_call(document: bytes) -> tuple[str, tuple[Any, ...]]:
    """Return (method name, parameters) of a request; the name is "" if there is none.

    Base64 becomes text, as in earlier versions of Supervisor.  Raises `ValueError` for a
    document that is not XML, has a DOCTYPE, is nested too deeply, or has a malformed value.
    """
    # Most requests have no parameters; a daemon that gets no others never imports expat.
    match = _simple_call(document)
    return _Reader().read(document) if match is None else (match[1].decode("ascii"), ())


def _to_datetime(text: str) -> dt.datetime:
    import datetime as dt

    return dt.datetime.strptime(text.strip(), "%Y%m%dT%H:%M:%S")  # noqa: DTZ007 - no time zone in XML-RPC


def _to_text(text: str) -> str:
    return binascii.a2b_base64(text).decode()


_READERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "i4": int,
    "i8": int,
    "boolean": "1".__eq__,  # as in Supervisor 4: any other text is false
    "double": float,
    "string": str,
    "base64": _to_text,
    "dateTime.iso8601": _to_datetime,
    "nil": lambda _text: None,
    "ex:nil": lambda _text: None,
}

_CONTAINERS = frozenset({"methodCall", "methodResponse", "params", "param", "data", "member"})


def _to_struct(elements: list[Any]) -> dict[str, Any]:
    names, values = elements[::2], elements[1::2]
    if not all(isinstance(name, str) for name in names):
        raise ValueError("member without a name")
    return dict(zip(names, values, strict=True))


class _Reader:
    """Handler of Expat events that builds values on a stack.

    The start of an array or a struct marks the position of its elements on the stack; its end
    replaces the elements by the complete value.
    """

    def __init__(self) -> None:
        self._method = ""
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._text: list[str] = []
        self._value_is_bare = False
        self._depth = 0

    def read(self, document: bytes) -> tuple[str, tuple[Any, ...]]:
        """Return (method name, parameters); raises `ValueError`."""
        from xml.parsers import expat

        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._started
        parser.EndElementHandler = self._ended
        parser.CharacterDataHandler = self._text.append
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        try:
            parser.Parse(document, True)
        except (expat.ExpatError, LookupError) as error:  # LookupError: an unknown encoding
            raise ValueError(str(error)) from None
        return self._method, tuple(self._stack)

    def _refuse_doctype(self, *_: object) -> None:
        raise ValueError("DOCTYPE")

    def _started(self, tag: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        if tag in {"array", "struct"}:
            self._marks.append(len(self._stack))
        self._text.clear()
        self._value_is_bare = tag == "value"

    def _ended(self, tag: str) -> None:
        self._depth -= 1
        text = "".join(self._text)
        if tag == "value":
            if self._value_is_bare:
                self._stack.append(text)
        elif tag in _READERS:
            self._stack.append(_READERS[tag](text))
        elif tag == "name":
            self._stack.append(text)
        elif tag == "array":
            self._stack.append(self._elements())
        elif tag == "struct":
            self._stack.append(_to_struct(self._elements()))
        elif tag == "methodName":
            self._method = text
        elif tag not in _CONTAINERS:
            raise ValueError(f"unknown element {tag}")
        self._text.clear()
        self._value_is_bare = False

    def _elements(self) -> list[Any]:
        mark = self._marks.pop()
        elements = self._stack[mark:]
        del self._stack[mark:]
        return elements
