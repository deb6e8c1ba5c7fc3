"""Results of the daemon as the texts and exit statuses that scripts expect.

The commands and the controller use these tables.
"""

from __future__ import annotations

from supervisor.client import proxy
from supervisor.common.faults import Faults, getFaultDescription
from supervisor.common.namespec import make_namespec, split_namespec

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Mapping
    from typing import Any


class LSBInitExitStatuses:
    """Exit statuses of actions, from the Linux Standard Base's init scripts."""

    SUCCESS = 0
    GENERIC = 1
    INVALID_ARGS = 2
    UNIMPLEMENTED_FEATURE = 3
    INSUFFICIENT_PRIVILEGES = 4
    NOT_INSTALLED = 5
    NOT_RUNNING = 7


class LSBStatusExitStatuses:
    """Exit statuses of `status`, from the same standard."""

    NOT_RUNNING = 3
    UNKNOWN = 4


# Faults which mean that the program is not running.
DEAD_PROGRAM_FAULTS = (Faults.SPAWN_ERROR, Faults.ABNORMAL_TERMINATION, Faults.NOT_RUNNING)

NO_SUCH_PROCESS = {Faults.BAD_NAME: "ERROR (no such process)"}

START_RESULTS = {
    **NO_SUCH_PROCESS,
    Faults.NO_FILE: "ERROR (no such file)",
    Faults.NOT_EXECUTABLE: "ERROR (file is not executable)",
    Faults.ALREADY_STARTED: "ERROR (already started)",
    Faults.SPAWN_ERROR: "ERROR (spawn error)",
    Faults.ABNORMAL_TERMINATION: "ERROR (abnormal termination)",
    Faults.SUCCESS: "started",
}
SIGNAL_RESULTS = {
    **NO_SUCH_PROCESS,
    Faults.BAD_SIGNAL: "ERROR (bad signal name)",
    Faults.NOT_RUNNING: "ERROR (not running)",
    Faults.SUCCESS: "signalled",
}
STOP_RESULTS = {**SIGNAL_RESULTS, Faults.SUCCESS: "stopped"}
CLEAR_RESULTS = {
    **NO_SUCH_PROCESS,
    Faults.FAILED: "ERROR (failed)",
    Faults.SUCCESS: "cleared",
}
NO_LOG = {**NO_SUCH_PROCESS, Faults.NO_FILE: "ERROR (no log file)"}
ROTATE_RESULTS = {**NO_LOG, Faults.SUCCESS: "rotated"}
REOPEN_RESULTS = {**NO_LOG, Faults.SUCCESS: "reopened"}

NO_CONFIG_UPDATES = "No config updates to processes"

LOG_FAULTS = {
    Faults.NO_FILE: "ERROR (no log file)",
    Faults.FAILED: "ERROR (unknown error reading log)",
}
PROCESS_LOG_FAULTS = {**LOG_FAULTS, Faults.BAD_NAME: "ERROR (no such process name)"}

# Texts for connection errors.  The keys are names, because http.client is imported only to
# raise one of its exceptions.
CONNECTION_ERRORS = {
    "ConnectionRefusedError": "refused connection",
    "FileNotFoundError": "no such file",
    "IncompleteRead": "closed the connection before the end of its response",
    "RemoteDisconnected": "closed the connection without a response",
    "TimeoutError": "does not respond",
}


def result_of(method: Callable[..., Any], namespec: str, *args: Any) -> dict[str, Any]:
    """Call a method for one process; return its outcome as a group method reports it.

    The keys are `group`, `name`, `status` (a fault code or SUCCESS) and `description`.
    """
    try:
        method(namespec, *args)
    except proxy.Fault as fault:
        return _outcome(namespec, fault.faultCode, fault.faultString)
    return _outcome(namespec)


def results_of(method: Callable[..., Any], namespec: str) -> list[dict[str, Any]]:
    """Call a method that may concern several processes; return their outcomes.

    Raises the fault of a server that lacks the method.
    """
    try:
        value = method(namespec)
    except proxy.Fault as fault:
        if fault.faultCode == Faults.UNKNOWN_METHOD:
            raise
        outcome = _outcome(namespec, fault.faultCode, fault.faultString)
        return [outcome | {"name": outcome["name"] or "*"}]
    return value if isinstance(value, list) else [_outcome(namespec)]


def _outcome(namespec: str, status: int = Faults.SUCCESS, description: str = "") -> dict[str, Any]:
    group, name = split_namespec(namespec)
    return {"group": group, "name": name, "status": status, "description": description}


def result_text(result: Mapping[str, Any], texts: Mapping[int, str]) -> str:
    """Return the line for one process; `result` has `group`, `name`, `status`, `description`."""
    name = make_namespec(result["group"], result["name"])
    status: int = result["status"]
    text = texts.get(status)
    if text is None and status == Faults.FAILED:
        return str(result["description"])  # it already contains the process's name
    return f"{name}: {text or f'ERROR ({getFaultDescription(status)})'}"


def log_fault_text(fault: proxy.Fault, texts: Mapping[int, str]) -> str:
    """Return the error text for an unreadable log, with the reason if the server sends one."""
    _, name, reason = fault.faultString.partition("FAILED: ")
    return f"ERROR ({reason})" if name else texts[fault.faultCode]


def matches(info: Mapping[str, Any], namespec: str) -> bool:
    """Whether a namespec means a process, by its own name or its group's.

    `info` is a result of `getProcessInfo`.
    """
    group, process = split_namespec(namespec)
    return bool(info["group"] == group and process in {None, info["name"]})


def connection_error_text(error: BaseException) -> str:
    """Return the problem with an unusable server, to be printed after its URL."""
    known = CONNECTION_ERRORS.get(type(error).__name__)
    if known is not None:
        return known
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    if type(error).__name__ == "ProtocolError":
        return f"responded with {error.errcode} {error.errmsg}"  # type: ignore[attr-defined]
    # The socket module raises OSError without an errno.
    if isinstance(error, ValueError | OSError):
        return f"cannot be used: {error}"
    return f"sent an invalid response ({type(error).__name__}: {error})"
