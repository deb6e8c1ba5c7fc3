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
from supervisor.daemon.interfaces import has_plugins, make_handlers, open_servers
from supervisor.daemon.plugin_heartbeat import Heartbeat
from supervisor.daemon.reaping import Reaper
from supervisor.daemon.sd_notify import SystemdNotifier
from supervisor.daemon.shutdown import Shutdown, drain_servers
from supervisor.daemon.signals import SignalHandler
from supervisor.daemon.start import RESUME_VARIABLE, Start
from supervisor.daemon.ticks import Ticker
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
    from typing import Any

    from supervisor.config.model import ProcessGroupConfig, ServerConfig
    from supervisor.daemon.memory import Memory
    from supervisor.daemon.reexec import Reexec
    from supervisor.daemon.updates import Updates
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
        self.signals = signals
        self.service_manager = service_manager or SystemdNotifier({})
        self.process_groups: dict[str, ProcessGroupBase] = {}
        self._shutdown: Shutdown | None = None
        self.memory: Memory | None = None
        self._reexec: Reexec | None = None
        self.interfaces: list[tuple[str, Any]] = []
        """The names and objects of the RPC interfaces of all servers."""
        self.exits = Exits(self)

    @property
    def runtime(self) -> Runtime:
        """Runtime context (loop, logger, daemon state, settings) of processes and plugins."""
        return self.options.runtime

    @property
    def exit_status(self) -> int:
        """Exit status of a daemon that has shut down: 0, unless an option demands another."""
        return self.exits.status

    # -- start, run and exit ----------------------------------------------------

    def main(self, start: Start | None = None) -> None:
        """Boot, run until the daemon's state requires an end, clean up; raises `BootError`.

        Without a `start`, it is the first one.
        """
        start = start or Start()
        self._boot(start)
        try:
            self.run(start)
        except (boot.BootError, ServerError) as error:
            if not start.is_first:  # in the background stderr is lost
                self.runtime.logger.critical(str(error))
            raise
        finally:
            clean_up(
                self.runtime,
                (self.options.close_httpservers, self.reaper.close),
                self.process_groups.values(),
                self.pidfile,
                self.exits.conclude,
            )

    def _boot(self, start: Start) -> None:
        options, settings = self.options, self.options.settings
        criticals, infos = start.prepare(options)
        try:
            self.pidfile = start.lock(settings)
        except boot.BootError:
            self._try_sockets()
            raise
        logger = start.open_log(settings)
        boot.route_log_errors_to(logger)
        kept.report = logger.warn
        boot.log_startup_messages(logger, options.configuration, criticals, infos)
        loop = Loop(
            on_error=lambda text: logger.critical(f"{text}\n{exception_text()}"),
            signals=self.signals,
        )
        backlog.set_background_loop(loop)
        options.runtime = Runtime(loop, logger, settings, options.configuration.serverurl)
        options.runtime.services.processes = ProcessIndex(self.process_groups)
        self.reaper = Reaper(options.runtime)
        self.signal_handler = SignalHandler(self)

    def _try_sockets(self) -> None:
        """Raise `ServerError`, with the text that scripts expect, if a socket is in use."""
        loop = Loop()
        _probe_servers(self.options.server_configs, loop)
        loop.close()

    def run(self, start: Start | None = None) -> None:
        """Create servers and groups, daemonize, and run the loop to the end.

        The sockets are opened first: if that fails, the daemon has changed nothing yet.
        """
        start = start or Start()
        options = self.options
        options.httpservers = start.open_servers(self)
        self.memory = start.open_memory(self)
        start.add_groups(self)
        for server_config, server in options.httpservers:
            from supervisor.http.csrf import csrf_guard  # only for a daemon that has a server
            from supervisor.web import error_page

            server.error_page = error_page
            server.guards = [csrf_guard(server_config, server.tcp_address)]
            server.handlers = make_handlers(
                self,
                server_config,
                options.rpcinterface_factories,
                self.interfaces,
                start.interface_failed,
            )
        self.signal_handler.catch()
        start.enter_background(self)
        if options.settings.subreaper:
            self.reaper.adopt_orphans()
        self.runforever(start)

    def runforever(self, start: Start | None = None) -> None:
        """Run the loop until everything has been stopped."""
        start = start or Start()
        start.announce(self)
        self.signal_handler.handle_all()  # a SIGTERM during the reload prevents the start
        self.ticker = Ticker(self.runtime.loop, self)
        start.start_programs(self)
        if has_plugins(self.options.rpcinterface_factories):
            # Not earlier: it starts what seems to be due, and ends what seems to hang.
            self.runtime.loop.call_soon(Heartbeat(self).beat)
        self.service_manager.ready(f"{len(self.process_groups)} groups")
        while True:
            self.runtime.loop.run_once()
            if self.runtime.daemon_state < SupervisorStates.RUNNING and self._is_down():
                break
            if self._reexec is not None:
                self._reexec.advance()
        self.ticker.stop()
        if self.memory is not None:
            self.runtime.run_guarded(self.memory.close, "writing the state file")
        drain_servers((server for _, server in self.options.httpservers), self.runtime.loop)

    def _is_down(self) -> bool:
        if self._shutdown is None:
            if self.runtime.daemon_state == SupervisorStates.RESTARTING:
                self.service_manager.reloading()
            else:
                self.service_manager.stopping()
            if self.memory is not None:
                self.runtime.run_guarded(self.memory.stopping, "updating the state file")
            self.runtime.publish(events.SupervisorStoppingEvent())
            self._shutdown = Shutdown(self.process_groups.values(), self.runtime)
        requests = self.signal_handler.exit_requests
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
        self.exits.group_changed(self.process_groups[name])

    def remove_process_group(self, name: str) -> bool:
        """Remove a group; return False if some of its processes are not stopped."""
        group = self.process_groups[name]
        if group.get_unstopped_processes():
            return False
        group.before_remove()
        self.exits.group_removed(group)
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

    @property
    def reexec(self) -> Reexec:
        """The replacement of this daemon by the version that is installed."""
        if self._reexec is None:
            from supervisor.daemon.reexec import Reexec  # few daemons are replaced

            self._reexec = Reexec(self)
        return self._reexec

    @property
    def has_update_in_progress(self) -> bool:
        """Whether a plan of an update is being applied."""
        return "updates" in vars(self) and self.updates.is_busy

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
        self.reaper.reap(once=once)


