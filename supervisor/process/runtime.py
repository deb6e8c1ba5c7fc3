"""The runtime context: the part of the daemon that processes may use."""

from __future__ import annotations

from functools import cached_property

from supervisor import events
from supervisor.common.records import field, record
from supervisor.engine.start_queue import StartQueue
from supervisor.loggers import exception_text
from supervisor.process.dependencies import ProcessIndex
from supervisor.process.orphans import OrphanCleanup
from supervisor.states import SupervisorStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from supervisor.config.model import Settings
    from supervisor.engine.loop import Clock, Loop
    from supervisor.loggers import Logger
    from supervisor.process.runtime_directory import RuntimeDirectory

    class Child(Protocol):
        """A process whose child has been started."""

        @property
        def name(self) -> str:
            """The name without its group."""

        def finish(self, pid: int, status: int) -> None:
            """Handle the death of the child, which `waitpid` reported with `status`."""


@record()
class Runtime:
    """Loop, logger and settings, the daemon's state, and the processes by pid and by name.

    `serverurl` is the URL in a child's environment if its program does not set one.
    `description_subscribers` are called with each process whose description changes while its
    state stays.
    """

    loop: Loop
    logger: Logger
    settings: Settings
    serverurl: str | None = None
    daemon_state: int = SupervisorStates.RUNNING
    children: dict[int, Child] = field(default_factory=dict)
    processes: ProcessIndex = field(default_factory=lambda: ProcessIndex({}))
    description_subscribers: list[Callable[[Any], object]] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        """The loop's clock: one time for deadlines and for what users see."""
        return self.loop.clock

    @property
    def may_start(self) -> bool:
        """Whether processes may be started: not while shutting down or restarting."""
        return self.daemon_state > SupervisorStates.RESTARTING

    @cached_property
    def start_queue(self) -> StartQueue:
        """The queue of starts."""
        return StartQueue(self.loop)

    @cached_property
    def notify_directory(self) -> RuntimeDirectory:
        """The directory of notify sockets."""
        from supervisor.process import runtime_directory  # few programs use notify=

        return runtime_directory.RuntimeDirectory(self.settings.runtimedir)

    def remove_notify_directory(self) -> None:
        """Remove the directory of notify sockets, if it has been made."""
        if "notify_directory" in vars(self):
            self.notify_directory.remove()

    @cached_property
    def orphans(self) -> OrphanCleanup:
        """The orphans of dead children."""
        return OrphanCleanup(self.loop)

    def description_changed(self, process: object) -> None:
        """Notify the subscribers to descriptions."""
        for callback in tuple(self.description_subscribers):
            callback(process)

    def publish(self, event: object) -> None:
        """Publish an event; a subscriber that fails does not stop the caller."""
        self.run_guarded(lambda: events.notify(event), f"a subscriber of {type(event).__name__}")

    def run_guarded(self, callback: Callable[[], object], what: str) -> None:
        """Run a callback; an exception is logged as the failure of `what`, the caller continues."""
        try:
            callback()
        except Exception:  # noqa: BLE001 - plugins raise any exception, and the kernel any `OSError`
            self.logger.critical(f"{what} failed\n{exception_text()}")
