"""The door that plugins hold: `supervisord.options`, and the old import names (floor 6).

`ServerOptions` is made of the configuration, the context and the servers, which the
daemon builds; nothing below this floor reads through it.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from supervisor import unix
from supervisor.config.commandline import ConfigurationError, fail, read_server_configuration
from supervisor.states import SupervisorStates
from supervisor.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from supervisor.config.model import (
        Configuration,
        ProcessGroupConfig,
        RPCInterfaceConfig,
        ServerConfig,
        Settings,
    )
    from supervisor.http.server import HTTPServer
    from supervisor.loggers import Logger
    from supervisor.process.context import Context

__all__ = ["VERSION", "ServerOptions"]


class ServerOptions:
    """What plugins read, assign and call on the running daemon."""

    def __init__(self) -> None:
        self.configuration: Configuration
        self.context: Context
        self.arguments: list[str] = []
        self.configfile: str | None = None
        self.httpservers: list[tuple[ServerConfig, HTTPServer]] = []
        self.process_group_configs: list[ProcessGroupConfig] = []

    def realize(self, args: Sequence[str] | None = None, file: str | None = None) -> None:
        """Read the command line and the configuration; a mistake ends the program.

        `file` is the configuration file of the run before a restart, if the daemon has
        left the directory from which it was found.
        """
        self.arguments = list(sys.argv[1:] if args is None else args)
        self.configfile = file
        self.process_config(do_usage=True)

    def process_config(self, do_usage: bool = True) -> None:
        """Read the configuration (again).

        Raises `ValueError` with the text for the user, unless `do_usage` asks to print it
        and exit.
        """
        try:
            self.configuration = read_server_configuration(self.arguments, file=self.configfile)
        except ConfigurationError as error:
            if do_usage:
                fail(str(error))
            raise
        self.process_group_configs = self.configuration.groups

    def check(self) -> None:
        """Read the configuration without taking it over; raises `ValueError`."""
        read_server_configuration(self.arguments, file=self.configfile)

    # -- settings ---------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """The daemon's own settings."""
        return self.configuration.settings

    @property
    def server_configs(self) -> Sequence[ServerConfig]:
        """The HTTP servers that are configured."""
        return self.configuration.servers

    @property
    def rpcinterface_factories(self) -> Sequence[RPCInterfaceConfig]:
        """The RPC interfaces that are configured."""
        return self.configuration.rpcinterfaces

    @property
    def identifier(self) -> str:
        """The name of this daemon."""
        return self.settings.identifier

    @property
    def logfile(self) -> Any:
        """The path of the activity log, None, or the marker for syslog."""
        return self.settings.logfile

    @property
    def logger(self) -> Logger:
        """The activity log."""
        return self.context.logger

    @property
    def mood(self) -> int:
        """What the daemon is up to, one of `SupervisorStates`; assigning it acts."""
        return self.context.mood

    @mood.setter
    def mood(self, mood: int) -> None:
        self.context.mood = mood
        self.context.loop.call_soon(_nothing)

    # -- calls ------------------------------------------------------------------

    def get_pid(self) -> int:
        """Return the daemon's pid."""
        return os.getpid()

    def kill(self, pid: int, signum: int) -> None:
        """Send a signal; raises `OSError`."""
        os.kill(pid, signum)

    def get_signal(self) -> int | None:
        """Take the oldest signal that was caught."""
        return self.context.loop.next_signal()

    def cleanup_fds(self) -> None:
        """Close the fds that the daemon was started with."""
        unix.close_inherited_fds(self.settings.minfds)

    def close_httpservers(self) -> None:
        """Close the listening sockets and the connections."""
        for _, server in self.httpservers:
            server.close()
        self.httpservers = []

    @property
    def is_shutting_down(self) -> bool:
        """Whether the daemon is on its way out, for good or to restart."""
        return self.mood < SupervisorStates.RUNNING


def _nothing() -> None:
    """Only wakes the loop: the daemon looks at its mood after each turn."""
