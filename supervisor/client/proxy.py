"""A light XML-RPC client: a proxy, and the encoding of calls and responses.

`supervisorctl` calls the daemon through `ServerProxy`, and `SupervisorTransport` parses
every response with `loads`.  `xmlrpc.client` would take 17 ms to import (with http.client,
ssl and email) and 80 ms to parse a response with a thousand processes.  It is imported only
as a fallback: for values other than text, integers and booleans, which our own commands do
not use, and for its exceptions (`Fault`, `ResponseError`), because plugins catch those.
Format: http://xmlrpc.com/spec.md, and the dialect of xmlrpc.client.
"""

from __future__ import annotations

from xml.parsers import expat

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable
    from typing import Any, Protocol
    from xmlrpc.client import Fault, ProtocolError, ResponseError

    class Transport(Protocol):
        """Protocol of a transport; `SupervisorTransport` is one."""

        timeout: float | None

        def request(self, host: str, handler: str, request_body: bytes, /) -> Any:
            """Return a tuple with the value of the response."""

        def close(self) -> None:
            """Close the connection."""


__all__ = [
    "Fault",
    "ProtocolError",
    "ResponseError",
    "ServerProxy",
    "dumps",
    "loads",
]

HOST = "127.0.0.1"  # for error texts only: the transport knows the real address
HANDLER = "/RPC2"

# Method -> response timeout in seconds.  Only for a method that returns at once: others may
# wait for processes, which has no upper bound.
TIMEOUTS = {"supervisor.getVersion": 30.0}

INT_MIN, INT_MAX = -(2**31), 2**31 - 1

CONTAINERS = frozenset({"struct", "array"})

_EXCEPTIONS = ("Fault", "ProtocolError", "ResponseError")


