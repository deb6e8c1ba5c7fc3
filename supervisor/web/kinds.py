"""The kind of each process: trouble or not, by its state, last exit, restarts and dependencies.

The kind decides the appearance of a process, its place in the order of urgency, and the filter.
"""

from __future__ import annotations

from supervisor.states import ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Final

    from supervisor.process.child import Subprocess
    from supervisor.rpc.lookup import Member

FLAPPING_SECONDS: Final = 600
FLAPPING_RESTARTS: Final = 3
"""A program with this many automatic restarts in `FLAPPING_SECONDS` is shown as trouble."""

CALM_SECONDS: Final = 120
"""A program that has been RUNNING for as long, and longer than its last runs, is not flapping."""

MAX_WAITS: Final = 16
"""Bound of the search for the failure that holds up a process: chains may be long."""

KINDS: Final = ("bad", "flapping", "busy", "ok", "off")
"""Kinds of processes, in order of urgency."""

TROUBLED_KINDS: Final = ("bad", "flapping")

STATE_KINDS: Final = {
    ProcessStates.STOPPED: "off",
    ProcessStates.STARTING: "busy",
    ProcessStates.RUNNING: "ok",
    ProcessStates.BACKOFF: "bad",
    ProcessStates.STOPPING: "busy",
    ProcessStates.EXITED: "off",
    ProcessStates.FATAL: "bad",
    ProcessStates.UNKNOWN: "bad",
}
"""State -> its kind, unless more than the state is known."""

UP_STATES: Final = (ProcessStates.STARTING, ProcessStates.RUNNING)


def state_kind(state: int) -> str:
    """Return the kind of a state; one that a plugin has made up is trouble."""
    return STATE_KINDS.get(state, "bad")


def present_kind(process: Subprocess) -> str:
    """Return the kind of a process by its state, and by the reason of that state.

    An exit with an unexpected status is trouble, unless a user has ended the pause after it, and
    so is a wait for a process that has failed; a wait for one that was stopped is not.
    """
    kind = _own_kind(process)
    return "bad" if kind == "off" and _waits_in_vain(process) else kind


def _own_kind(process: Subprocess) -> str:
    state = process.get_state()
    if state == ProcessStates.EXITED and not process.administrative_stop:
        history = process.history
        if history.exited_at and not history.was_expected(process.config.exitcodes):
            return "bad"
    return state_kind(state)


def _waits_in_vain(process: Subprocess) -> bool:
    """Whether a wanted start waits for a failed process, or for one that waits for such a one."""
    waiting: list[Any] = [process]
    for _ in range(MAX_WAITS):
        if not waiting:
            break
        gate = waiting.pop().starts.gate
        for unmet in gate.unmet() if gate is not None and gate.is_hopeless else ():
            target: Any = unmet.target
            if target is None or _own_kind(target) == "bad":
                return True
            waiting.append(target)
    return False


def flaps_until(process: Subprocess) -> float:
    """Return until when a process counts as flapping, in wall-clock seconds; 0 if it does not.

    That holds for programs that are up, or come up again by themselves.  It ends early for one that
    has been RUNNING for longer than its last runs together, since it is likely to stay up.
    """
    restarts = process.history.restarted_at
    if len(restarts) < FLAPPING_RESTARTS:
        return 0.0
    first, last = restarts[-FLAPPING_RESTARTS], restarts[-1]
    until = first + FLAPPING_SECONDS
    if process.state == ProcessStates.RUNNING:
        until = min(until, last + max(last - first, CALM_SECONDS))
    if until <= process.runtime.clock.time():
        return 0.0
    comes_up = process.state == ProcessStates.EXITED and process.starts.is_wanted
    return until if comes_up or process.state in UP_STATES else 0.0


def kind_of(member: Member) -> str:
    """Return the kind of a process."""
    return "flapping" if flaps_until(member[1]) else present_kind(member[1])


def numbers_by_kind(every: Iterable[Member]) -> dict[str, int]:
    """Return the number of processes of each kind."""
    numbers = dict.fromkeys(KINDS, 0)
    for member in every:
        numbers[kind_of(member)] += 1
    return numbers