def _probe_servers(configs: Sequence[ServerConfig], loop: Loop) -> None:
    """Open servers and close them again; raises `ServerError` if that is not possible."""
    for _, server in open_servers(configs, loop, getLogger()):
        server.close()


def main(args: Sequence[str] | None = None) -> None:
    """Run the daemon; a failed start prints one line on stderr and exits with 2."""
    open_standard_streams()
    if "--check" in (sys.argv[1:] if args is None else args):
        from supervisor.daemon import check

        check.run(sys.argv[1:] if args is None else args)
    start = _first_start()
    service_manager = SystemdNotifier(os.environ)
    signals: deque[int] = deque()
    while True:
        options = ServerOptions()
        start.configure(options, args)
        daemon = Supervisor(options, service_manager, signals)
        try:
            _run(daemon, start)
        except (boot.BootError, ServerError) as error:
            backlog.drain()  # of the run before a reload
            fail(str(error))
        if options.mood != SupervisorStates.RESTARTING:
            break
        start = Start(is_first=False, file=options.file_before, directory=options.start_directory)
    sys.exit(daemon.exit_status)


def _first_start() -> Start:
    """Return the first start, or the resumption of a daemon that has executed itself."""
    if RESUME_VARIABLE not in os.environ:
        return Start()
    from supervisor.daemon import resume  # only after an execution

    return resume.take_over(os.environ)


def _run(daemon: Supervisor, start: Start) -> None:
    """Run the daemon, under the profiler if `profile_options` is set."""
    run = partial(daemon.main, start)
    profiling = daemon.options.settings.profile_options
    if profiling is None:
        run()
    else:
        from supervisor.daemon.profiling import run_profiled

        keys, callers = profiling
        run_profiled(run, keys, callers=callers)


if __name__ == "__main__":
    main()
