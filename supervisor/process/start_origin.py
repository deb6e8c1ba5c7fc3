"""The origin of a start: whether a client has requested it, or a dependent needs it.

The first request of a client for a start that it has not caused joins that start; a second request
is an error, as in Supervisor 4.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class StartOrigin:
    """The origin of the start that a process waits for, or of its run."""

    def __init__(self) -> None:
        self.is_client = False
        """Whether a client has requested the start."""
        self.is_dependent = False
        """Whether it was requested for a dependent, and by no client."""

    def claim(self) -> None:
        """Note the request of a client."""
        self.is_client, self.is_dependent = True, False

    def pull_in(self) -> None:
        """Note that a dependent needs the start."""
        self.is_dependent = not self.is_client

    def clear(self) -> None:
        """Note that the start is over, or not wanted any more."""
        self.is_client = self.is_dependent = False

    def snapshot(self) -> dict[str, bool]:
        """Return the state as JSON values."""
        return {"is_client": self.is_client, "is_dependent": self.is_dependent}

    def restore(self, saved: Mapping[str, bool]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self.is_client = saved.get("is_client", False)
        self.is_dependent = saved.get("is_dependent", False)
