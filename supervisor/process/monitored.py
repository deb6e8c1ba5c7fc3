"""A process that is supervised while it is RUNNING, as its monitors see it (for type checkers)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol, TypeAlias

    from supervisor.config.model import ProcessConfig
    from supervisor.process.history import History
    from supervisor.process.planned_stop import PlannedStop
    from supervisor.process.runtime import Runtime

    Step: TypeAlias = tuple[float, Callable[[], object]]
    """A deadline in monotonic seconds, and the action that is due then."""

    class Starts(Protocol):
        """The starts of a process; see `starts.Starts`."""

        @property
        def planned_stop(self) -> PlannedStop:
            """The stop that the daemon itself has decided."""

    class Monitored(Protocol):
        """A supervised process; see `lifecycle.Lifecycle`."""

        config: ProcessConfig
        runtime: Runtime
        state: int
        pid: int
        history: History

        @property
        def name(self) -> str:
            """The name without its group."""

        @property
        def group_name(self) -> str:
            """The name of the group."""

        @property
        def starts(self) -> Starts:
            """The starts of the process."""

        def arm(self) -> None:
            """Set the timer for the next deadline."""

        def transition(self) -> None:
            """Take the next step if it is due."""

        def send_signal(self, signum: int, doing: str, *, whole_group: bool) -> str | None:
            """Send a signal to the child or its group."""
