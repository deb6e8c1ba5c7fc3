"""The ways in which a run of the daemon begins: the first start, and a reload.

`supervisord` calls the methods in their order; `resume.Resumption` is the third way.
"""

from __future__ import annotations

import gc
import os

from supervisor import events
from supervisor.daemon import boot
from supervisor.daemon.interfaces import open_servers
from supervisor.daemon.pidfile import PidFile
from supervisor.engine import paths
from supervisor.engine.installation import kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from supervisor.config.model import ServerConfig, Settings
    from supervisor.daemon.memory import Memory
    from supervisor.daemon.whole_daemon import WholeDaemon
    from supervisor.http.server import HTTPServer
    from supervisor.loggers import Logger
    from supervisor.options import ServerOptions

RESUME_VARIABLE = "SUPERVISOR_RESUME"
"""Environment variable of a daemon that has executed itself: fd of the snapshot, and its pid."""


class Start:
    """A start: the first one, or the one that follows a reload.

    `file` is the configuration file of the run before, if the daemon has changed the directory
    from which it was found, and `directory` that directory.
    """

    def __init__(
        self, *, is_first: bool = True, file: str | None = None, directory: str | None = None
    ) -> None:
        self.is_first = is_first
        self._file = file
        self._directory = directory or current_directory()

    def configure(self, options: ServerOptions, args: Sequence[str] | None) -> None:
        """Read the configuration; an error ends the program."""
        options.start_directory = self._directory
        options.realize(args, self._file)

    def prepare(self, options: ServerOptions) -> tuple[list[str], list[str]]:
        """Change what belongs to the whole process; return what to log as critical and as info.

        Raises `BootError`.
        """
        gc.enable()  # a resumed daemon that reloads at once has not done it yet
        if self.is_first:
            options.cleanup_fds()
            keep_files()
        criticals, infos = boot.drop_privileges(options.settings)
        return criticals, infos + boot.raise_limits(options.settings)

    def lock(self, settings: Settings) -> PidFile:
        """Return the locked pid file; raises `BootError` if another daemon runs."""
        pidfile = PidFile(settings.pidfile)
        pidfile.lock()
        return pidfile

    def open_log(self, settings: Settings) -> Logger:
        """Return the activity log; raises `BootError`."""
        return boot.open_activity_log(settings)

    def open_servers(self, daemon: WholeDaemon) -> Sequence[tuple[ServerConfig, HTTPServer]]:
        """Return the HTTP servers, which listen; raises `ServerError`."""
        options, runtime = daemon.options, daemon.runtime
        return open_servers(options.server_configs, runtime.loop, runtime.logger)

    def interface_failed(self, error: boot.BootError, _logger: Logger) -> None:
        """End the program: an RPC interface cannot be made."""
        raise error

    def open_memory(self, daemon: WholeDaemon) -> Memory | None:
        """Return the memory of a daemon, None without a state file.

        If the file has numbers of processes, the configuration is read again, with these.
        """
        runtime, options, path = daemon.runtime, daemon.options, daemon.runtime.settings.statefile
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

    def add_groups(self, daemon: WholeDaemon) -> None:
        """Add the configured groups; raises `BootError`."""
        settings = daemon.runtime.settings
        if not settings.nocleanup:
            boot.remove_old_auto_logs(settings, daemon.runtime.logger)
        try:
            for config in daemon.options.process_group_configs:
                # After a reload the other programs must start again: a user who may write to
                # the directory of a socket could prevent that.
                daemon.add_process_group(config, must_open=self.is_first)
        except OSError as error:
            raise boot.BootError(
                f"Cannot create a log in {settings.childlogdir}: {error}"
            ) from None
        except ValueError as error:  # a FastCGI socket
            raise boot.BootError(str(error)) from None

    def enter_background(self, daemon: WholeDaemon) -> None:
        """Daemonize, if the first start is not one in the foreground; write the pid file."""
        settings, logger = daemon.runtime.settings, daemon.runtime.logger
        if not self.is_first or settings.nodaemon:
            daemon.pidfile.write(logger)
            return
        with boot.daemonized(settings, logger):
            daemon.pidfile.write(logger)
        if settings.directory:  # a relative path is no longer found there
            daemon.options.file_before = settings.configfile

    def announce(self, daemon: WholeDaemon) -> None:
        """Publish that the daemon runs."""
        daemon.runtime.publish(events.SupervisorRunningEvent())

    def start_programs(self, daemon: WholeDaemon) -> None:
        """Start the programs that are to be started; they then may end the daemon."""
        if daemon.memory is not None:
            daemon.runtime.run_guarded(daemon.memory.restore, "applying the state file")
        for group in sorted(daemon.process_groups.values()):
            group.transition()
        daemon.exits.begin()


def current_directory() -> str | None:
    """Return the current directory, None if it has been removed."""
    try:
        return os.getcwd()
    except OSError:
        return None


def keep_files() -> None:
    """Prepare for a package that is replaced, and for a shortage of fds."""
    kept.keep()  # while the files can be read
    paths.mounts.slow_points()  # keeps the table open; later there may be no free fd
