"""Programs in groups of their own, with a fake clock and without children."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisor.common.dependency_graph import parse_requirements
from supervisor.config.model import ProcessConfig, ProcessGroupConfig
from supervisor.process.dependencies import ProcessIndex
from supervisor.process.groups import ProcessGroup
from supervisor.rpc import control

if TYPE_CHECKING:
    from supervisor.process.child import Subprocess
    from tests.support.world import World

EXIT_0, EXIT_3 = 0, 3 << 8
"""Statuses as `waitpid` reports them."""


class Programs:
    """Programs in groups of their own, which find one another."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.groups: dict[str, ProcessGroup] = {}
        world.runtime.services.processes = ProcessIndex(self.groups)

    def add(self, name: str, depends_on: str = "", count: int = 1, **options: Any) -> Subprocess:
        """Add a program with its processes; return the first."""
        options = {
            "command": "/bin/cat",
            "stdout_logfile": None,
            "stderr_logfile": None,
            "depends_on": parse_requirements(depends_on),
        } | {
            key: parse_requirements(value) if key.startswith("depends_on_") else value
            for key, value in options.items()
        }
        names = [name] if count == 1 else [f"{name}_{number}" for number in range(count)]
        configs = [ProcessConfig(name=each, **options) for each in names]
        for config in configs:
            config.section = f"program:{name}"
        return self.add_group(name, configs)

    def add_group(self, name: str, configs: list[ProcessConfig]) -> Subprocess:
        """Add a group with the processes of these configs; return the first."""
        group = ProcessGroup(ProcessGroupConfig(name, 999, configs), self.world.runtime)
        self.groups[name] = group
        self.world.runtime.services.processes.groups_changed()
        return group.processes[configs[0].name]

    def boot(self) -> None:
        """Start what is to be started, as the daemon does."""
        for group in self.groups.values():
            group.transition()
        self.world.pass_time(0)

    def start(self, name: str, **options: Any) -> Any:
        """Request a start and wait; return the deferred function, or the value."""
        value = control.start(self.process(name), name, wait=True, **options)
        self.world.pass_time(0)
        return value

    def process(self, name: str) -> Subprocess:
        return next(iter(self.groups[name].processes.values()))

    def states(self) -> dict[str, int]:
        return {
            name: process.state
            for group in self.groups.values()
            for name, process in group.processes.items()
        }

    def die(self, process: Subprocess, status: int = EXIT_0) -> None:
        process.finish(process.pid, status)
        self.world.pass_time(0)

    def waits(self, process: Subprocess) -> list[str]:
        """Return what a process waits for."""
        gate = process.starts.gate
        return [str(each) for each in gate.unmet()] if gate and process.starts.is_waiting else []
