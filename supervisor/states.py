"""Process, supervisor and listener states, and their valid transitions.

This file describes the life cycle of a process as data.  `Subprocess.change_state` checks
against `TRANSITIONS`, and the state diagram in the documentation is generated from it.
"""


class ProcessStates:
    """Process states, with the numbers that XML-RPC clients receive."""

    STOPPED = 0
    STARTING = 10
    RUNNING = 20
    BACKOFF = 30
    STOPPING = 40
    EXITED = 100
    FATAL = 200
    UNKNOWN = 1000


class SupervisorStates:
    """Daemon states, with the numbers that `getState` returns."""

    FATAL = 2
    RUNNING = 1
    RESTARTING = 0
    SHUTDOWN = -1


class EventListenerStates:
    """Listener states in the READY/RESULT protocol."""

    READY = 10
    BUSY = 20
    ACKNOWLEDGED = 30
    UNKNOWN = 40


STOPPED_STATES = (
    ProcessStates.STOPPED,
    ProcessStates.EXITED,
    ProcessStates.FATAL,
    ProcessStates.UNKNOWN,
)
RUNNING_STATES = (ProcessStates.RUNNING, ProcessStates.BACKOFF, ProcessStates.STARTING)
SIGNALLABLE_STATES = (ProcessStates.RUNNING, ProcessStates.STARTING, ProcessStates.STOPPING)

# State -> the states that may follow it.  Every state may change to UNKNOWN (kill() failed);
# only a new start leaves it.
TRANSITIONS = {
    ProcessStates.STOPPED: frozenset(
        {ProcessStates.STARTING, ProcessStates.FATAL, ProcessStates.UNKNOWN}
    ),
    ProcessStates.STARTING: frozenset(
        {
            ProcessStates.RUNNING,
            ProcessStates.BACKOFF,
            ProcessStates.STOPPING,
            ProcessStates.UNKNOWN,
        }
    ),
    ProcessStates.RUNNING: frozenset(
        {ProcessStates.STOPPING, ProcessStates.EXITED, ProcessStates.UNKNOWN}
    ),
    ProcessStates.BACKOFF: frozenset(
        {
            ProcessStates.STARTING,
            ProcessStates.STOPPED,
            ProcessStates.FATAL,
            ProcessStates.UNKNOWN,
        }
    ),
    ProcessStates.STOPPING: frozenset({ProcessStates.STOPPED, ProcessStates.UNKNOWN}),
    ProcessStates.EXITED: frozenset(
        {ProcessStates.STARTING, ProcessStates.FATAL, ProcessStates.UNKNOWN}
    ),
    ProcessStates.FATAL: frozenset({ProcessStates.STARTING, ProcessStates.UNKNOWN}),
    ProcessStates.UNKNOWN: frozenset({ProcessStates.STARTING}),
}


def _names_by_code(states: type) -> dict[int, str]:
    return {code: name for name, code in vars(states).items() if name.isupper()}


_process_states_by_code = _names_by_code(ProcessStates)
_supervisor_states_by_code = _names_by_code(SupervisorStates)
_eventlistener_states_by_code = _names_by_code(EventListenerStates)


def getProcessStateDescription(code: int) -> str | None:
    """Return the name of a process state, or None for an unknown number."""
    return _process_states_by_code.get(code)


def getSupervisorStateDescription(code: int) -> str | None:
    """Return the name of a supervisor state, or None for an unknown number."""
    return _supervisor_states_by_code.get(code)


def getEventListenerStateDescription(code: int) -> str | None:
    """Return the name of a listener state, or None for an unknown number."""
    return _eventlistener_states_by_code.get(code)
