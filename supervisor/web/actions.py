"""The actions of the buttons, and the messages that report their results.

Each action is a deferred function that returns a message for the user.  Messages of
Supervisor 4.3 are unchanged, because scripts parse them in the redirect.
"""

from __future__ import annotations

import time

from supervisor.common.faults import Faults, RPCError
from supervisor.common.records import record
from supervisor.engine.deferred import NOT_DONE_YET, derived, in_sequence
from supervisor.rpc.control import is_not_running, is_to_be_stopped, make_allfunc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from supervisor.engine.deferred import Deferred
    from supervisor.rpc.lookup import Member
    from supervisor.rpcinterface import SupervisorNamespaceRPCInterface

    Step = Callable[[], Any]


@record(frozen=True)
class Action:
    """Label of a button, scope of its action, and whether the user must confirm it."""

    label: str
    scope: str
    asks_first: bool = False


ACTIONS: Final = {
    "start": Action("Start", "process"),
    "stop": Action("Stop", "process", asks_first=True),
    "restart": Action("Restart", "process", asks_first=True),
    "clearlog": Action("Clear Log", "process", asks_first=True),
    "startgroup": Action("Start", "group"),
    "stopgroup": Action("Stop", "group", asks_first=True),
    "restartgroup": Action("Restart", "group", asks_first=True),
    "startall": Action("Start All", "all"),
    "stopall": Action("Stop All", "all", asks_first=True),
    "restartall": Action("Restart All", "all", asks_first=True),
    "refresh": Action("Refresh", "page"),
}

START_FAULTS: Final = {
    Faults.NO_FILE: "no such file",
    Faults.NOT_EXECUTABLE: "file not executable",
    Faults.ALREADY_STARTED: "already started",
    Faults.SPAWN_ERROR: "spawn error",
    Faults.ABNORMAL_TERMINATION: "abnormal termination",
}

TROUBLE: Final = ("ERROR", "unexpected rpc fault", "No such", "No process", "Unknown action")
"""Beginnings of the messages that report a failure."""

SHOWN_FAILURES: Final = 5
"""Maximum number of failed processes that a message lists."""


def is_trouble(text: str) -> bool:
    """Whether a message reports a failure."""
    return text.startswith(TROUBLE) or "; failed: " in text


def make_action(rpc: SupervisorNamespaceRPCInterface, action: str, name: str) -> Deferred:
    """Return the deferred function of an action; `name` is its process or group."""
    return _MAKERS[action](rpc, name)


def make_action_on(
    rpc: SupervisorNamespaceRPCInterface, action: str, processes: list[Member]
) -> Deferred:
    """Return the deferred function of `startall`, `stopall` or `restartall` for some processes."""

    def stop() -> Deferred:
        return make_allfunc(processes, is_to_be_stopped, rpc.stopProcess)

    def start() -> Deferred:
        return make_allfunc(processes, is_not_running, rpc.startProcess)

    steps, done = {
        "startall": ([start], "started"),
        "stopall": ([stop], "stopped"),
        "restartall": ([stop, start], "restarted"),
    }[action]
    return _on_several(steps, f"{shown_processes(len(processes))} {done}")


def shown_processes(count: int) -> str:
    """Return a phrase for the scope of a filtered action."""
    return f"{count} shown process{'' if count == 1 else 'es'}"


def run_steps(
    steps: list[Step],
    message_of: Callable[[list[Any]], str],
    error_text: Callable[[RPCError], str] | None = None,
) -> Deferred:
    """Return a deferred function that runs steps and returns a message about the results.

    Supvisors polls once itself to look at the message, and leaves the next poll to us, so
    the message is kept.
    """
    pending = in_sequence(steps)
    message: str | None = None

    def poll() -> Any:
        nonlocal message
        if message is None:
            try:
                results = pending()
            except RPCError as error:
                message = (error_text or fault_text)(error)
            else:
                if results is NOT_DONE_YET:
                    return NOT_DONE_YET
                message = message_of(results)
        return message

    return derived(pending, poll)


def fault_text(error: RPCError) -> str:
    """Return the message for a fault that has no specific one."""
    return f"unexpected rpc fault [{error.code}] {error.text}"


