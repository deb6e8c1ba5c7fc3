"""A stop that the daemon has decided itself, and the state that follows it.

A program that fails its checks is stopped like any other, but does not stay STOPPED: it is
restarted, as after a crash, or becomes FATAL.  A request by a client replaces the plan.  Pure.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class PlannedStop:
    """The plan of one process for the time after its stop, if there is one."""

    __slots__ = ("gives_up", "is_timeout", "reason")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget the plan: the process is being started."""
        self.reason = ""
        """Why the process is stopped, for users; "" without a plan."""
        self.gives_up = False
        """Whether the process becomes FATAL, and is not restarted."""
        self.is_timeout = False
        """Whether a check has ended the run, as far as the exit status of the daemon goes."""

    def make(self, reason: str, *, gives_up: bool = False, is_timeout: bool = False) -> None:
        """Plan what follows a stop."""
        self.reason = reason
        self.gives_up = gives_up
        self.is_timeout = is_timeout

    @property
    def restarts(self) -> bool:
        """Whether the process is restarted when it has stopped."""
        return bool(self.reason) and not self.gives_up

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "gives_up": self.gives_up,
            "is_timeout": self.is_timeout,
            "reason": self.reason,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self.gives_up = saved.get("gives_up", False)
        self.is_timeout = saved.get("is_timeout", False)
        self.reason = saved.get("reason", "")
