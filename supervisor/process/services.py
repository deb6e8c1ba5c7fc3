"""The objects that all processes share, beside the runtime context.

Each object is made when it is first needed.
"""

from __future__ import annotations

from functools import cached_property

from supervisor.engine.start_queue import StartQueue
from supervisor.process.dependencies import ProcessIndex
from supervisor.process.orphans import OrphanCleanup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from supervisor.engine.loop import Loop
    from supervisor.logs.maintenance import LogMaintenance
    from supervisor.process.process_tree import TreeWatcher
    from supervisor.process.runtime_directory import RuntimeDirectory
    from supervisor.process.usage import UsageMonitor


class Services:
    """Start queue, index of the processes, orphans, notify sockets, maintenance of logs.

    `description_subscribers` are called with each process whose description changes while its
    state stays.
    """

    def __init__(self, loop: Loop, runtimedir: str | None, children: Mapping[int, object]) -> None:
        """Take the directory of notify sockets, None for a private one, and the children."""
        self._loop = loop
        self._children = children
        self._runtimedir = runtimedir
        self.processes = ProcessIndex({})
        self.description_subscribers: list[Callable[[Any], object]] = []
        self._log_maintenance: LogMaintenance | None = None

    @cached_property
    def start_queue(self) -> StartQueue:
        """The queue of starts."""
        return StartQueue(self._loop)

    @cached_property
    def orphans(self) -> OrphanCleanup:
        """The orphans of dead children."""
        return OrphanCleanup(self._loop)

    @cached_property
    def trees(self) -> TreeWatcher:
        """The process trees that are being stopped."""
        from supervisor.process.process_tree import TreeWatcher  # few programs have killmode=tree

        return TreeWatcher(self._loop, self._children)

    @cached_property
    def notify_directory(self) -> RuntimeDirectory:
        """The directory of notify sockets."""
        from supervisor.process import runtime_directory  # few programs use notify=

        return runtime_directory.RuntimeDirectory(self._runtimedir)

    @cached_property
    def usage(self) -> UsageMonitor:
        """The use of CPU and memory by the children and their descendants."""
        from supervisor.process import usage  # only for clients that request it

        return usage.UsageMonitor(self._loop.clock, self.start_queue.put)

    def description_changed(self, process: object) -> None:
        """Notify the subscribers to descriptions."""
        for callback in tuple(self.description_subscribers):
            callback(process)

    def log_maintenance(self, make: Callable[[], LogMaintenance]) -> LogMaintenance:
        """Return the service that rotates logs by time and compresses backups."""
        if self._log_maintenance is None:
            self._log_maintenance = make()
        return self._log_maintenance

    def close_log_maintenance(self) -> None:
        """End the maintenance of logs, if there is one."""
        if self._log_maintenance is not None:
            self._log_maintenance.close()

    def made_notify_directory(self) -> str | None:
        """Return the path of the directory of notify sockets, None if none has been made."""
        return self.notify_directory.snapshot() if "notify_directory" in vars(self) else None

    def remove_notify_directory(self) -> None:
        """Remove the directory of notify sockets, if it has been made."""
        if "notify_directory" in vars(self):
            self.notify_directory.remove()