def __getattr__(name: str) -> Any:
    """Import the exceptions on first use, in an `except` clause or a `raise`."""
    if name in _EXCEPTIONS:
        import xmlrpc.client

        return getattr(xmlrpc.client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _exception(name: str) -> Any:
    return __getattr__(name)


# -- calls ----------------------------------------------------------------------------


def dumps(method: str, params: tuple[Any, ...]) -> bytes:
    """Return the XML of a call.

    Raises TypeError or OverflowError, with the texts of xmlrpc.client, for values that
    XML-RPC cannot represent.
    """
    if not all(map(_is_common, params)):
        import xmlrpc.client

        return xmlrpc.client.dumps(params, method).encode("utf-8", "replace")
    values = "".join(f"<param>\n<value>{_common(value)}</value>\n</param>\n" for value in params)
    return (
        f"<?xml version='1.0'?>\n<methodCall>\n<methodName>{_escape(method)}</methodName>\n"
        f"<params>\n{values}</params>\n</methodCall>\n"
    ).encode("utf-8", "replace")


def _is_common(value: object) -> bool:
    kind = type(value)
    return kind is str or kind is bool or (kind is int and INT_MIN <= value <= INT_MAX)  # type: ignore[operator]


def _common(value: str | int) -> str:
    if type(value) is bool:
        return f"<boolean>{value:d}</boolean>"
    if isinstance(value, int):
        return f"<int>{value}</int>"
    if any(char < " " and char not in "\t\n" for char in value):
        # XML cannot represent these characters; supervisord accepts base64 as text.
        return f"<base64>{_base64(value)}</base64>"
    return f"<string>{_escape(value)}</string>"


def _base64(text: str) -> str:
    from binascii import b2a_base64

    return b2a_base64(text.encode("utf-8", "replace"), newline=False).decode("ascii")


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# -- responses ------------------------------------------------------------------------


def loads(answer: bytes) -> Any:
    """Return the value of a response.

    Raises `xmlrpc.client.Fault` if it contains a fault, `expat.ExpatError` if it is not
    XML, `xmlrpc.client.ResponseError` if it is XML but not an XML-RPC response.
    """
    reader = _AnswerReader()
    try:
        reader.parser.Parse(answer, True)
        (value,) = reader.values
        if reader.is_fault:
            raise _exception("Fault")(**value)
    except (ValueError, TypeError, IndexError):
        raise _exception("ResponseError") from None
    return value


def _refuse_doctype(*_: object) -> None:
    """Raise ValueError: expanded entities of a short response could exhaust the memory."""
    raise ValueError("DOCTYPE")


class _AnswerReader:
    """Collects values while expat walks the XML: a stack, and marks where arrays begin."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.is_fault = False
        self._marks: list[int] = []
        self._text: list[str] = []
        self._untyped = False  # <value>text</value>, which means a string
        self._ends: dict[str, Callable[[], None]] = {
            "value": self._end_value,
            "struct": self._end_struct,
            "array": self._end_array,
            "fault": self._end_fault,
            "base64": self._end_base64,
            "dateTime.iso8601": self._end_datetime,
            "nil": lambda: self.values.append(None),
            "boolean": lambda: self.values.append(bool(int("".join(self._text)))),
            "double": lambda: self.values.append(float("".join(self._text))),
            **dict.fromkeys(("name", "string"), self._end_string),
            **dict.fromkeys(("int", "i4", "i8"), self._end_int),
        }
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text.append
        self.parser.StartDoctypeDeclHandler = _refuse_doctype

    # A response with a thousand processes calls each of the next two 60,000 times.

    def _start(self, tag: str, _attributes: object) -> None:
        self._text.clear()
        self._untyped = tag == "value"
        if tag in CONTAINERS:
            self._marks.append(len(self.values))

    def _end(self, tag: str) -> None:
        end = self._ends.get(tag)
        if end is not None:
            end()

    def _end_value(self) -> None:
        if self._untyped:
            self._end_string()
        self._untyped = False

    def _end_string(self) -> None:
        self.values.append("".join(self._text))

    def _end_int(self) -> None:
        self.values.append(int("".join(self._text)))

    def _since_mark(self) -> list[Any]:
        mark = self._marks.pop()
        members = self.values[mark:]
        del self.values[mark:]
        return members

    def _end_struct(self) -> None:
        members = self._since_mark()
        self.values.append(dict(zip(members[::2], members[1::2], strict=True)))

    def _end_array(self) -> None:
        self.values.append(self._since_mark())

    def _end_fault(self) -> None:
        self.is_fault = True

    def _end_base64(self) -> None:
        import xmlrpc.client

        binary = xmlrpc.client.Binary()
        binary.decode("".join(self._text).encode("ascii"))
        self.values.append(binary)

    def _end_datetime(self) -> None:
        import xmlrpc.client

        self.values.append(xmlrpc.client.DateTime("".join(self._text).strip()))


# -- the proxy ------------------------------------------------------------------------


class ServerProxy:
    """Proxy for a server, used like that of xmlrpc.client: `proxy.namespace.method(...)`.

    A call raises `xmlrpc.client.Fault`, `ProtocolError` for an HTTP status other than 200,
    OSError for a connection error, and the exceptions of `loads`.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __call__(self, attr: str) -> Any:
        """Return the `close` function or the transport, as xmlrpc.client's proxy does."""
        found = {"close": self._transport.close, "transport": self._transport}.get(attr)
        if found is None:
            raise AttributeError(f"Attribute {attr!r} not found")
        return found

    def __getattr__(self, name: str) -> Method:
        return Method(self._call, name)

    def __repr__(self) -> str:
        return f"<ServerProxy for {HOST}{HANDLER}>"

    def _call(self, method: str, params: tuple[Any, ...]) -> Any:
        self._transport.timeout = TIMEOUTS.get(method)
        answer = self._transport.request(HOST, HANDLER, dumps(method, params))
        return answer[0] if len(answer) == 1 else answer


class Method:
    """A remote method, identified by its dotted name."""

    def __init__(self, call: Callable[[str, tuple[Any, ...]], Any], name: str) -> None:
        self._call = call
        self._name = name

    def __getattr__(self, name: str) -> Method:
        return Method(self._call, f"{self._name}.{name}")

    def __call__(self, *params: Any) -> Any:
        """Call the method; `ServerProxy` lists the exceptions."""
        return self._call(self._name, params)
