"""Groups of processes, which are started, stopped, added and removed together."""

from __future__ import annotations

import os

from supervisor.common.records import replace
from supervisor.datatypes import Automatic
from supervisor.process.child import Subprocess
from supervisor.process.log_files import log_ownership
from supervisor.states import STOPPED_STATES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.config.model import (
        ProcessConfig,
        ProcessGroupConfig,
        Settings,
        StreamConfig,
    )
    from supervisor.process.runtime import Runtime


class ProcessGroupBase:
    """Processes by name, in the order of the configuration."""

    process_class: type[Subprocess] = Subprocess

    def __init__(self, config: ProcessGroupConfig, runtime: Runtime) -> None:
        self.config = config
        self.runtime = runtime
        self.processes: dict[str, Subprocess] = {}
        for process_config in config.process_configs:
            self.add_process(process_config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} instance at {id(self)} named {self.config.name}>"

    def __lt__(self, other: ProcessGroupBase) -> bool:
        return self.config.priority < other.config.priority

    def add_process(self, config: ProcessConfig) -> Subprocess:
        """Add a process to this group and return it."""
        process = self.process_class(config, self.runtime)
        process.group = self
        self.processes[config.name] = process
        return process

    def remove_process(self, name: str) -> None:
        """Remove a process that is down; it is never started again."""
        self.processes.pop(name).retire()

    def reconfigure(self, config: ProcessGroupConfig) -> None:
        """Take another config; the processes follow its order, and it lists those that there are.

        They have been added, removed and changed before.
        """
        order = {each.name: number for number, each in enumerate(config.process_configs)}
        members = sorted(self.processes.items(), key=lambda item: order.get(item[0], len(order)))
        self.processes.clear()
        self.processes.update(members)
        self.config = replace(config, process_configs=[each.config for _, each in members])

    def transition(self) -> None:
        """Run everything that is due for the processes."""
        for process in list(self.processes.values()):
            self.runtime.run_guarded(process.transition, process.name)

    def arm(self) -> None:
        """Set the timers of all processes."""
        for process in self.processes.values():
            process.arm()

    def stop_all(self) -> None:
        """Start to stop every process, highest priority number first."""
        processes = sorted(self.processes.values())
        processes.reverse()
        for process in processes:
            self.runtime.run_guarded(process.stop_or_give_up, f"stopping {process.name}")

    def get_unstopped_processes(self) -> list[Subprocess]:
        """Return the processes that must still stop before the group can be removed.

        A process that could not be signalled (UNKNOWN) may still run, and the hook after the last
        run precedes a start of the process that replaces it.
        """
        return [
            process
            for process in self.processes.values()
            if process.pid
            or process.get_state() not in STOPPED_STATES
            or (process.hooks is not None and process.hooks.running)
        ]

    def has_pending_events(self) -> bool:
        """Whether the group has unfinished work that a stop would interrupt."""
        return False

    def before_remove(self) -> None:
        """Release the group's resources; called when it is removed."""
        for process in self.processes.values():
            process.retire()

    def removelogs(self) -> None:
        """Remove and reopen the logs of all processes."""
        for process in self.processes.values():
            process.removelogs()

    def reopenlogs(self) -> None:
        """Reopen the logs of all processes."""
        for process in self.processes.values():
            process.reopenlogs()


class ProcessGroup(ProcessGroupBase):
    """A group of ordinary programs."""


def create_auto_logs(config: ProcessConfig, settings: Settings) -> None:
    """Replace each AUTO log setting by a new file; raises `OSError`."""
    for channel in ("stdout", "stderr"):
        stream: StreamConfig = getattr(config, channel)
        if stream.logfile is Automatic:
            is_merged = channel == "stderr" and config.redirect_stderr
            logfile = None if is_merged else _auto_log(config, channel, settings)
            setattr(config, channel, replace(stream, logfile=logfile))


def _auto_log(config: ProcessConfig, channel: str, settings: Settings) -> str:
    import tempfile  # see config.model

    fd, path = tempfile.mkstemp(
        suffix=".log",
        prefix=f"{config.name}-{channel}---{settings.identifier}-",
        dir=settings.childlogdir,
    )
    # A failure is reported when the log is opened.
    ownership = log_ownership(getattr(config, channel), lambda _: None)
    if ownership is not None:
        ownership.change(fd, path)
    os.close(fd)
    return path
