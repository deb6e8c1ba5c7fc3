"""XML-RPC values as text and back: a pure machine (floor 0).

`supervisor.xmlrpc` reads calls and writes answers with it.  It writes what
`xmlrpc.client.dumps` writes, without the import of that module (and of `http.client`,
`ssl` and `email` with it), and differs in two points: what XML cannot carry is replaced,
instead of making an answer that no client can read, and integers beyond 32 bits become
`<i8>`.
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
    # What XML cannot carry is never printable, and finding it takes five times as long.
    return text if text.isprintable() else _unspeakable()("\N{REPLACEMENT CHARACTER}", text)


@functools.cache  # most answers never need it, and it takes a millisecond to compile
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
    """Return the text of a struct, with a place for each value.

    Structs of one kind have the same names: 1000 of them take a third of the time.
    """
    members = []
    for name in names:
        if not isinstance(name, str):
            raise TypeError("dictionary key must be string")
        escaped = _escape(name).replace("%", "%%")
        members.append(f"<member>\n<name>{escaped}</name>\n%s</member>\n")
    return f"<value><struct>\n{''.join(members)}</struct></value>\n"


class Ready(str):
    """A value that is XML already."""

    __slots__ = ()


def _ready(value: Ready) -> str:
    return value


Writer: TypeAlias = "Callable[[Any], str]"


class _Writers(dict[type, Writer]):
    """Which function writes a type; instances of subclasses are written as what they are."""

    def __missing__(self, kind: type) -> Writer:
        datetime = sys.modules.get("datetime")  # who has one of its objects has imported it
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
    """Return a `<value>` element; raises `TypeError` for what XML-RPC has no type for."""
    return _WRITERS[type(value)](value)


def response(value: object) -> str:
    """Return the document that answers a call with a value."""
    return (
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n"
        f"{to_xml(value)}</param>\n</params>\n</methodResponse>\n"
    )


class Pieces(list[bytes]):
    """An array whose elements are XML already, cut anywhere: they are joined as they are sent."""


def response_in_pieces(elements: Pieces) -> list[bytes]:
    """Return the document that answers a call with an array."""
    before, behind = response(Ready(_array([Ready("\0")]))).split("\0")
    return [before.encode(), *elements, behind.encode()]


def fault(code: int, text: str) -> str:
    """Return the document that answers a call with a fault."""
    struct = to_xml({"faultCode": code, "faultString": text})
    return (
        f"<?xml version='1.0'?>\n<methodResponse>\n<fault>\n{struct}</fault>\n</methodResponse>\n"
    )


# -- text to values ------------------------------------------------------------

MAX_DEPTH = 64

# S stands for the blanks of XML, which are fewer than those of `re`.
_simple_call = re.compile(
    rb"(?:<\?xml version=['\"]1\.0['\"]S\?>)?S<methodCall>S"
    rb"<methodName>([A-Za-z0-9_.]+)</methodName>S"
    rb"(?:<params>S</params>S|<params/>S)?</methodCall>S".replace(b"S", rb"[ \t\r\n]*")
).fullmatch


def parse_call(document: bytes) -> tuple[str, tuple[Any, ...]]:
    """Return (method name, parameters) of a call; the name is "" if there is none.

    Base64 becomes text, as Supervisor always did.  Raises `ValueError` for what is not
    XML, has a DOCTYPE, is nested too deeply, or holds a malformed value.
    """
    # Most calls have no parameters; a daemon that receives only those never imports expat.
    match = _simple_call(document)
    return _Reader().read(document) if match is None else (match[1].decode("ascii"), ())


def _to_datetime(text: str) -> dt.datetime:
    import datetime as dt

    return dt.datetime.strptime(text.strip(), "%Y%m%dT%H:%M:%S")  # noqa: DTZ007 - has none


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
    """Expat's events to values: what is complete stands on a stack.

    An array or a struct remembers where its elements begin, and becomes one of them.
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
