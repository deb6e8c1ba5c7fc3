"""XML-RPC: the handler of /RPC2, method lookup, and `system.*`.

`supervisord` creates one handler per HTTP server.  `common.xmlrpc_codec` converts values to
and from XML; `rpcinterface` and plugins provide the methods.
"""

from __future__ import annotations

import functools
import re

from supervisor.common import xmlrpc_codec
from supervisor.common.faults import Faults, RPCError, getFaultDescription
from supervisor.common.text import one_line
from supervisor.common.xmlrpc_codec import capped_int
from supervisor.engine.deferred import NOT_DONE_YET
from supervisor.engine.start_queue import Pace
from supervisor.http.handling import Handler
from supervisor.http.response import DeferredReply, Response, error_response
from supervisor.loggers import LevelsByName, exception_text
from supervisor.rpc import multicall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, Final, TypeVar

    from supervisor.engine.deferred import Deferred
    from supervisor.engine.loop import Loop
    from supervisor.http.request import Request
    from supervisor.http.response import Reply
    from supervisor.loggers import Logger
    from supervisor.process.daemon_protocol import Daemon

    Method = TypeVar("Method", bound="Callable[..., Any]")

__all__ = [
    "NOT_DONE_YET",
    "Faults",
    "RPCError",
    "RootRPCInterface",
    "SystemNamespaceRPCInterface",
    "capped_int",
    "getFaultDescription",
    "gettags",
    "supervisor_xmlrpc_handler",
    "traverse",
    "xmlrpc_marshal",
]

LOGGED_BYTES: Final = 1000
"""Maximum part of an invalid request that is logged."""

LOGGED_METHOD_CHARS: Final = 200


def __getattr__(name: str) -> Any:
    """Provide the client's names to plugins, without loading their modules into every daemon."""
    if name == "SupervisorTransport":
        from supervisor.client.transport import SupervisorTransport

        return SupervisorTransport
    if name == "xmlrpclib":
        import xmlrpc.client

        return xmlrpc.client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# -- finding and calling methods -----------------------------------------------


class RootRPCInterface:
    """Root of the namespaces: each attribute is an instance that a plugin's factory returned."""

    def __init__(self, subinterfaces: Iterable[tuple[str, object]]) -> None:
        for name, interface in subinterfaces:
            setattr(self, name, interface)


def public_method(namespaces: dict[str, Any], method: str) -> Callable[..., Any] | None:
    """Return the method called `namespace.name`, None if there is none.

    A method is a public attribute of the class of a namespace.  It is looked up at every call,
    because plugins replace methods at runtime.  Nothing else is reachable: no attribute of the
    instance, of every class (`mro`) or of every object.
    """
    namespace_name, _, name = method.partition(".")
    namespace = namespaces.get(namespace_name)
    if namespace is None or not name or name.startswith("_"):
        return None
    kind = type(namespace)
    if name not in vars(kind) and not any(name in vars(each) for each in kind.__mro__[1:-1]):
        return None
    if not callable(getattr(kind, name, None)):
        return None
    found: Callable[..., Any] = getattr(namespace, name)
    return found


def traverse(ob: RootRPCInterface, method: str, params: Sequence[Any]) -> Any:
    """Call a method by its full name and return its value.

    Raises `RPCError` UNKNOWN_METHOD or INCORRECT_PARAMETERS, or any exception of the method.
    The fault does not contain Python's message, which is of no use to clients; the cause is
    logged.
    """
    return _result(public_method(vars(ob), method), params)


def _result(function: Callable[..., Any] | None, params: Sequence[Any]) -> Any:
    if function is None:
        raise RPCError(Faults.UNKNOWN_METHOD)
    try:
        return function(*params)
    except RPCError:
        raise
    except Exception as error:
        if isinstance(error, TypeError) and not _takes(function, params):
            raise RPCError(Faults.INCORRECT_PARAMETERS) from None
        if _fits(function, params):
            raise
        raise RPCError(Faults.INCORRECT_PARAMETERS) from error


def _takes(function: Callable[..., Any], params: Sequence[Any]) -> bool:
    """Whether a method accepts this number of parameters; plugins may have wrapped it."""
    import inspect

    try:
        inspect.signature(function).bind(*params)
    except TypeError:
        return False
    return True


def quicker(form: Callable[..., Any]) -> Callable[[Method], Method]:
    """Give a method a faster variant for calls over HTTP, which returns XML in `Pieces`."""

    def mark(method: Method) -> Method:
        method.quicker = method, form  # type: ignore[attr-defined]
        return method

    return mark


def starting(turn: Callable[[Any, Callable[[], Any]], Any]) -> Callable[[Method], Method]:
    """Mark a method that starts a process: clients' calls, of which there may be many, take turns.

    `turn` receives the namespace and the call, and returns the value of the call or a deferred
    function.  Calls by plugins are not affected: they expect that the process has been started.
    """

    def mark(method: Method) -> Method:
        method.starting = method, turn  # type: ignore[attr-defined]
        return method

    return mark


