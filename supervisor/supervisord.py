"""The daemon: builds, runs and shuts down everything (floor 6, composition root).

`main` is the console script `supervisord`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from functools import partial

from supervisor import backlogs, boot, events, paths
from supervisor.config.commandline import fail
from supervisor.config.model import EventListenerPoolConfig, FastCGIGroupConfig
from supervisor.faults import Faults, RPCError
from supervisor.foreign import Heartbeat
from supervisor.http.guard import guard_handler
from supervisor.http.listening import ServerError
from supervisor.http.server import open_http_servers
from supervisor.installation import kept
from supervisor.loggers import exception_text, getLogger
from supervisor.loop import Loop
from supervisor.options import ServerOptions
from supervisor.output import open_standard_streams
from supervisor.pidfile import PidFile
from supervisor.process.context import Context
from supervisor.process.groups import ProcessGroup, create_auto_logs
from supervisor.process.listeners import EventListenerPool
from supervisor.reload import difference
from supervisor.servicemanager import ServiceManager
from supervisor.shutdown import Shutdown, drain_servers
from supervisor.states import SupervisorStates
from supervisor.ticks import Ticker
from supervisor.unix import decode_wait_status, signame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from supervisor.config.model import ProcessGroupConfig, ServerConfig
    from supervisor.dispatchers import Dispatcher
    from supervisor.process.child import Subprocess
    from supervisor.process.groups import ProcessGroupBase

__all__ = ["Supervisor", "SupervisorStates", "main"]

EXIT_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Supervisor:
    """The running daemon; plugins know it as `supervisord`."""

    def __init__(
        self,
        options: ServerOptions,
        service_manager: ServiceManager | None = None,
        signals: deque[int] | None = None,
    ) -> None:
        """Take the objects that all runs share; `signals` is the queue of unhandled signals."""
        self.options = options
        self._signals = signals
        self._service_manager = service_manager or ServiceManager({})
        self.process_groups: dict[str, ProcessGroupBase] = {}
        self._shutdown: Shutdown | None = None

    @property
    def context(self) -> Context:
        """Runtime context (loop, logger, daemon state, settings) of processes and plugins."""
        return self.options.context

    # -- start, run and exit ----------------------------------------------------

    def main(self, *, first: bool = True) -> None:
        """Boot, run until the daemon's state requires an end, clean up; raises `BootError`."""
        self._boot(first=first)
        try:
            self.run(first=first)
        except (boot.BootError, ServerError) as error:
            if not first:  # in the background stderr is lost
                self.context.logger.critical(str(error))
            raise
        finally:
            self._clean_up()

    def _boot(self, *, first: bool) -> None:
        options, settings = self.options, self.options.settings
        if first:
            options.cleanup_fds()
            kept.keep()  # while their files can be read
            paths.mounts.slow_points()  # keeps the table open; later there may be no free fd
        criticals, infos = boot.drop_privileges(settings)
        infos += boot.raise_limits(settings)
        self._pidfile = PidFile(settings.pidfile)
        try:
            self._pidfile.lock()
        except boot.BootError:
            self._try_sockets()
            raise
        logger = boot.open_activity_log(settings)
        boot.report_log_trouble_to(logger)
        kept.report = logger.warn
        boot.log_what_was_said(logger, options.configuration, criticals, infos)
        loop = Loop(
            on_error=lambda text: logger.critical(f"{text}\n{exception_text()}"),
            signals=self._signals,
        )
        backlogs.set_background_loop(loop)
        options.context = Context(loop, logger, settings, options.configuration.serverurl)

    def _try_sockets(self) -> None:
        """Raise `ServerError`, with the text that scripts expect, if a socket is in use."""
        loop = Loop()
        _probe_servers(self.options.server_configs, loop)
        loop.close()

    def run(self, *, first: bool = True) -> None:
        """Create servers and groups, daemonize, and run the loop to the end.

        The sockets are opened first: if that fails, the daemon has changed nothing yet.
        """
        options, settings, context = self.options, self.options.settings, self.context
        options.httpservers = open_http_servers(
            options.server_configs, context.loop, context.logger
        )
        if not settings.nocleanup:
            boot.remove_old_auto_logs(settings, context.logger)
        try:
            for config in options.process_group_configs:
                # After a reload the other programs must start again: a user who may write to
                # the directory of a socket could prevent that.
                self.add_process_group(config, must_open=first)
        except OSError as error:
            raise boot.BootError(
                f"Cannot create a log in {settings.childlogdir}: {error}"
            ) from None
        except ValueError as error:  # a FastCGI socket
            raise boot.BootError(str(error)) from None
        for server_config, server in options.httpservers:
            server.guards = [guard_handler(server_config, server.tcp_address)]
            server.handlers = self._handlers(server_config)
        self._catch_signals()
        if first and not settings.nodaemon:
            with boot.in_background(settings, context.logger):
                self._pidfile.write(context.logger)
            if settings.directory:  # a relative path is no longer found there
                options.file_before = settings.configfile
        else:
            self._pidfile.write(context.logger)
        self.runforever()

    def runforever(self) -> None:
        """Run the loop until everything has been stopped."""
        self.context.announce(events.SupervisorRunningEvent())
        self.handle_signals()  # before the start: a SIGTERM during the reload prevents it
        ticker = Ticker(self.context.loop, self)
        if self._has_foreign_plugins():
            Heartbeat(self).beat()
        for group in sorted(self.process_groups.values()):
            group.transition()
        self._service_manager.ready(f"{len(self.process_groups)} groups")
        while True:
            self.context.loop.turn()
            if self.context.mood < SupervisorStates.RUNNING and self._is_down():
                break
        ticker.stop()
        drain_servers((server for _, server in self.options.httpservers), self.context.loop)

    def _is_down(self) -> bool:
        if self._shutdown is None:
            if self.context.mood == SupervisorStates.RESTARTING:
                self._service_manager.reloading()
            else:
                self._service_manager.stopping()
            self.context.announce(events.SupervisorStoppingEvent())
            self._shutdown = Shutdown(self.process_groups.values(), self.context)
        return self._shutdown.advance()

    def _clean_up(self) -> None:
        """Release all resources; a failure in one step does not skip the others."""
        context = self.context
        steps: list[Callable[[], object]] = [self.options.close_httpservers]
        steps += [group.before_remove for group in self.process_groups.values()]
        steps += [context.leftovers.end, events.clear, self._pidfile.remove]
        steps += [partial(backlogs.set_background_loop, None), context.loop.close]
        if context.mood != SupervisorStates.RESTARTING:  # else the next loop continues to send
            steps.append(self._drain_logs)
        for step in steps:
            context.attempt(step, "cleaning up")
        context.logger.close()

    def _drain_logs(self) -> None:
        """Wait for the readers of logs, while they make progress."""
        for path, dropped_bytes in backlogs.drain():
            self.context.logger.critical(
                f"log {path}: {dropped_bytes} bytes dropped ({backlogs.STALLED})"
            )

    def _handlers(self, server: ServerConfig) -> list[Any]:
        """Return the handlers of one HTTP server, in the order in which they are tried."""
        from supervisor.http import handlers
        from supervisor.web import supervisor_ui_handler
        from supervisor.xmlrpc import SystemNamespaceRPCInterface, supervisor_xmlrpc_handler

        namespaces = self._make_rpcinterfaces()
        namespaces.append(("system", SystemNamespaceRPCInterface(namespaces)))
        made: list[Any] = [
            supervisor_xmlrpc_handler(self, namespaces),
            handlers.logtail_handler(self),
            handlers.mainlogtail_handler(self),
            supervisor_ui_handler(self),
            handlers.default_handler(),
        ]
        if not server.username:
            self.context.logger.critical(
                f"Server {server.section!r} running without any HTTP authentication checking"
            )
            return made
        users = {server.username: server.password or ""}
        return [handlers.supervisor_auth_handler(users, handler) for handler in made]

    def _make_rpcinterfaces(self) -> list[tuple[str, Any]]:
        logger = self.context.logger
        namespaces = []
        for interface in self.options.rpcinterface_factories:
            try:
                made = interface.factory(self, **interface.options)
            except Exception as error:  # noqa: BLE001 - plugins may raise any exception
                if error.__traceback__ and error.__traceback__.tb_next:  # else the call failed
                    logger.warn(exception_text())
                raise boot.BootError(
                    f"Could not make {interface.name} rpc interface: "
                    f"{type(error).__name__}: {error}"
                ) from None
            namespaces.append((interface.name, made))
            logger.info(f"RPC interface {interface.name!r} initialized")
        return namespaces

    def _has_foreign_plugins(self) -> bool:
        return any(
            getattr(interface.factory, "__module__", "") != "supervisor.rpcinterface"
            for interface in self.options.rpcinterface_factories
        )

    # -- groups -----------------------------------------------------------------

    def add_process_group(self, config: ProcessGroupConfig, *, must_open: bool = True) -> bool:
        """Add a group; return False if a group of that name exists.

        Raises `OSError` for a log, `ValueError` for a FastCGI socket if it `must_open`.
        """
        if config.name in self.process_groups:
            return False
        for process_config in config.process_configs:
            create_auto_logs(process_config, self.context.settings)
        self.process_groups[config.name] = _make_group(config, self.context, must_open=must_open)
        self.context.announce(events.ProcessGroupAddedEvent(config.name))
        return True

    def remove_process_group(self, name: str) -> bool:
        """Remove a group; return False if some of its processes are not stopped."""
        group = self.process_groups[name]
        if group.get_unstopped_processes():
            return False
        group.before_remove()
        del self.process_groups[name]
        self.context.announce(events.ProcessGroupRemovedEvent(name))
        return True

    def get_process_map(self) -> dict[int, Dispatcher]:
        """Return the dispatchers of all processes by fd; plugins replace it, see `foreign`."""
        dispatchers: dict[int, Dispatcher] = {}
        for group in self.process_groups.values():
            for process in group.processes.values():
                dispatchers.update(process.dispatchers)
        return dispatchers

    def get_state(self) -> int:
        """Return the state of the daemon, for supervisor_twiddler and supervisor_cache."""
        return self.options.mood

    # -- configuration ------------------------------------------------------------

    def reread(self) -> list[list[str]]:
        """Read the configuration again; return [added, changed, removed] group names.

        Raises `RPCError` CANT_REREAD.
        """
        try:
            self.options.process_config(do_usage=False)
        except ValueError as error:
            raise RPCError(Faults.CANT_REREAD, error) from None
        return difference(self.options.process_group_configs, self.process_groups)

    def check_configuration(self) -> None:
        """Check that a restart would find a valid configuration; raises `RPCError`."""
        try:
            servers = self.options.check().servers
            own = {config.file or config.port for config, _ in self.options.httpservers}
            # What this daemon uses itself is free by then.
            others = [config for config in servers if (config.file or config.port) not in own]
            _probe_servers(others, self.context.loop)
        except (ValueError, ServerError) as error:
            raise RPCError(Faults.CANT_REREAD, error) from None

    # -- signals ------------------------------------------------------------------

    def _catch_signals(self) -> None:
        self.context.loop.on_signals = self.handle_signals
        self.context.loop.catch_signals(
            *EXIT_SIGNALS, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR2
        )

    def handle_signals(self) -> None:
        """Handle all signals received since the last turn."""
        while (signum := self.options.get_signal()) is not None:
            self.handle_signal(signum)

    def handle_signal(self, signum: int) -> None:
        """Handle one signal."""
        logger, name = self.context.logger, signame(signum)
        is_final = self.context.mood == SupervisorStates.SHUTDOWN
        if signum in EXIT_SIGNALS:
            logger.warn(f"received {name} indicating exit request")
            self.options.mood = SupervisorStates.SHUTDOWN
        elif signum == signal.SIGHUP:
            if is_final:
                logger.warn(f"ignored {name} indicating restart request (shutdown in progress)")
            else:
                logger.warn(f"received {name} indicating restart request")
                self._restart()
        elif signum == signal.SIGCHLD:
            self.reap()
            logger.debug(f"received {name} indicating a child quit")
        elif signum == signal.SIGUSR2:
            if is_final:
                logger.info(f"ignored {name} indicating log reopen request (shutdown in progress)")
            else:
                logger.info(f"received {name} indicating log reopen request")
                self._reopen_logs()
                for config, server in self.options.httpservers:
                    self.context.attempt(server.restore_socket, f"restoring {config.section}")

    def _restart(self) -> None:
        try:
            self.check_configuration()
        except RPCError as error:
            self.context.logger.error(f"not restarted: {error.text}")
        else:
            self.options.mood = SupervisorStates.RESTARTING

    def _reopen_logs(self) -> None:
        self.context.logger.info("supervisord logreopen")
        self.context.reopen_logs(self.context.logger.handlers)
        for group in self.process_groups.values():
            for process in group.processes.values():
                self.context.attempt(process.reopenlogs, f"reopening a log of {process.name}")

    def reap(self, once: bool = False) -> None:  # noqa: FBT001, FBT002 - plugins call it
        """Reap the dead children and notify their processes."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            process = self.context.children.pop(pid, None)
            if process is None:
                text = decode_wait_status(status)[1]
                self.context.logger.info(f"reaped unknown pid {pid} ({text})")
            else:
                self._finish(process, pid, status)
            if once:
                return

    def _finish(self, process: Subprocess, pid: int, status: int) -> None:
        self.context.attempt(lambda: process.finish(pid, status), f"the end of {process.name}")


def _probe_servers(configs: Iterable[ServerConfig], loop: Loop) -> None:
    """Open servers and close them again; raises `ServerError` if that is not possible."""
    for _, server in open_http_servers(configs, loop, getLogger()):
        server.close()


def _make_group(
    config: ProcessGroupConfig, context: Context, *, must_open: bool
) -> ProcessGroupBase:
    if isinstance(config, EventListenerPoolConfig):
        return EventListenerPool(config, context)
    if isinstance(config, FastCGIGroupConfig):
        from supervisor.process.fastcgi import FastCGIProcessGroup

        return FastCGIProcessGroup(config, context, must_open=must_open)
    return ProcessGroup(config, context)


def main(args: Sequence[str] | None = None) -> None:
    """Run the daemon; a failed start prints one line on stderr and exits with 2."""
    open_standard_streams()
    file, first = None, True
    service_manager = ServiceManager(os.environ)
    signals: deque[int] = deque()
    while True:
        options = ServerOptions()
        options.realize(args, file)
        daemon = Supervisor(options, service_manager, signals)
        try:
            _run(daemon, first=first)
        except (boot.BootError, ServerError) as error:
            backlogs.drain()  # of the run before a reload
            fail(str(error))
        if options.mood != SupervisorStates.RESTARTING:
            break
        file, first = options.file_before, False
    sys.exit(0)


def _run(daemon: Supervisor, *, first: bool) -> None:
    """Run the daemon, under the profiler if `profile_options` is set."""
    profiling = daemon.options.settings.profile_options
    if profiling is None:
        daemon.main(first=first)
        return
    import cProfile
    import pstats

    keys, with_callers = profiling
    profile = cProfile.Profile()
    try:
        profile.runcall(daemon.main, first=first)
    finally:
        stats = pstats.Stats(profile).sort_stats(*keys)
        stats.print_stats()
        if with_callers:
            stats.print_callers()


if __name__ == "__main__":
    main()
