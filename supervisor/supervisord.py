"""The daemon: builds, runs and shuts down everything (floor 6, composition root).

`main` is the console script `supervisord`.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from functools import cached_property, partial

from supervisor import events
from supervisor.common.faults import Faults, RPCError, ServerError
from supervisor.common.stdio import open_standard_streams
from supervisor.config.commandline import fail
from supervisor.daemon import boot
from supervisor.daemon.cleanup import clean_up
from supervisor.daemon.config_diff import difference
from supervisor.daemon.exits import Exits
from supervisor.daemon.interfaces import has_plugins, make_handlers
from supervisor.daemon.pidfile import PidFile
from supervisor.daemon.plugin_heartbeat import Heartbeat
from supervisor.daemon.reaping import Reaper
from supervisor.daemon.sd_notify import SystemdNotifier
from supervisor.daemon.shutdown import Shutdown, drain_servers
from supervisor.daemon.signals import SignalHandler
from supervisor.daemon.ticks import Ticker
from supervisor.engine import paths
from supervisor.engine.installation import kept
from supervisor.engine.loop import Loop
from supervisor.loggers import exception_text, getLogger
from supervisor.logs import backlog
from supervisor.options import ServerOptions
from supervisor.process.dependencies import ProcessIndex
from supervisor.process.group_factory import make_group
from supervisor.process.groups import create_auto_logs
from supervisor.process.runtime import Runtime
from supervisor.states import SupervisorStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from supervisor.config.model import ProcessGroupConfig, ServerConfig
    from supervisor.daemon.memory import Memory
    from supervisor.daemon.updates import Updates
    from supervisor.http.server import HTTPServer
    from supervisor.loggers import Logger
    from supervisor.process.groups import ProcessGroupBase
    from supervisor.process.streams import Dispatcher

__all__ = ["Supervisor", "SupervisorStates", "main"]


class Supervisor:
    """The running daemon; plugins know it as `supervisord`."""

    def __init__(
        self,
        options: ServerOptions,
        service_manager: SystemdNotifier | None = None,
        signals: deque[int] | None = None,
    ) -> None:
        """Take the objects that all runs share; `signals` is the queue of unhandled signals."""
        self.options = options
        self._signals = signals
        self._service_manager = service_manager or SystemdNotifier({})
        self.process_groups: dict[str, ProcessGroupBase] = {}
        self._shutdown: Shutdown | None = None
        self._memory: Memory | None = None
        self._exits = Exits(self)

    @property
    def runtime(self) -> Runtime:
        """Runtime context (loop, logger, daemon state, settings) of processes and plugins."""
        return self.options.runtime

    @property
    def exit_status(self) -> int:
        """Exit status of a daemon that has shut down: 0, unless an option demands another."""
        return self._exits.status

    # -- start, run and exit ----------------------------------------------------

    def main(self, *, is_initial_start: bool = True) -> None:
        """Boot, run until the daemon's state requires an end, clean up; raises `BootError`."""
        self._boot(is_initial_start=is_initial_start)
        try:
            self.run(is_initial_start=is_initial_start)
        except (boot.BootError, ServerError) as error:
            if not is_initial_start:  # in the background stderr is lost
                self.runtime.logger.critical(str(error))
            raise
        finally:
            clean_up(
                self.runtime,
                (self.options.close_httpservers, self._reaper.close),
                self.process_groups.values(),
                self._pidfile,
                self._exits.conclude,
            )

    def _boot(self, *, is_initial_start: bool) -> None:
        options, settings = self.options, self.options.settings
        if is_initial_start:
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
        boot.route_log_errors_to(logger)
        kept.report = logger.warn
        boot.log_startup_messages(logger, options.configuration, criticals, infos)
        loop = Loop(
            on_error=lambda text: logger.critical(f"{text}\n{exception_text()}"),
            signals=self._signals,
        )
        backlog.set_background_loop(loop)
        options.runtime = Runtime(loop, logger, settings, options.configuration.serverurl)
        options.runtime.services.processes = ProcessIndex(self.process_groups)
        self._reaper = Reaper(options.runtime)
        self._signal_handler = SignalHandler(self)

    def _try_sockets(self) -> None:
        """Raise `ServerError`, with the text that scripts expect, if a socket is in use."""
        loop = Loop()
        _probe_servers(self.options.server_configs, loop)
        loop.close()

    def run(self, *, is_initial_start: bool = True) -> None:
        """Create servers and groups, daemonize, and run the loop to the end.

        The sockets are opened first: if that fails, the daemon has changed nothing yet.
        """
        options, settings, runtime = self.options, self.options.settings, self.runtime
        options.httpservers = _open_servers(options.server_configs, runtime.loop, runtime.logger)
        self._memory = _open_memory(self)
        if not settings.nocleanup:
            boot.remove_old_auto_logs(settings, runtime.logger)
        try:
            for config in options.process_group_configs:
                # After a reload the other programs must start again: a user who may write to
                # the directory of a socket could prevent that.
                self.add_process_group(config, must_open=is_initial_start)
        except OSError as error:
            raise boot.BootError(
                f"Cannot create a log in {settings.childlogdir}: {error}"
            ) from None
        except ValueError as error:  # a FastCGI socket
            raise boot.BootError(str(error)) from None
        for server_config, server in options.httpservers:
            from supervisor.http.csrf import csrf_guard  # only for a daemon that has a server
            from supervisor.web import error_page

            server.error_page = error_page
            server.guards = [csrf_guard(server_config, server.tcp_address)]
            server.handlers = make_handlers(self, server_config, options.rpcinterface_factories)
        self._signal_handler.catch()
        if is_initial_start and not settings.nodaemon:
            with boot.daemonized(settings, runtime.logger):
                self._pidfile.write(runtime.logger)
            if settings.directory:  # a relative path is no longer found there
                options.file_before = settings.configfile
        else:
            self._pidfile.write(runtime.logger)
        if settings.subreaper:
            self._reaper.adopt_orphans()
        self.runforever()

    def runforever(self) -> None:
        """Run the loop until everything has been stopped."""
        self.runtime.publish(events.SupervisorRunningEvent())
        self._signal_handler.handle_all()  # a SIGTERM during the reload prevents the start
        ticker = Ticker(self.runtime.loop, self)
        if has_plugins(self.options.rpcinterface_factories):
            Heartbeat(self).beat()
        if self._memory is not None:
            self.runtime.run_guarded(self._memory.restore, "applying the state file")
        for group in sorted(self.process_groups.values()):
            group.transition()
        self._exits.begin()
        self._service_manager.ready(f"{len(self.process_groups)} groups")
        while True:
            self.runtime.loop.run_once()
            if self.runtime.daemon_state < SupervisorStates.RUNNING and self._is_down():
                break
        ticker.stop()
        if self._memory is not None:
            self.runtime.run_guarded(self._memory.close, "writing the state file")
        drain_servers((server for _, server in self.options.httpservers), self.runtime.loop)

    def _is_down(self) -> bool:
        if self._shutdown is None:
            if self.runtime.daemon_state == SupervisorStates.RESTARTING:
                self._service_manager.reloading()
            else:
                self._service_manager.stopping()
            if self._memory is not None:
                self.runtime.run_guarded(self._memory.stopping, "updating the state file")
            self.runtime.publish(events.SupervisorStoppingEvent())
            self._shutdown = Shutdown(self.process_groups.values(), self.runtime)
        requests = self._signal_handler.exit_requests
        if self.runtime.settings.shutdown_timeout and len(requests) > 1:
            self._shutdown.kill(f"received {requests[1]} as a second exit request")
        return self._shutdown.advance()

    # -- groups -----------------------------------------------------------------

    def add_process_group(self, config: ProcessGroupConfig, *, must_open: bool = True) -> bool:
        """Add a group; return False if a group of that name exists.

        Raises `OSError` for a log, `ValueError` for a FastCGI socket if it `must_open`.
        """
        if config.name in self.process_groups:
            return False
        for process_config in config.process_configs:
            create_auto_logs(process_config, self.runtime.settings)
        self.process_groups[config.name] = make_group(config, self.runtime, must_open=must_open)
        self.runtime.services.processes.groups_changed()
        self.process_group_changed(config.name)
        self.runtime.publish(events.ProcessGroupAddedEvent(config.name))
        return True

    def process_group_changed(self, name: str) -> None:
        """Follow a change of the processes of a group, or of their options."""
        self._exits.group_changed(self.process_groups[name])

    def remove_process_group(self, name: str) -> bool:
        """Remove a group; return False if some of its processes are not stopped."""
        group = self.process_groups[name]
        if group.get_unstopped_processes():
            return False
        group.before_remove()
        self._exits.group_removed(group)
        del self.process_groups[name]
        self.runtime.services.processes.groups_changed()
        self.runtime.publish(events.ProcessGroupRemovedEvent(name))
        return True

    def get_process_map(self) -> dict[int, Dispatcher]:
        """Return the dispatchers by fd; plugins replace it, see `plugin_heartbeat`."""
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

    def reread_steps(self) -> Generator[None, None, None]:
        """Read the configuration again, in steps; raises `RPCError` CANT_REREAD."""
        try:
            yield from self.options.reread_steps()
        except ValueError as error:
            raise RPCError(Faults.CANT_REREAD, error) from None

    @cached_property
    def updates(self) -> Updates:
        """Plans of updates, and their application."""
        from supervisor.daemon.updates import Updates  # not every daemon is updated

        return Updates(self)

    def check_configuration(self) -> None:
        """Check that a restart would find a valid configuration; raises `RPCError`."""
        try:
            servers = self.options.check().servers
            own = {config.file or config.port for config, _ in self.options.httpservers}
            # What this daemon uses itself is free by then.
            others = [config for config in servers if (config.file or config.port) not in own]
            _probe_servers(others, self.runtime.loop)
        except (ValueError, ServerError) as error:
            raise RPCError(Faults.CANT_REREAD, error) from None

    # -- signals ------------------------------------------------------------------

    def reap(self, once: bool = False) -> None:  # noqa: FBT001, FBT002 - plugins call it
        """Reap the dead children and notify their processes."""
        self._reaper.reap(once=once)


