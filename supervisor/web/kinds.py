"""The kind of each process: trouble or not, by its state, its last exit and its restarts.

The kind decides the appearance of a process, its place in the order of urgency, and the filter.
"""

from __future__ import annotations

from supervisor.states import ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from supervisor.process.child import Subprocess
    from supervisor.rpc.lookup import Member

FLAPPING_SECONDS: Final = 600
FLAPPING_RESTARTS: Final = 3
"""A program with this many automatic restarts in `FLAPPING_SECONDS` is shown as trouble."""

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
    """Return the kind of a process by its state, and by its last exit if that is the state.

    An exit with an unexpected status is trouble, unless a user has ended the pause after it.
    """
    state = process.get_state()
    if state == ProcessStates.EXITED and not process.administrative_stop:
        history = process.history
        if history.exited_at and not history.was_expected(process.config.exitcodes):
            return "bad"
    return state_kind(state)


def flaps_until(process: Subprocess) -> float:
    """Return until when a process counts as flapping, in wall-clock seconds; 0 if it does not.

    That holds for programs that are up, or come up again by themselves.
    """
    restarts = process.history.restarted_at
    if len(restarts) < FLAPPING_RESTARTS:
        return 0.0
    until = restarts[-FLAPPING_RESTARTS] + FLAPPING_SECONDS
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
