"""The runtime context: the part of the daemon that processes may use."""

from __future__ import annotations

from functools import cached_property

from supervisor import events
from supervisor.common.records import field, record
from supervisor.loggers import exception_text
from supervisor.process.services import Services
from supervisor.states import SupervisorStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from supervisor.config.model import Settings
    from supervisor.engine.loop import Clock, Loop
    from supervisor.loggers import Logger

    class Child(Protocol):
        """A process whose child has been started."""

        @property
        def name(self) -> str:
            """The name without its group."""

        def finish(self, pid: int, status: int) -> None:
            """Handle the death of the child, which `waitpid` reported with `status`."""


@record()
class Runtime:
    """Loop, logger and settings, the daemon's state, and the children by pid.

    `serverurl` is the URL in a child's environment if its program does not set one.
    """

    loop: Loop
    logger: Logger
    settings: Settings
    serverurl: str | None = None
    daemon_state: int = SupervisorStates.RUNNING
    children: dict[int, Child] = field(default_factory=dict)

    @property
    def clock(self) -> Clock:
        """The loop's clock: one time for deadlines and for what users see."""
        return self.loop.clock

    @property
    def may_start(self) -> bool:
        """Whether processes may be started: not while shutting down or restarting."""
        return self.daemon_state > SupervisorStates.RESTARTING

    @cached_property
    def services(self) -> Services:
        """The objects that all processes share."""
        return Services(self.loop, self.settings.runtimedir, self.children)

    def publish(self, event: object) -> None:
        """Publish an event; a subscriber that fails does not stop the caller."""
        self.run_guarded(lambda: events.notify(event), f"a subscriber of {type(event).__name__}")

    def run_guarded(self, callback: Callable[[], object], what: str) -> None:
        """Run a callback; an exception is logged as the failure of `what`, the caller continues."""
        try:
            callback()
        except Exception:  # noqa: BLE001 - plugins raise any exception, and the kernel any `OSError`
            self.logger.critical(f"{what} failed\n{exception_text()}")