def _form(function: Callable[..., Any] | None, mark: str) -> Callable[..., Any] | None:
    """Return the form of a bound method that it is marked with, unless a plugin has wrapped it."""
    method, form = getattr(function, mark, (None, None))
    # A wrapper may have copied the attribute, but it is another function.
    if form is None or getattr(function, "__func__", None) is not method:
        return None
    return functools.partial(form, function.__self__)  # type: ignore[union-attr]


def _call(function: Callable[..., Any] | None, params: Sequence[Any]) -> Any:
    """Return the value of a client's call; see `traverse` and `starting`."""
    turn = _form(function, "starting")
    if turn is None:
        return _result(function, params)
    return turn(lambda: _result(function, params))


_TYPES: Final[dict[str | None, Any]] = {
    "string": str,
    "int": int,
    "boolean": (bool, int),
    "double": (float, int),
    "array": list,
    "struct": dict,
}


def _fits(function: Callable[..., Any], params: Sequence[Any]) -> bool:
    """Whether parameters have the types in the docstring of the method."""
    documented = [tag[2] for tag in gettags(function.__doc__ or "") if tag[1] == "param"]
    return all(
        isinstance(value, _TYPES.get(name, object))
        for name, value in zip(documented, params, strict=False)
    )


# -- documentation of methods --------------------------------------------------

Tag = tuple[int, str | None, str | None, str | None, str]

TAG_LINE: Final = r"\s*@(\w+)(?:\s+(\S+))?(?:\s+(\S+))?\s*(.*)"


def gettags(comment: str) -> list[Tag]:
    """Return (line number, tag, type, name, text) of a docstring's `@param` and `@return`.

    The first element has no tag and contains the text before the first tag.  Plugins
    replace this function, so it must be looked up at each use.
    """
    tags: list[Tag] = []
    tag: tuple[int, str | None, str | None, str | None] = (0, None, None, None)
    lines: list[str] = []
    for number, line in enumerate(comment.split("\n")):
        match = re.match(TAG_LINE, line)
        if match is None:
            lines.append(line.strip())
            continue
        tags.append((*tag, "\n".join(lines)))
        tag = (number, match[1], match[2], match[3] or "")
        lines = [match[4].strip()]
    tags.append((*tag, "\n".join(lines)))
    return [(number, name, kind, word, text.strip()) for number, name, kind, word, text in tags]


# -- system.* ------------------------------------------------------------------


def _multicall_as_xml(interface: SystemNamespaceRPCInterface, calls: list[dict[str, Any]]) -> Any:
    return multicall.as_xml(interface._call, calls, interface._pace())  # noqa: SLF001 - its variant


def _at_once(step: Callable[[], Any]) -> Any:
    return step()


class SystemNamespaceRPCInterface:
    """The `system` namespace that XML-RPC clients expect: introspection and multicall."""

    def __init__(self, namespaces: Iterable[tuple[str, object]], loop: Loop | None = None) -> None:
        """With `loop`, a long multicall is spread over its iterations."""
        self.namespaces: dict[str, Any] = {**dict(namespaces), "system": self}
        self._loop = loop

    def _call(self, method: str, params: Sequence[Any]) -> Any:
        """Call a method by its full name; see `traverse`."""
        return _call(public_method(self.namespaces, method), params)

    def _pace(self) -> multicall.Take:
        return _at_once if self._loop is None else Pace(self._loop).take

    def _listMethods(self) -> dict[str, Callable[..., Any]]:
        return {
            f"{namespace_name}.{name}": getattr(namespace, name)
            for namespace_name, namespace in self.namespaces.items()
            for name, value in vars(type(namespace)).items()
            if callable(value) and not name.startswith("_")
        }

    def _documentation(self, name: str) -> str:
        method = self._listMethods().get(name) if isinstance(name, str) else None
        if method is None:
            raise RPCError(Faults.SIGNATURE_UNSUPPORTED)
        return str(method.__doc__)

    def listMethods(self) -> list[str]:
        """Return the names of all methods.

        @return array result  Full names of methods, sorted
        """
        return sorted(self._listMethods())

    def methodHelp(self, name: str) -> str:
        """Return the documentation of a method.

        @param string name  Full name of the method
        @return string text  Its documentation
        """
        return self._documentation(name)

    def methodSignature(self, name: str) -> list[str | None]:
        """Return the types of a method's result and parameters.

        @param string name  Full name of the method
        @return array result  Type of the result, then the types of the parameters
        """
        tags = gettags(self._documentation(name))
        results = [tag[2] for tag in tags if tag[1] == "return"]
        if not results:
            raise RPCError(Faults.SIGNATURE_UNSUPPORTED)
        return [results[0], *(tag[2] for tag in tags if tag[1] == "param")]

    @quicker(_multicall_as_xml)
    def multicall(self, calls: list[dict[str, Any]]) -> Any:
        """Make several calls, one after the other, in one request.

        @param array calls  Structs with `methodName` (string) and `params` (array)
        @return array result  The result of each call, or its fault as a struct
        """
        return multicall.values(self._call, calls, self._pace())


