"""The running daemon as the modules of its own floor use it: with all its parts.

`supervisord.Supervisor` is the one implementation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from supervisor.process.daemon_protocol import Daemon

if TYPE_CHECKING:
    from collections import deque

    from supervisor.config.model import ProcessGroupConfig
    from supervisor.daemon.exits import Exits
    from supervisor.daemon.memory import Memory
    from supervisor.daemon.pidfile import PidFile
    from supervisor.daemon.sd_notify import SystemdNotifier
    from supervisor.daemon.ticks import Ticker
    from supervisor.options import ServerOptions


class WholeDaemon(Daemon, Protocol):
    """The parts of the daemon, and what only its own floor may do with it."""

    options: ServerOptions
    service_manager: SystemdNotifier
    pidfile: PidFile
    memory: Memory | None
    exits: Exits
    ticker: Ticker
    signals: deque[int] | None
    interfaces: list[tuple[str, Any]]

    @property
    def has_update_in_progress(self) -> bool:
        """Whether a plan of an update is being applied."""

    def add_process_group(self, config: ProcessGroupConfig, *, must_open: bool = True) -> bool:
        """Add a group; return False if a group of that name exists."""

    def reap(self) -> None:
        """Reap the dead children."""