def _open_memory(daemon: Supervisor) -> Memory | None:
    """Return the memory of a daemon, None without a state file.

    If the file has numbers of processes, the configuration is read again, with these.
    """
    runtime, options, path = daemon.runtime, daemon.options, daemon.options.settings.statefile
    if path is None:
        return None
    from supervisor.daemon.memory import Memory  # few daemons have a state file

    memory = Memory(runtime, daemon.process_groups, options.scales, path)
    if options.scales.snapshot():
        try:
            options.process_config(do_usage=False)
        except ValueError as error:
            text = f"the numbers of processes in the state file {path} are ignored: {error}"
            runtime.logger.warn(text)
    return memory


def _probe_servers(configs: Sequence[ServerConfig], loop: Loop) -> None:
    """Open servers and close them again; raises `ServerError` if that is not possible."""
    for _, server in _open_servers(configs, loop, getLogger()):
        server.close()


def _open_servers(
    configs: Sequence[ServerConfig], loop: Loop, logger: Logger
) -> Sequence[tuple[ServerConfig, HTTPServer]]:
    """Open all servers, or none; raises `ServerError`."""
    if not configs:
        return []
    from supervisor.http.server import open_http_servers  # only for a daemon that has a server

    return open_http_servers(configs, loop, logger)


def main(args: Sequence[str] | None = None) -> None:
    """Run the daemon; a failed start prints one line on stderr and exits with 2."""
    open_standard_streams()
    if "--check" in (sys.argv[1:] if args is None else args):
        from supervisor.daemon import check

        check.run(sys.argv[1:] if args is None else args)
    file, is_initial_start = None, True
    service_manager = SystemdNotifier(os.environ)
    signals: deque[int] = deque()
    while True:
        options = ServerOptions()
        options.realize(args, file)
        daemon = Supervisor(options, service_manager, signals)
        try:
            _run(daemon, is_initial_start=is_initial_start)
        except (boot.BootError, ServerError) as error:
            backlog.drain()  # of the run before a reload
            fail(str(error))
        if options.mood != SupervisorStates.RESTARTING:
            break
        file, is_initial_start = options.file_before, False
    sys.exit(daemon.exit_status)


def _run(daemon: Supervisor, *, is_initial_start: bool) -> None:
    """Run the daemon, under the profiler if `profile_options` is set."""
    run = partial(daemon.main, is_initial_start=is_initial_start)
    profiling = daemon.options.settings.profile_options
    if profiling is None:
        run()
    else:
        from supervisor.daemon.profiling import run_profiled

        keys, callers = profiling
        run_profiled(run, keys, callers=callers)


if __name__ == "__main__":
    main()