def _start_complaint(name: str) -> Callable[[RPCError], str]:
    def complain(error: RPCError) -> str:
        return f"ERROR: Process {name}: {START_FAULTS.get(error.code) or fault_text(error)}"

    return complain


def _unless_it_does_not_run(step: Step) -> Step:
    """Return a step that treats NOT_RUNNING as success."""

    def begin() -> Any:
        try:
            return step()
        except RPCError as error:
            if error.code != Faults.NOT_RUNNING:
                raise
            return True

    return begin


# -- one process ---------------------------------------------------------------


def _start(rpc: SupervisorNamespaceRPCInterface, name: str) -> Deferred:
    steps = [lambda: rpc.startProcess(name)]
    return run_steps(steps, lambda _: f"Process {name} started", _start_complaint(name))


def _stop(rpc: SupervisorNamespaceRPCInterface, name: str) -> Deferred:
    return run_steps([lambda: rpc.stopProcess(name)], lambda _: f"Process {name} stopped")


def _restart(rpc: SupervisorNamespaceRPCInterface, name: str) -> Deferred:
    steps = [
        _unless_it_does_not_run(lambda: rpc.stopProcess(name)),
        lambda: rpc.startProcess(name),
    ]
    return run_steps(steps, lambda _: f"Process {name} restarted", _start_complaint(name))


def _clear_log(rpc: SupervisorNamespaceRPCInterface, name: str) -> Deferred:
    return run_steps([lambda: rpc.clearProcessLog(name)], lambda _: f"Log for {name} cleared")


# -- several processes ---------------------------------------------------------


def _start_group(rpc: SupervisorNamespaceRPCInterface, name: str) -> Deferred:
    return _on_several([lambda: rpc.startProcessGroup(name)], f"Group {name} started")


def _stop_group(rpc: SupervisorNamespaceRPCInterface, name: str) -> Deferred:
    return _on_several([lambda: rpc.stopProcessGroup(name)], f"Group {name} stopped")


def _restart_group(rpc: SupervisorNamespaceRPCInterface, name: str) -> Deferred:
    steps: list[Step] = [lambda: rpc.stopProcessGroup(name), lambda: rpc.startProcessGroup(name)]
    return _on_several(steps, f"Group {name} restarted")


def _start_all(rpc: SupervisorNamespaceRPCInterface, _name: str) -> Deferred:
    return _on_several([rpc.startAllProcesses], "All started")


def _stop_all(rpc: SupervisorNamespaceRPCInterface, _name: str) -> Deferred:
    return _on_several([rpc.stopAllProcesses], "All stopped")


def _restart_all(rpc: SupervisorNamespaceRPCInterface, _name: str) -> Deferred:
    return _on_several([rpc.stopAllProcesses, rpc.startAllProcesses], "All restarted")


def _refresh(_rpc: SupervisorNamespaceRPCInterface, _name: str) -> Deferred:
    return run_steps([], lambda _: f"Page refreshed at {time.ctime()}")


def _on_several(steps: list[Step], done: str) -> Deferred:
    """Return a deferred function whose message has the time and the failed processes."""

    def tell(results: list[Any]) -> str:
        return f"{done} at {time.ctime()}{_failures(results[-1])}"

    return run_steps(steps, tell)


def _failures(structs: list[dict[str, Any]]) -> str:
    failed = [
        f"{struct['name']} ({START_FAULTS.get(struct['status']) or struct['description']})"
        for struct in structs
        if struct["status"] != Faults.SUCCESS
    ]
    if not failed:
        return ""
    more = len(failed) - SHOWN_FAILURES
    if more > 0:
        failed[SHOWN_FAILURES:] = [f"{more} more"]
    return f"; failed: {', '.join(failed)}"


_MAKERS: Final = {
    "start": _start,
    "stop": _stop,
    "restart": _restart,
    "clearlog": _clear_log,
    "startgroup": _start_group,
    "stopgroup": _stop_group,
    "restartgroup": _restart_group,
    "startall": _start_all,
    "stopall": _stop_all,
    "restartall": _restart_all,
    "refresh": _refresh,
}
