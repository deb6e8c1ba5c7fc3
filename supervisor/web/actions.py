"""The actions of the buttons: one table, and the messages that report their results.

Each action is a deferred function that returns a message for the user.  Messages of
Supervisor 4.3 are unchanged, because scripts parse them in the redirect.
"""

from __future__ import annotations

import time
from functools import partial

from supervisor.common.faults import Faults, RPCError, refusal_in
from supervisor.common.records import record
from supervisor.engine.deferred import NOT_DONE_YET, derived, in_sequence
from supervisor.engine.start_queue import Pace
from supervisor.rpc.control import in_order, is_to_be_stopped, make_allfunc, to_be_started
from supervisor.web.language import ENGLISH, english

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from supervisor.engine.deferred import Deferred
    from supervisor.rpc.lookup import Member
    from supervisor.rpcinterface import SupervisorNamespaceRPCInterface

    Step = Callable[[], Any]


START_FAULTS: Final = {
    Faults.NO_FILE: english("message.no_file"),
    Faults.NOT_EXECUTABLE: english("message.not_executable"),
    Faults.ALREADY_STARTED: english("message.already_started"),
    Faults.SPAWN_ERROR: english("message.spawn_error"),
    Faults.ABNORMAL_TERMINATION: english("message.abnormal_termination"),
}

FAILURES: Final = ("ERROR", "unexpected rpc fault", "No such", "No process", "Unknown action")
"""Beginnings of the messages that report a failure."""

SHOWN_FAILURES: Final = 5
"""Maximum number of failed processes that a message lists."""


def reports_failure(message: str) -> bool:
    """Whether a message reports a failure."""
    return message.startswith(FAILURES) or "; failed: " in message


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
    return english("message.fault", code=error.code, reason=error.text)


def _start_failure(code: int, text: str) -> str:
    """Return the reason of a failed start, "" if only the text of the fault has it."""
    refusal = refusal_in(text) if code == Faults.SPAWN_ERROR else ""
    return refusal or START_FAULTS.get(code, "")


def _start_error(name: str) -> Callable[[RPCError], str]:
    def text(error: RPCError) -> str:
        reason = _start_failure(error.code, error.text) or fault_text(error)
        return english("message.start_error", name=name, reason=reason)

    return text


def _ignore_not_running(step: Step) -> Step:
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
    return run_steps(steps, lambda _: english("message.start", name=name), _start_error(name))


def _stop(rpc: SupervisorNamespaceRPCInterface, name: str) -> Deferred:
    steps = [lambda: rpc.stopProcess(name)]
    return run_steps(steps, lambda _: english("message.stop", name=name))


def _restart(rpc: SupervisorNamespaceRPCInterface, name: str) -> Deferred:
    steps = [
        _ignore_not_running(lambda: rpc.stopProcess(name)),
        lambda: rpc.startProcess(name),
    ]
    return run_steps(steps, lambda _: english("message.restart", name=name), _start_error(name))


def _clear_log(rpc: SupervisorNamespaceRPCInterface, name: str) -> Deferred:
    steps = [lambda: rpc.clearProcessLog(name)]
    return run_steps(steps, lambda _: english("message.clearlog", name=name))


def _refresh(_rpc: SupervisorNamespaceRPCInterface, _name: str) -> Deferred:
    return run_steps([], lambda _: english("message.refresh", time=time.ctime()))


# -- several processes ---------------------------------------------------------


def _on_group(verb: str, rpc: SupervisorNamespaceRPCInterface, name: str) -> Deferred:
    def start() -> Any:
        return rpc.startProcessGroup(name)

    def stop() -> Any:
        return rpc.stopProcessGroup(name)

    return _on_several(verb, "group", {"name": name}, start, stop)


def _on_all(verb: str, rpc: SupervisorNamespaceRPCInterface, _name: str) -> Deferred:
    return _on_several(verb, "all", {}, rpc.startAllProcesses, rpc.stopAllProcesses)


def _on_chosen(
    verb: str, rpc: SupervisorNamespaceRPCInterface, chosen: list[Member], choice: str
) -> Deferred:
    def start() -> Deferred:
        queue = rpc.supervisord.runtime.services.start_queue
        return make_allfunc(chosen, to_be_started(chosen), rpc.startProcess, queue.put)

    def stop() -> Deferred:
        pace = Pace(rpc.supervisord.runtime.loop)
        return make_allfunc(chosen, is_to_be_stopped, in_order(chosen, rpc.stopProcess), pace.run)

    subject = ENGLISH.count(f"message.{choice}", len(chosen))
    return _on_several(verb, "shown", {"subject": subject}, start, stop)


def _on_several(verb: str, scope: str, values: dict[str, str], start: Step, stop: Step) -> Deferred:
    """Return a deferred function whose message has the time and the failed processes.

    `scope` and `verb` select its text, which has further `values`.
    """
    steps = {"start": [start], "stop": [stop], "restart": [stop, start]}[verb]

    def message_of(results: list[Any]) -> str:
        message = english(f"message.{scope}_{verb}", time=time.ctime(), **values)
        failed = _failures(results[-1])
        return english("message.failed", message=message, failed=failed) if failed else message

    return run_steps(steps, message_of)


def _failures(structs: list[dict[str, Any]]) -> str:
    failed = []
    for struct in structs:
        code, text = struct["status"], struct["description"]
        if code != Faults.SUCCESS:
            failed.append(f"{struct['name']} ({_start_failure(code, text) or text})")
    more = len(failed) - SHOWN_FAILURES
    if more > 0:
        failed[SHOWN_FAILURES:] = [f"{more} more"]
    return ", ".join(failed)


# -- the table -----------------------------------------------------------------


@record(frozen=True)
class Action:
    """One action of the page; its label is the text `action.NAME`.

    `scope` is process, group, all or page.  `make` returns the deferred function of the action for
    the name of a process or group, `make_on` that for processes that are chosen: by the filter
    (`shown`), or one by one (`selected`).
    """

    scope: str
    make: Callable[[SupervisorNamespaceRPCInterface, str], Deferred]
    make_on: Callable[[SupervisorNamespaceRPCInterface, list[Member], str], Deferred] | None = None
    is_confirmed: bool = True

    @property
    def query_field(self) -> str:
        """The field of the URL: `ask` shows a confirmation first, `action` does not."""
        return "ask" if self.is_confirmed else "action"


def _action_on_all(verb: str, *, is_confirmed: bool = True) -> Action:
    make_on = partial(_on_chosen, verb)
    return Action("all", partial(_on_all, verb), make_on, is_confirmed=is_confirmed)


# Name in the URL -> action, in the order of the buttons.
ACTIONS: Final = {
    "start": Action("process", _start, is_confirmed=False),
    "restart": Action("process", _restart),
    "stop": Action("process", _stop),
    "clearlog": Action("process", _clear_log),
    "startgroup": Action("group", partial(_on_group, "start"), is_confirmed=False),
    "restartgroup": Action("group", partial(_on_group, "restart")),
    "stopgroup": Action("group", partial(_on_group, "stop")),
    "startall": _action_on_all("start", is_confirmed=False),
    "restartall": _action_on_all("restart"),
    "stopall": _action_on_all("stop"),
    "refresh": Action("page", _refresh, is_confirmed=False),
}


def actions_on(scope: str) -> list[str]:
    """Return the names of the actions of a scope, in the order of the buttons."""
    return [name for name, action in ACTIONS.items() if action.scope == scope]
