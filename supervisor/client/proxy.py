"""A light XML-RPC client: a proxy, and the types of Python's xmlrpc.client.

`supervisorctl` calls the daemon through `ServerProxy`, and `SupervisorTransport` parses
every response with `loads`.  `xmlrpc.client` would take 17 ms to import (with http.client,
ssl and email) and 80 ms to parse a response with a thousand processes.  It is imported only
as a fallback: for parameters other than text, integers and booleans, which our own commands do
not use, for base64 and dates in responses, and for its exceptions (`Fault`, `ResponseError`),
because plugins catch those.  All other values are those of `common.xmlrpc_codec`.
"""

from __future__ import annotations

from supervisor.common import xmlrpc_codec
from supervisor.common.xmlrpc_codec import MAX_INT, MIN_INT, RPC_PATH

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

# Method -> response timeout in seconds.  Only for a method that returns at once: others may
# wait for processes, which has no upper bound.
TIMEOUTS = {"supervisor.getVersion": 30.0}

QUERIES = ("get", "list", "read", "tail")
"""Beginnings of the names of methods that change nothing, so that they may be called twice."""

MIN_LARGE_BYTES = 20_000
"""Size of a response from which on it saves time to try the daemon's own form first."""

SPACE = 0x20  # first byte that is no control character

_EXCEPTIONS = ("Fault", "ProtocolError", "ResponseError")


def __getattr__(name: str) -> Any:
    """Import the exceptions on first use, in an `except` clause or a `raise`."""
    if name in _EXCEPTIONS:
        import xmlrpc.client

        return getattr(xmlrpc.client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _exception(name: str) -> Any:
    return __getattr__(name)


# -- documents ------------------------------------------------------------------------


def dumps(method: str, params: tuple[Any, ...]) -> bytes:
    """Return the XML of a call.

    Raises TypeError or OverflowError, with the texts of xmlrpc.client, for values that
    XML-RPC cannot represent.
    """
    if all(map(_is_common, params)):
        document = xmlrpc_codec.call(method, [_representable(value) for value in params])
    else:
        import xmlrpc.client

        document = xmlrpc.client.dumps(params, method)
    return document.encode("utf-8", "replace")


def _is_common(value: object) -> bool:
    kind = type(value)
    return kind is str or kind is bool or (kind is int and MIN_INT <= value <= MAX_INT)  # type: ignore[operator]


def _representable(value: str | int) -> str | int | bytes:
    """Return a text that XML cannot represent as bytes: supervisord accepts base64 as text."""
    if isinstance(value, int) or value.isprintable():
        return value
    data = value.encode("utf-8", "replace")  # undecodable bytes of the command line become `?`
    return data if any(byte < SPACE and byte not in b"\t\n" for byte in data) else data.decode()


def loads(response: bytes) -> Any:
    """Return the value of a response.

    Raises `xmlrpc.client.Fault` if it contains a fault, `expat.ExpatError` if it is not
    XML, `xmlrpc.client.ResponseError` if it is XML but not an XML-RPC response.
    """
    if len(response) >= MIN_LARGE_BYTES:
        from supervisor.client.large_response import parse_large  # few responses are large

        large = parse_large(response)
        if large is not None:
            return large
    try:
        is_fault, value = xmlrpc_codec.parse_response(response, WRAPPERS)
        if is_fault:
            raise _exception("Fault")(**value)
    except (ValueError, TypeError):
        raise _exception("ResponseError") from None
    return value


def _to_binary(text: str) -> Any:
    import xmlrpc.client

    binary = xmlrpc.client.Binary()
    binary.decode(text.encode("ascii"))
    return binary


def _to_datetime(text: str) -> Any:
    import xmlrpc.client

    return xmlrpc.client.DateTime(text.strip())


WRAPPERS: xmlrpc_codec.Scalars = {"base64": _to_binary, "dateTime.iso8601": _to_datetime}


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
        return f"<ServerProxy for {HOST}{RPC_PATH}>"

    def _call(self, method: str, params: tuple[Any, ...]) -> Any:
        self._transport.timeout = TIMEOUTS.get(method)
        values = self._request(method, dumps(method, params))
        return values[0] if len(values) == 1 else values

    def _request(self, method: str, document: bytes) -> Any:
        """Return the values of a response.

        A daemon that replaces itself closes connections whose requests it has not read yet.  The
        next connection reaches its successor, so a query is sent once more.
        """
        try:
            return self._transport.request(HOST, RPC_PATH, document)
        except ConnectionRefusedError:
            raise
        except ConnectionError as error:
            if not method.rpartition(".")[2].startswith(QUERIES):
                raise
            try:
                return self._transport.request(HOST, RPC_PATH, document)
            except OSError:
                raise error from None


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
