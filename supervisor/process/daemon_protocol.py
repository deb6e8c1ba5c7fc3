"""The interface between the running daemon and the API layer.

`supervisord.Supervisor` is the one implementation; the API layer uses no more than this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from supervisor.config.file_stamps import Stamps
    from supervisor.config.model import ProcessGroupConfig
    from supervisor.config.scales import Scales
    from supervisor.process.groups import ProcessGroupBase
    from supervisor.process.runtime import Runtime


class DaemonOptions(Protocol):
    """The part of `supervisord.options` that the API layer uses."""

    mood: int
    process_group_configs: list[ProcessGroupConfig]
    scales: Scales

    @property
    def identifier(self) -> str:
        """The name of the daemon."""

    @property
    def logfile(self) -> Any:
        """The path of the activity log, None, or the marker for syslog."""

    @property
    def file_stamps(self) -> Stamps:
        """The times of the files that the configuration was read from."""

    @property
    def server_configs(self) -> Sequence[Any]:
        """The configured HTTP servers."""

    def get_pid(self) -> int:
        """Return the daemon's pid."""


class Updates(Protocol):
    """Changes of the configuration while the daemon runs."""

    def plan(self) -> Callable[[], Any]:
        """Read the configuration again; return the struct of `planUpdate`."""

    def apply(self, plan_id: str, names: Sequence[str] = ()) -> Callable[[], Any]:
        """Apply a plan; see `applyUpdate`."""

    def scale(self, program: str, count: int) -> Callable[[], Any]:
        """Change the number of processes of a program; see `setNumprocs`."""


class Reexec(Protocol):
    """The replacement of the daemon by another version."""

    def request(self) -> Callable[[], Any]:
        """Check the new version, then replace the daemon; see `reexec`."""


class Daemon(Protocol):
    """The running daemon, as plugins get it in their `supervisord` argument."""

    process_groups: dict[str, ProcessGroupBase]

    @property
    def runtime(self) -> Runtime:
        """The runtime context: loop, logger, daemon state and settings."""

    @property
    def options(self) -> DaemonOptions:
        """The plugin API of the daemon's settings."""

    @property
    def updates(self) -> Updates:
        """Plans of updates, and their application."""

    @property
    def reexec(self) -> Reexec:
        """The replacement of the daemon by another version."""

    def add_process_group(self, config: ProcessGroupConfig) -> bool:
        """Add a group; return False if a group of that name exists."""

    def remove_process_group(self, name: str) -> bool:
        """Remove a group; return False if some of its processes are not stopped."""

    def process_group_changed(self, name: str) -> None:
        """Follow a change of the processes of a group, or of their options."""

    def reread(self) -> list[list[str]]:
        """Read the configuration again; raises `RPCError` CANT_REREAD."""

    def reread_steps(self) -> Generator[None, None, None]:
        """Read the configuration again, in steps; raises `RPCError` CANT_REREAD."""

    def check_configuration(self) -> None:
        """Check that a restart would succeed; raises `RPCError` CANT_REREAD."""
