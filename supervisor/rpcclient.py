"""A light XML-RPC client: a proxy, calls to XML, answers to values (client floor).

`supervisorctl` calls the daemon through `ServerProxy`, and `SupervisorTransport` reads
every answer with `loads`.  `xmlrpc.client` would take 17 ms to import (with http.client,
ssl and email) and 80 ms to read the answer of a thousand processes.  It comes in where
commands of ours do not: for values other than text, integers and booleans, and for the
exceptions, which are its own (`Fault`, `ResponseError`), so that plugins catch what they
know.  Format: http://xmlrpc.com/spec.md, and what xmlrpc.client makes of it.
"""

from __future__ import annotations

from xml.parsers import expat

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable
    from typing import Any, Protocol
    from xmlrpc.client import Fault, ProtocolError, ResponseError

    class Transport(Protocol):
        """What carries calls: `SupervisorTransport`, or one in its manner."""

        timeout: float | None

        def request(self, host: str, handler: str, request_body: bytes, /) -> Any:
            """Return a tuple with the answer's value."""

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

HOST = "127.0.0.1"  # a name for error texts: where to connect is the transport's affair
HANDLER = "/RPC2"

# Seconds of silence after which a server hangs.  Only where every daemon answers at once:
# other calls wait for processes, as long as these take.
TIMEOUTS = {"supervisor.getVersion": 30.0}

INT_MIN, INT_MAX = -(2**31), 2**31 - 1

CONTAINERS = frozenset({"struct", "array"})

_EXCEPTIONS = ("Fault", "ProtocolError", "ResponseError")


def __getattr__(name: str) -> Any:
    """Import the exceptions when an `except` clause or a `raise` asks for them."""
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
    XML-RPC does not know.
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
        # XML has no way to write these; supervisord takes base64 for text.
        return f"<base64>{_base64(value)}</base64>"
    return f"<string>{_escape(value)}</string>"


def _base64(text: str) -> str:
    from binascii import b2a_base64

    return b2a_base64(text.encode("utf-8", "replace"), newline=False).decode("ascii")


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# -- answers --------------------------------------------------------------------------


def loads(answer: bytes) -> Any:
    """Return the value that an answer carries.

    Raises `xmlrpc.client.Fault` if it carries a fault, `expat.ExpatError` if it is not
    XML, `xmlrpc.client.ResponseError` if it is XML but no answer.
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
    """Raise ValueError: entities could make a short answer fill the memory."""
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

    # For the answer of a thousand processes the next two are called 60,000 times each.

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
    """`proxy.namespace.method(...)` calls the server, as with xmlrpc.client's ServerProxy.

    A call raises `xmlrpc.client.Fault`, `ProtocolError` for an HTTP status other than 200,
    OSError when there is no connection, and what `loads` raises.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __call__(self, attr: str) -> Any:
        """`proxy("close")` is the function that closes, `proxy("transport")` the transport."""
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
    """A remote method by its dotted name."""

    def __init__(self, call: Callable[[str, tuple[Any, ...]], Any], name: str) -> None:
        self._call = call
        self._name = name

    def __getattr__(self, name: str) -> Method:
        return Method(self._call, f"{self._name}.{name}")

    def __call__(self, *params: Any) -> Any:
        """Call it; for what is raised see `ServerProxy`."""
        return self._call(self._name, params)