# -- the handler ---------------------------------------------------------------


def xmlrpc_marshal(value: Any) -> str:
    """Return the response document for a value or an `xmlrpclib.Fault`."""
    if hasattr(value, "faultCode"):
        return xmlrpc_codec.fault(value.faultCode, value.faultString)
    return xmlrpc_codec.response(value)


class supervisor_xmlrpc_handler(Handler):
    """Handler of /RPC2: responds at once, or when a deferred function returns a value."""

    path = xmlrpc_codec.RPC_PATH

    def __init__(self, supervisord: Daemon, subinterfaces: Iterable[tuple[str, object]]) -> None:
        self.supervisord = supervisord
        self.rpcinterface = RootRPCInterface(subinterfaces)

    def match(self, request: Request) -> bool:
        """Whether the path begins with `/RPC2`."""
        return request.uri.startswith(self.path)

    def respond(self, request: Request) -> Reply:
        """Return the response to a request."""
        if request.command != "POST":
            return error_response(400)
        if not (request.get_header("content-length") or request.get_header("transfer-encoding")):
            return error_response(411)
        return self._respond_to(request.body)

    def _respond_to(self, data: bytes) -> Reply:
        """Return the response to the call in `data`."""
        try:
            method, params = xmlrpc_codec.parse_call(data)
        except ValueError:
            return self._refusal(data, "unmarshallable")
        if not method:
            return self._refusal(data, "no method name")
        logger = self._logger
        # Check the level first: formatting the line would take longer than the call itself.
        is_traced = logger.level <= LevelsByName.TRAC
        if is_traced:
            method_shown = one_line(method, LOGGED_METHOD_CHARS)
            logger.trace(f"XML-RPC method called: {method_shown}()")
        try:
            value = self.call(method, params)
            if is_traced:
                logger.trace(f"XML-RPC method {method_shown}() returned successfully")
            return self._deferred(data, value) if callable(value) else _result_response(value)
        except RPCError as error:
            return self._fault(method, error)
        except Exception:  # noqa: BLE001 - the method may be a plugin's
            return self._failure(data)

    def call(self, method: str, params: Sequence[Any]) -> Any:
        """Call a method, in its faster variant if it has one; see `traverse`."""
        function = public_method(vars(self.rpcinterface), method)
        quicker_form = _form(function, "quicker")
        if quicker_form is not None:
            return _result(quicker_form, params)
        return _call(function, params)

    def _deferred(self, data: bytes, poll: Deferred) -> DeferredReply:
        def on_error(error: Exception) -> Response:
            if isinstance(error, RPCError):
                return _fault_response(error)
            return self._failure(data)

        return DeferredReply(poll, _result_response, on_error)

    def _fault(self, method: str, error: RPCError) -> Response:
        if self._logger.level <= LevelsByName.TRAC:
            text = one_line(error.text, LOGGED_BYTES)
            method = one_line(method, LOGGED_METHOD_CHARS)
            self._logger.trace(f"XML-RPC method {method}() returned fault: [{error.code}] {text}")
        if error.__cause__ is not None:
            self._logger.debug(exception_text())
        return _fault_response(error)

    def _failure(self, data: bytes) -> Response:
        """Log the exception being handled: it is a bug of Supervisor or a plugin."""
        self._logger.critical(
            f"Handling XML-RPC request with data {_excerpt(data)} raised an unexpected"
            f" exception: {exception_text()}"
        )
        return error_response(500)

    def _refusal(self, data: bytes, reason: str) -> Response:
        self._logger.error(f"XML-RPC request data {_excerpt(data)} is invalid: {reason}")
        return error_response(400)

    @property
    def _logger(self) -> Logger:
        return self.supervisord.runtime.logger


def _result_response(value: Any) -> Response:
    if isinstance(value, xmlrpc_codec.Pieces):
        return _document(xmlrpc_codec.response_in_pieces(value))
    return _document([xmlrpc_marshal(value).encode()])


def _fault_response(error: RPCError) -> Response:
    return _document([xmlrpc_codec.fault(error.code, error.text).encode()])


def _document(pieces: list[bytes]) -> Response:
    return Response(200, {"Content-Type": "text/xml"}, pieces)


def _excerpt(data: bytes) -> str:
    return repr(data[:LOGGED_BYTES].decode(errors="replace"))
