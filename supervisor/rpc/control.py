"""Starting, stopping and signalling: one process, a group, or all.

Each function implements the RPC method of the same name and returns its value, or a deferred
function if the caller wants to wait.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress

from supervisor.common.faults import Faults, RPCError
from supervisor.common.namespec import make_namespec
from supervisor.config.hooks import PRE_START
from supervisor.config.process_config import full_config
from supervisor.datatypes import signal_number
from supervisor.engine.deferred import (
    NOT_DONE_YET,
    Deferred,
    deferred,
    derived,
    gather,
    run_at_once,
)
from supervisor.engine.posix import NotFound, ProcessException
from supervisor.process.dependencies import request_with_dependencies
from supervisor.process.stop_order import StopOrder
from supervisor.states import RUNNING_STATES, SIGNALLABLE_STATES, STOPPED_STATES, ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from supervisor.process.child import Subprocess
    from supervisor.process.groups import ProcessGroupBase
    from supervisor.rpc.lookup import Member


def is_running(process: Subprocess) -> bool:
    """Whether the process runs, or is being started."""
    return process.get_state() in RUNNING_STATES


def is_not_running(process: Subprocess) -> bool:
    """Whether the process neither runs nor waits for its start."""
    return not is_running(process) and not process.starts.is_waiting


def is_already_started(process: Subprocess) -> bool:
    """Whether `start` raises ALREADY_STARTED.

    The first request of a client for a process that waits since the boot, or that was started for
    a dependent, joins that start.
    """
    if is_not_running(process) or process.starts.origin.is_dependent:
        return False
    return is_running(process) or process.starts.origin.is_client


def to_be_started(
    members: Iterable[Member], is_down: Callable[[Subprocess], bool] = is_not_running
) -> Callable[[Subprocess], bool]:
    """Return the predicate of processes that a start of several has to start or to wait for.

    It adds to those that are down the ones that one of them pulls in before their turn.
    """
    down = {id(process) for _, process in members if not is_running(process)}

    def is_to_be_started(process: Subprocess) -> bool:
        if is_down(process):
            return True
        may_be_joined = id(process) in down or not is_running(process)
        return may_be_joined and not is_already_started(process)

    return is_to_be_started


def is_to_be_stopped(process: Subprocess) -> bool:
    """Whether `stop` has to stop the process or to wait for it.

    The process is running, waits for its start, or is stopping.
    """
    return (
        is_running(process) or process.awaits_start or process.get_state() == ProcessStates.STOPPING
    )


def is_signallable(process: Subprocess) -> bool:
    """Whether a signal can be sent to the process."""
    return process.get_state() in SIGNALLABLE_STATES


def start(process: Subprocess, name: str, *, wait: bool, alone: bool = False) -> bool | Deferred:
    """Start one process, after a stop in progress, if any; see `startProcess`.

    Its dependencies are started first, unless it is started `alone`, which also ends a wait.
    """
    _check_command(process)
    if is_running(process) if alone else is_already_started(process):
        raise RPCError(Faults.ALREADY_STARTED, name)
    if process.get_state() == ProcessStates.UNKNOWN:
        raise RPCError(Faults.FAILED, f"{name} is in an unknown process state")
    process.starts.origin.claim()
    if not is_running(process):
        _begin_start(process, name, alone=alone)
    elif process.starts.is_queued:  # for a dependent
        process.starts.request()
    if not wait or process.get_state() == ProcessStates.RUNNING:
        return True
    return _until_started(process, name)


def _begin_start(process: Subprocess, name: str, *, alone: bool) -> None:
    if not alone and process.starts.has_closed_gate:
        request_with_dependencies(process)
    elif process.get_state() == ProcessStates.STOPPING or process.starts.held_by:
        process.starts.request(alone=alone)
    else:
        process.starts.restarts.started_by_hand()
        process.spawn()
        if process.spawnerr:
            raise RPCError(Faults.SPAWN_ERROR, name)
        process.transition()


def _check_command(process: Subprocess) -> None:
    """Refuse to start a command that does not exist, unless a hook may create it."""
    if PRE_START in full_config(process.config).hooks.names:
        return
    try:
        process.get_execv_args()
    except NotFound as reason:
        raise RPCError(Faults.NO_FILE, reason) from None
    except ProcessException as reason:
        raise RPCError(Faults.NOT_EXECUTABLE, reason) from None


def _until_started(process: Subprocess, name: str) -> Deferred:
    def has_started() -> Any:
        if process.start_requested and process.runtime.may_start:
            gate = process.starts.gate
            unmet = gate.hopeless() if gate is not None and process.starts.is_waiting else None
            if unmet is None:
                return NOT_DONE_YET
            process.starts.withdraw_request()
            text = f"{name}: dependency '{unmet.name}' is {unmet.text}"
            raise RPCError(Faults.SPAWN_ERROR, text)
        if process.spawnerr:
            raise RPCError(Faults.SPAWN_ERROR, name)
        state = process.get_state()
        if state not in (ProcessStates.STARTING, ProcessStates.RUNNING):
            raise RPCError(Faults.ABNORMAL_TERMINATION, name)
        return True if state == ProcessStates.RUNNING else NOT_DONE_YET

    return deferred(has_started, wake_sources=[process.changed])


def stop(process: Subprocess, name: str, *, wait: bool) -> bool | Deferred:
    """Stop one process, or wait for a stop in progress; see `stopProcess`."""
    if not is_to_be_stopped(process):
        raise RPCError(Faults.NOT_RUNNING, name)
    stopped = _until_stopped(process)
    if process.get_state() == ProcessStates.STOPPING:
        process.start_requested = False
        process.administrative_stop = True  # nothing follows that the daemon has planned
    elif failure := process.stop():
        raise RPCError(Faults.FAILED, failure)
    return stopped if wait and process.get_state() not in STOPPED_STATES else True


def in_order(members: Sequence[Member], stop_process: Callable[..., Any]) -> Callable[..., Any]:
    """Return `stop_process` for several processes: dependents stop before what they need."""
    processes = {
        make_namespec(group.config.name, process.config.name): process for group, process in members
    }
    order: StopOrder | None = None

    def stop_in_order(name: str, *, wait: bool = True) -> Any:
        nonlocal order
        process = processes[name]
        if order is None:
            order = StopOrder(processes.values(), process.runtime.loop)
        if not order.holds(process):
            return stop_process(name=name, wait=wait)
        order.stop_later(process, lambda: _stop_quietly(stop_process, name))
        return _until_stopped(process) if wait else True

    return stop_in_order


def _stop_quietly(stop_process: Callable[..., Any], name: str) -> None:
    with suppress(RPCError):  # it has ended meanwhile
        stop_process(name=name, wait=False)


def _until_stopped(process: Subprocess) -> Deferred:
    pid = process.pid

    def has_stopped() -> Any:
        process.stop_report()
        if process.get_state() in STOPPED_STATES or process.pid != pid:  # started again since
            return True
        return NOT_DONE_YET

    return deferred(has_stopped, wake_sources=[process.changed])


def send_signal(process: Subprocess, name: str, signal: str | int) -> bool:
    """Send a signal to one process; see `signalProcess`."""
    signum = parse_signal(signal)
    if not is_signallable(process):
        raise RPCError(Faults.NOT_RUNNING, name)
    failure = process.signal(signum)
    if failure:
        raise RPCError(Faults.FAILED, failure)
    return True


def parse_signal(signal: str | int) -> int:
    """Return the number of a signal given by name or number; raises `RPCError` BAD_SIGNAL."""
    try:
        return signal_number(signal)
    except ValueError:
        raise RPCError(Faults.BAD_SIGNAL, signal) from None


def make_allfunc(
    processes: Sequence[Member],
    predicate: Callable[[Subprocess], bool],
    func: Callable[..., Any],
    run: Callable[[Generator[None, None, None]], None] = run_at_once,
    **extra_kwargs: Any,
) -> Deferred:
    """Return a deferred function that calls `func` for the processes that match `predicate`.

    `run` may spread the calls over many iterations of the loop.

    `func` receives the namespec as `name` and may itself return a deferred function.  The
    result is a list of structs in the order of completion.
    """

    def source() -> Iterator[dict[str, Any] | Deferred]:
        for group, process in processes:
            if predicate(process):
                name = make_namespec(group.config.name, process.config.name)
                try:
                    value = func(name=name, **extra_kwargs)
                except RPCError as error:
                    yield _result(group, process, error)
                    continue
                if callable(value):
                    yield _with_result(group, process, value)
                else:
                    yield _result(group, process)

    return gather(source(), run)


def _with_result(group: ProcessGroupBase, process: Subprocess, function: Deferred) -> Deferred:
    """Return a deferred function with a result struct in place of the value or fault."""

    def poll() -> Any:
        try:
            value = function()
        except RPCError as error:
            return _result(group, process, error)
        return NOT_DONE_YET if value is NOT_DONE_YET else _result(group, process)

    return derived(function, poll)


def _result(
    group: ProcessGroupBase, process: Subprocess, error: RPCError | None = None
) -> dict[str, Any]:
    return {
        "name": process.config.name,
        "group": group.config.name,
        "status": Faults.SUCCESS if error is None else error.code,
        "description": "OK" if error is None else error.text,
    }


def send_stdin(process: Subprocess, name: str, chars: str | bytes) -> bool:
    """Write to a process's stdin; see `sendProcessStdin`."""
    if not process.pid or process.killing:
        raise RPCError(Faults.NOT_RUNNING, name)
    try:
        process.write(chars.encode() if isinstance(chars, str) else chars)
    except BrokenPipeError:
        raise RPCError(Faults.NO_FILE, name) from None
    except BlockingIOError as error:
        text = f"{name} does not read its stdin, {error.strerror}"
        raise RPCError(Faults.FAILED, text) from None
    except OSError:
        raise RPCError(Faults.FAILED, "unknown error") from None
    return True
