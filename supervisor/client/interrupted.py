"""Starts and stops whose response is lost, because the daemon has replaced itself meanwhile.

Its successor goes on with them.  The request is sent once more: if the first one has had its
effect already, its response is found out.
"""

from __future__ import annotations

import time

from supervisor.common.faults import Faults
from supervisor.states import ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Call = Callable[..., Any]

POLL_SECONDS = 0.2
"""Time between two queries for the state of a process that is starting."""


def call_again(call: Call, method: str, params: tuple[Any, ...]) -> Any:
    """Return the response to a `start...` or `stop...` that has been sent before.

    `call` calls a method with its parameters.  Raises what it raises.
    """
    import xmlrpc.client

    try:
        return call(method, *params)
    except xmlrpc.client.Fault as fault:
        name = method.rpartition(".")[2]
        if name == "stopProcess" and fault.faultCode == Faults.NOT_RUNNING:
            return True
        if name == "startProcess" and fault.faultCode == Faults.ALREADY_STARTED:
            return _result_of_start(call, str(params[0]))
        raise


def _result_of_start(call: Call, name: str) -> bool:
    """Wait while a process starts; raises the fault ABNORMAL_TERMINATION if that has failed."""
    import xmlrpc.client

    while (state := call("supervisor.getProcessInfo", name)["state"]) == ProcessStates.STARTING:
        time.sleep(POLL_SECONDS)
    if state != ProcessStates.RUNNING:
        code = Faults.ABNORMAL_TERMINATION
        raise xmlrpc.client.Fault(code, f"ABNORMAL_TERMINATION: {name}")
    return True
