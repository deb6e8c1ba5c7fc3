"""The history of one process: its last transitions with their reasons, its last exit, counters.

`lifecycle` reports every transition.  Code that knows more than the new state does calls
`explain` just before it causes the transition.  Times are wall-clock seconds, for users.
"""

from __future__ import annotations

import os

from supervisor.common.requester import requester
from supervisor.engine.posix import decode_wait_status
from supervisor.states import ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final, TypeAlias

    Transition: TypeAlias = tuple[float, int, str]
    """Time, state (one of `ProcessStates`) and reason."""

MAX_TRANSITIONS: Final = 8
"""Number of transitions that are kept: two restarts, or one with a failed start."""

MAX_RESTART_TIMES: Final = 99
"""Number of automatic starts whose times are kept."""

# State -> its reason, unless more is known; a request is followed by its client.
REASONS: Final = {
    ProcessStates.STARTING: "start requested",
    ProcessStates.RUNNING: "up for startsecs",
    ProcessStates.STOPPING: "stop requested",
    ProcessStates.STOPPED: "stop requested",
    ProcessStates.FATAL: "gave up",
    ProcessStates.UNKNOWN: "cannot be signalled",
}

NO_TRANSITION: Final[Transition] = (0.0, ProcessStates.STOPPED, "")


class History:
    """The last transitions and the last exit of one process, and the number of its starts.

    `starts` counts all starts; `restarts` counts the automatic ones after an exit or a failed
    start, and `restarted_at` has the times of the last ones since another start: by then a user
    has seen to their cause.
    """

    __slots__ = (
        "_is_restart",
        "_next_reason",
        "exited_at",
        "restarted_at",
        "restarts",
        "starts",
        "stop_reason",
        "transitions",
        "wait_status",
        "was_stopped",
    )

    def __init__(self) -> None:
        self.transitions: tuple[Transition, ...] = ()
        self.starts = 0
        self.restarts = 0
        self.restarted_at: tuple[float, ...] = ()
        self.exited_at = 0.0
        """Time of the last exit in wall-clock seconds, 0 if there has been none."""
        self.wait_status = 0
        """Status of the last exit from `waitpid`, if there has been one."""
        self.was_stopped = False
        """Whether the last exit was the end of a stop, and not the program's own."""
        self.stop_reason = ""
        """Reason of that stop if the daemon has decided it, "" after a request."""
        self._next_reason = ""
        self._is_restart = False

    # -- what happens -------------------------------------------------------------

    def explain(self, reason: str) -> None:
        """Set the reason of the transition that follows."""
        self._next_reason = reason

    def entered(self, state: int, now: float, spawnerr: str | None) -> None:
        """Add a transition; `spawnerr` is the reason of a failed start."""
        reason = self._next_reason or self._default_reason(state, spawnerr)
        self._next_reason = ""
        self.transitions = (*self.transitions[1 - MAX_TRANSITIONS :], (now, state, reason))
        if state == ProcessStates.STARTING:
            self.starts += 1
            if not self._is_restart:
                self.restarted_at = ()
            self._is_restart = False

    def restarted(self, now: float) -> None:
        """Count the automatic start that follows, after an exit or a failed start."""
        self.restarts += 1
        self._is_restart = True
        self.restarted_at = (*self.restarted_at[1 - MAX_RESTART_TIMES :], now)

    def exited(self, wait_status: int, now: float, *, is_stop: bool = False) -> None:
        """Note the end of the child, with its status from `waitpid`; `is_stop` after a stop."""
        self.wait_status = wait_status
        self.exited_at = now
        self.was_stopped = is_stop
        self.stop_reason = self._planned_reason() if is_stop else ""

    def _planned_reason(self) -> str:
        """Return the reason of the stop in progress if it is no request, else ""."""
        _, state, reason = self.transitions[-1] if self.transitions else NO_TRANSITION
        is_planned = state == ProcessStates.STOPPING and not reason.startswith(REASONS[state])
        return reason if is_planned else ""

    def _default_reason(self, state: int, spawnerr: str | None) -> str:
        if state == ProcessStates.BACKOFF:
            return spawnerr or ""
        was_up = self.transitions and self.transitions[-1][1] != ProcessStates.BACKOFF
        is_end = state == ProcessStates.STOPPED and was_up
        if (is_end or state == ProcessStates.EXITED) and self.exited_at:
            return decode_wait_status(self.wait_status)[1]
        reason = REASONS.get(state, "")
        client = requester() if reason.endswith("requested") else ""
        return f"{reason} by {client}" if client else reason

    # -- what is known ------------------------------------------------------------

    @property
    def changed_at(self) -> float:
        """Time of the last transition in wall-clock seconds, 0 if there has been none."""
        return self.transitions[-1][0] if self.transitions else 0.0

    @property
    def last_signal(self) -> int:
        """Number of the signal that ended the last run, 0 if it was no signal."""
        return os.WTERMSIG(self.wait_status) if os.WIFSIGNALED(self.wait_status) else 0

    def was_expected(self, exitcodes: list[int]) -> bool:
        """Whether there has been an exit, and the code of the last one is in `exitcodes`."""
        return bool(self.exited_at) and decode_wait_status(self.wait_status)[0] in exitcodes

    def last_exit(self, exitcodes: list[int]) -> dict[str, Any]:
        """Return the struct of the last exit; it is `expected` if its code is in `exitcodes`.

        An exit after a stop is `stopped`, with any code.  `at` is 0 if there has been none.
        """
        code, reason = decode_wait_status(self.wait_status)
        has_exited = bool(self.exited_at)
        return {
            "code": code,
            "signal": self.last_signal,
            "expected": self.was_expected(exitcodes),
            "core": os.WIFSIGNALED(self.wait_status) and os.WCOREDUMP(self.wait_status),
            "stopped": self.was_stopped,
            "stop_reason": self.stop_reason,
            "reason": reason if has_exited else "",
            "at": self.exited_at,
        }

    # -- to save it ---------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the history as JSON values."""
        return {
            "transitions": [list(each) for each in self.transitions],
            "starts": self.starts,
            "restarts": self.restarts,
            "restarted_at": list(self.restarted_at),
            "wait_status": self.wait_status,
            "exited_at": self.exited_at,
            "was_stopped": self.was_stopped,
            "stop_reason": self.stop_reason,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a history that `snapshot` has returned; unknown keys are ignored."""
        self.transitions = tuple(
            (at, state, reason) for at, state, reason in saved.get("transitions", ())
        )
        self.starts = saved.get("starts", 0)
        self.restarts = saved.get("restarts", 0)
        self.restarted_at = tuple(saved.get("restarted_at", ()))
        self.wait_status = saved.get("wait_status", 0)
        self.exited_at = saved.get("exited_at", 0.0)
        self.was_stopped = saved.get("was_stopped", False)
        self.stop_reason = saved.get("stop_reason", "")
