"""`system.multicall`: several calls in one request, one after the other.

`xmlrpc` calls it.  For clients the results are kept as XML, which is compact and has a known size
before all calls are complete.  Callers inside the daemon receive values.
"""

from __future__ import annotations

from functools import partial

from supervisor.common import xmlrpc_codec
from supervisor.common.faults import Faults, RPCError
from supervisor.engine.deferred import NOT_DONE_YET, derived, in_sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final, TypeAlias

    Call: TypeAlias = "Callable[[str, list[Any]], Any]"
    Step: TypeAlias = "Callable[[], Any]"
    Take: TypeAlias = "Callable[[Step], Any]"

MAX_CALLS: Final = 10_000
"""Limit of calls in one `system.multicall`."""

MAX_RESULT_BYTES: Final = 64 * 1024 * 1024
"""Limit of the results of one `system.multicall` as XML; beyond it no more calls are made."""


def values(call: Call, calls: Any, take: Take) -> Any:
    """Return the results, or a deferred function; raises `RPCError`.

    `call` receives the name of a method and its parameters.  `take` takes a step of the sequence;
    it may return a deferred function for its value, so that other work of the loop comes between.
    """
    pending = in_sequence(_steps(call, calls, None, take))
    results = pending()
    return pending if results is NOT_DONE_YET else results


def as_xml(call: Call, calls: Any, take: Take) -> Any:
    """Return the results of `values` as `xmlrpc_codec.Pieces`."""
    pending = in_sequence(_steps(call, calls, Results(), take))

    def poll() -> Any:
        results = pending()
        return results if results is NOT_DONE_YET else xmlrpc_codec.Pieces(map(_element, results))

    results = poll()
    return derived(pending, poll) if results is NOT_DONE_YET else results


def _element(result: Any) -> bytes:
    return result if isinstance(result, bytes) else xmlrpc_codec.to_xml(result).encode()


class Results:
    """Results of one multicall as XML in UTF-8, up to a limit of their size."""

    def __init__(self) -> None:
        self._bytes = 0

    def check(self) -> None:
        """Raise `RPCError` if the limit is exceeded."""
        if self._bytes > MAX_RESULT_BYTES:
            raise RPCError(
                Faults.FAILED,
                f"not called: the results of system.multicall exceed {MAX_RESULT_BYTES} bytes",
            )

    def keep(self, value: Any) -> Any:
        """Return a result as XML; return one that has no XML-RPC type unchanged."""
        try:
            element = xmlrpc_codec.to_xml(value).encode()
        except TypeError:
            return value
        self._bytes += len(element)
        return element


def _steps(call: Call, calls: Any, results: Results | None, take: Take) -> list[Step]:
    """Return the calls as steps that convert their values by `results`; raises `RPCError`."""
    if not isinstance(calls, list) or not all(isinstance(request, dict) for request in calls):
        raise RPCError(Faults.INCORRECT_PARAMETERS)
    if len(calls) > MAX_CALLS:
        raise RPCError(Faults.BAD_ARGUMENTS, f"more than {MAX_CALLS} calls in system.multicall")
    return [partial(take, _step(call, request, results)) for request in calls]


def _step(call: Call, request: dict[str, Any], results: Results | None) -> Step:
    """Return one step of a multicall, which returns a value, or its fault as a struct."""

    def keep(value: Any) -> Any:
        return value if results is None or value is NOT_DONE_YET else results.keep(value)

    def begin() -> Any:
        name = request.get("methodName")
        if name is None:
            raise RPCError(Faults.INCORRECT_PARAMETERS, "No methodName")
        if name == "system.multicall":
            raise RPCError(Faults.INCORRECT_PARAMETERS, "Recursive system.multicall forbidden")
        if results is not None:
            results.check()
        value = call(str(name), request.get("params", ()))
        if not callable(value):
            return keep(value)
        return derived(value, _safely(lambda: keep(value())))

    return _safely(begin)


def _safely(function: Step) -> Step:
    """Return the function, with its exceptions converted to fault structs."""

    def call() -> Any:
        try:
            return function()
        except RPCError as error:
            return xmlrpc_codec.fault_struct(error.code, error.text)
        except Exception as error:  # noqa: BLE001 - a failed call must not affect the others
            text = f"FAILED: {type(error)}:{error}"
            return xmlrpc_codec.fault_struct(Faults.FAILED, text)

    return call
