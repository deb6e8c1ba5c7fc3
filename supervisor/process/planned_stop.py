"""A stop that the daemon has decided itself, and the state that follows it.

A program that fails its checks is stopped like any other, but does not stay STOPPED: it is
restarted, as after a crash, or becomes FATAL.  A request by a client replaces the plan.
"""

from __future__ import annotations

from supervisor.states import ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Protocol

    from supervisor.process.history import History

    class Stoppable(Protocol):
        """A process that can be stopped; see `lifecycle.Lifecycle`."""

        state: int
        start_requested: bool
        administrative_stop: bool
        history: History

        def stop(self) -> str | None:
            """Start to stop the process."""

        def fail(self, text: str, reason: str | None = None) -> None:
            """Give up: the process becomes FATAL."""


class PlannedStop:
    """The plan of one process for the time after its stop, if there is one."""

    __slots__ = ("_gives_up", "_process", "is_timeout", "reason")

    def __init__(self, process: Stoppable) -> None:
        self._process = process
        self.clear()

    def clear(self) -> None:
        """Forget the plan: the process is being started."""
        self.reason = ""
        """Why the process is stopped, for users; "" without a plan."""
        self.is_timeout = False
        """Whether a check has ended the run; it decides the exit status of the daemon."""
        self._gives_up = False

    def stop(self, reason: str, *, gives_up: bool = False, is_timeout: bool = False) -> None:
        """Stop the process, and then restart it as after a crash, or make it FATAL."""
        process = self._process
        self.reason, self.is_timeout, self._gives_up = reason, is_timeout, gives_up
        process.history.explain(reason)
        process.stop()
        process.administrative_stop = False  # the decision was not that of a person

    @property
    def _is_complete(self) -> bool:
        """Whether the process has stopped as planned, and no client has made a request."""
        process = self._process
        is_free = not (process.start_requested or process.administrative_stop)
        return bool(self.reason) and process.state == ProcessStates.STOPPED and is_free

    @property
    def wants_restart(self) -> bool:
        """Whether the process has stopped, in order to be restarted."""
        return self._is_complete and not self._gives_up

    @property
    def wants_failure(self) -> bool:
        """Whether the process has stopped, in order to become FATAL."""
        return self._is_complete and self._gives_up

    def give_up(self) -> None:
        """Make the process FATAL."""
        self._process.fail("it was stopped because of a failure", self.reason)

    # -- saving ---------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "gives_up": self._gives_up,
            "is_timeout": self.is_timeout,
            "reason": self.reason,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self._gives_up = saved.get("gives_up", False)
        self.is_timeout = saved.get("is_timeout", False)
        self.reason = saved.get("reason", "")
