"""What the front doors may ask of the running daemon (floor 4, a protocol).

`supervisord.Supervisor` is the one implementation; the doors know only this much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from supervisor.config.model import ProcessGroupConfig
    from supervisor.process.context import Context
    from supervisor.process.groups import ProcessGroupBase


class DaemonOptions(Protocol):
    """The part of `supervisord.options` that the doors use."""

    mood: int
    process_group_configs: list[ProcessGroupConfig]

    @property
    def identifier(self) -> str:
        """The name of the daemon."""

    @property
    def logfile(self) -> Any:
        """The path of the activity log, None, or the marker for syslog."""

    @property
    def server_configs(self) -> Sequence[Any]:
        """The HTTP servers that are configured."""

    def get_pid(self) -> int:
        """Return the daemon's pid."""


class Daemon(Protocol):
    """The running daemon, as a plugin's `supervisord` argument shows it."""

    process_groups: dict[str, ProcessGroupBase]

    @property
    def context(self) -> Context:
        """Loop, logger, mood and settings."""

    @property
    def options(self) -> DaemonOptions:
        """The door to the daemon's settings."""

    def add_process_group(self, config: ProcessGroupConfig) -> bool:
        """Take a group in; False when there is one of that name."""

    def remove_process_group(self, name: str) -> bool:
        """Let a group go; False when some of its processes are not stopped."""

    def reread(self) -> list[list[str]]:
        """Read the configuration again; raises `RPCError` CANT_REREAD."""

    def check_configuration(self) -> None:
        """Make sure that a restart would succeed; raises `RPCError` CANT_REREAD."""
