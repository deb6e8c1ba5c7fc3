"""Signals to the daemon: exit, restart, reopening logs, dead children (signal(7))."""

from __future__ import annotations

import signal

from supervisor.common.faults import RPCError
from supervisor.daemon.reaping import MAX_SECONDS
from supervisor.engine.posix import signame
from supervisor.loggers import reopen_logs
from supervisor.states import SupervisorStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from supervisor.config.model import ServerConfig
    from supervisor.http.server import HTTPServer
    from supervisor.process.daemon_protocol import Daemon, DaemonOptions

    class SignalOptions(DaemonOptions, Protocol):
        """The options of a daemon that receives signals."""

        @property
        def httpservers(self) -> Sequence[tuple[ServerConfig, HTTPServer]]:
            """The HTTP servers with their configurations."""

        def get_signal(self) -> int | None:
            """Take the oldest signal from the queue; plugins wrap this method."""

    class SignalledDaemon(Daemon, Protocol):
        """A daemon that receives signals."""

        @property
        def options(self) -> SignalOptions:
            """The plugin API of the daemon's settings."""

        def reap(self) -> None:
            """Reap the dead children; plugins call and wrap this method."""


EXIT_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
SIGNALS = (*EXIT_SIGNALS, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR2)


class SignalHandler:
    """The handler of all signals that the loop catches."""

    def __init__(self, daemon: SignalledDaemon) -> None:
        self._daemon = daemon
        self._runtime = daemon.runtime
        self.exit_requests: list[str] = []
        """Names of the signals that have requested the exit, in their order."""

    def catch(self) -> None:
        """Let the loop catch the signals and call this handler."""
        self._runtime.loop.on_signals = self.handle_all
        self._runtime.loop.catch_signals(*SIGNALS)

    def handle_all(self) -> None:
        """Handle the signals received since the last iteration, in order.

        Those that are left when the time is used are handled in the next one: as pid 1, the daemon
        may get a SIGCHLD for each of thousands of orphans while it handles the last.
        """
        clock = self._runtime.clock
        deadline = clock.monotonic() + MAX_SECONDS
        while (signum := self._daemon.options.get_signal()) is not None:
            self._handle(signum)
            if clock.monotonic() >= deadline:
                return

    def _handle(self, signum: int) -> None:
        logger, name = self._runtime.logger, signame(signum)
        if signum in EXIT_SIGNALS:
            logger.warn(f"received {name} indicating exit request")
            self.exit_requests.append(name)
            self._daemon.options.mood = SupervisorStates.SHUTDOWN
        elif signum == signal.SIGHUP:
            if self._accepts(f"{name} indicating restart request", logger.warn):
                self._restart()
        elif signum == signal.SIGCHLD:
            self._daemon.reap()
            logger.debug(f"received {name} indicating a child quit")
        elif signum == signal.SIGUSR2:
            if self._accepts(f"{name} indicating log reopen request", logger.info):
                self._reopen_logs()
                self._restore_sockets()

    def _accepts(self, request: str, log: Callable[[str], object]) -> bool:
        """Log a request; return False if the daemon is shutting down."""
        if self._runtime.daemon_state == SupervisorStates.SHUTDOWN:
            log(f"ignored {request} (shutdown in progress)")
            return False
        log(f"received {request}")
        return True

    def _restart(self) -> None:
        try:
            self._daemon.check_configuration()
        except RPCError as error:
            self._runtime.logger.error(f"not restarted: {error.text}")
        else:
            self._daemon.options.mood = SupervisorStates.RESTARTING

    def _reopen_logs(self) -> None:
        runtime = self._runtime
        runtime.logger.info("supervisord logreopen")
        reopen_logs(runtime.logger.handlers, runtime.logger)
        for group in self._daemon.process_groups.values():
            for process in group.processes.values():
                runtime.run_guarded(process.reopenlogs, f"reopening a log of {process.name}")

    def _restore_sockets(self) -> None:
        for config, server in self._daemon.options.httpservers:
            self._runtime.run_guarded(server.restore_socket, f"restoring {config.section}")
