"""The start of a daemon that has executed itself: it takes over all that the one before had.

`snapshot` is the other side.  From here on nothing may end the daemon, because its children are
running: what fails is logged as critical, and left out.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from functools import partial

from supervisor import events
from supervisor.common import resume_format
from supervisor.common.namespec import make_namespec
from supervisor.common.resume_format import Snapshot
from supervisor.config.saved_config import decode_configuration, decode_group
from supervisor.daemon import boot
from supervisor.daemon.pidfile import PidFile
from supervisor.daemon.start import RESUME_VARIABLE, Start, keep_files
from supervisor.engine import posix
from supervisor.http.listening import ServerError, adopt_listener, is_adoptable
from supervisor.http.server import HTTPServer
from supervisor.loggers import getLogger
from supervisor.logs import backlog, sinks
from supervisor.options import PLUGIN_CONFIG_CLASSES
from supervisor.process.dispatchers import adopt_dispatchers
from supervisor.process.event_pools import EventListenerPool, serials
from supervisor.process.group_factory import make_group
from supervisor.process.handover import adopt_child, restore_process, resume
from supervisor.process.saved_events import SavedEvents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping, Sequence
    from typing import Any

    from supervisor.config.model import ProcessGroupConfig, ServerConfig, Settings
    from supervisor.daemon.memory import Memory
    from supervisor.daemon.whole_daemon import WholeDaemon
    from supervisor.loggers import Logger
    from supervisor.options import ServerOptions
    from supervisor.process.child import Subprocess
    from supervisor.process.runtime import Runtime

NO_SNAPSHOT = Snapshot({"format": 0, "version": "?", "children": [], "listeners": []}, {})

MAX_SNAPSHOT_BYTES = 2**30


def take_over(environment: MutableMapping[str, str]) -> Start:
    """Return the start of a daemon that has executed itself, from the variable of that.

    It is an ordinary one if the variable belongs to another process.
    """
    fd, _, pid = environment.pop(RESUME_VARIABLE).partition(":")
    if pid != str(os.getpid()) or not fd.isdigit():
        return Start()
    return Resumption(_read(int(fd)))


def _read(fd: int) -> Snapshot:
    """Read the snapshot and close its fd; nothing in it is a problem that ends the daemon."""
    try:
        with open(fd, "rb") as file:
            return resume_format.decode(file.read(MAX_SNAPSHOT_BYTES))
    except (OSError, ValueError) as error:
        return Snapshot(NO_SNAPSHOT.head, {}, str(error))


class Abandoned:
    """A helper of the daemon before: it is killed, and its end means nothing."""

    name = "a helper"

    def finish(self, pid: int, status: int) -> None:
        """Do nothing: the helper has been reaped."""


class Resumption(Start):
    """The start of a daemon that takes over its own children."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._state = snapshot.state
        configuration = self._state.get("configuration") or {}
        super().__init__(
            is_first=False,
            file=configuration.get("file"),
            directory=configuration.get("start_directory"),
        )
        self._configuration: dict[str, Any] = configuration
        self._scales: dict[str, Any] = configuration.get("scales") or {}
        self._criticals: list[str] = []
        self._children = {each["name"]: each for each in snapshot.head["children"]}
        self._saved_processes: list[tuple[Subprocess, dict[str, Any]]] = []
        self._saved_pools: list[tuple[EventListenerPool, dict[str, Any]]] = []
        if snapshot.problem:
            self._criticals.append(
                f"the state of the daemon before cannot be read: {snapshot.problem};"
                " its running programs are found by their pids"
            )

    # -- before the daemon exists ---------------------------------------------------

    def configure(self, options: ServerOptions, args: Sequence[str] | None) -> None:
        """Read the configuration; without a valid one, the settings as they were."""
        options.scales.restore(self._scales)
        options.start_directory = self._directory
        options.arguments = list(sys.argv[1:] if args is None else args)
        options.file_before = self._file
        try:
            options.process_config(do_usage=False)
        except ValueError as error:
            self._criticals.append(f"the settings stay as they were, because of an error: {error}")
            options.configuration = decode_configuration(self._configuration)

    def prepare(self, options: ServerOptions) -> tuple[list[str], list[str]]:
        """Keep the fds that the snapshot names, and no others; return what to log."""
        kept = {*resume_format.fds_in(self._snapshot.head), *resume_format.fds_in(self._state)}
        for fd in kept:
            with suppress(OSError):
                os.set_inheritable(fd, False)
        posix.close_inherited_fds(options.settings.minfds, but=kept)
        keep_files()
        infos: list[str] = []
        uid = options.settings.uid
        if uid is not None and uid != os.getuid():
            self._criticals.append(f"user {uid} needs a restart: privileges cannot be changed now")
        try:
            infos = boot.raise_limits(options.settings)
        except boot.BootError as error:
            self._criticals.append(str(error))
        self._restore_logs()
        return self._criticals, infos

    def _restore_logs(self) -> None:
        logs = self._state.get("logs") or {}
        sinks.restore(logs.get("sinks") or [])
        backlog.restore(logs.get("backlogs") or [])
        if logs.get("copies"):
            from supervisor.logs import copies  # few daemons need it

            copies.restore(logs["copies"])
        if logs.get("syslog"):
            from supervisor.logs import syslog_target  # few daemons need it

            syslog_target.restore(logs["syslog"])

    def lock(self, settings: Settings) -> PidFile:
        """Return the pid file, which the daemon before has locked."""
        saved = self._state.get("pidfile") or {}
        before = PidFile(saved.get("path", settings.pidfile))
        before.restore(saved)
        if before.path == settings.pidfile:
            return before
        before.remove()
        pidfile = PidFile(settings.pidfile)
        with suppress(boot.BootError):  # `write` reports that
            pidfile.lock()
        return pidfile

    def open_log(self, settings: Settings) -> Logger:
        """Return the activity log; one without handlers if it cannot be opened."""
        try:
            return boot.open_activity_log(settings)
        except boot.BootError as error:
            sys.stderr.write(f"supervisord: {error}\n")
            return getLogger(settings.loglevel)

    # -- the parts of the daemon ----------------------------------------------------

    def open_servers(self, daemon: WholeDaemon) -> list[tuple[ServerConfig, HTTPServer]]:
        """Return the HTTP servers; those whose sockets have the same options have never closed.

        One that cannot be opened is left out.
        """
        loop, logger = daemon.runtime.loop, daemon.runtime.logger
        unused = list(self._state.get("servers") or ())
        servers: list[tuple[ServerConfig, HTTPServer]] = []
        missing: list[ServerConfig] = []
        for config in daemon.options.server_configs:
            saved = next((each for each in unused if is_adoptable(config, each)), None)
            if saved is None:
                missing.append(config)
                continue
            unused.remove(saved)
            opened = adopt_listener(saved)
            servers.append((config, HTTPServer(config, loop, logger, listener=opened)))
        for saved in unused:
            listener, file = adopt_listener(saved)
            if file is not None:
                file.remove()
            listener.close()
        for config in missing:
            try:
                servers.append((config, HTTPServer(config, loop, logger)))
            except ServerError as error:
                logger.critical(f"{config.section}: {error}")
        return servers

    def open_memory(self, daemon: WholeDaemon) -> Memory | None:
        """Return the memory of a daemon, None without a state file."""
        memory = super().open_memory(daemon)
        daemon.options.scales.restore(self._scales)  # the file may be a second older
        return memory

    def add_groups(self, daemon: WholeDaemon) -> None:
        """Add the groups as they were running, with the states of their processes.

        Plugins, which are made next, find all as it was; `start_programs` sets the timers.
        """
        made_directory = self._state.get("notify_directory")
        if made_directory is not None:
            daemon.runtime.services.notify_directory.restore(made_directory)
        for saved in self._state.get("groups") or ():
            add = partial(self._add_group, daemon, saved)
            daemon.runtime.run_guarded(add, "taking over a group")
        self._add_groups_of_children(daemon)
        daemon.options.process_group_configs[:] = [
            _config_in_use(daemon, config) for config in daemon.options.process_group_configs
        ]
        daemon.runtime.services.processes.groups_changed()
        self._restore_states(daemon)

    def _add_group(self, daemon: WholeDaemon, saved: dict[str, Any]) -> None:
        options = daemon.options
        config = decode_group(
            saved["config"], lambda kind: partial(PLUGIN_CONFIG_CLASSES[kind], options)
        )
        group = make_group(
            config, daemon.runtime, must_open=False, opened=saved.get("socket") or {}
        )
        daemon.process_groups[config.name] = group
        for each in saved["processes"]:
            if each["name"] in group.processes:
                self._saved_processes.append((group.processes[each["name"]], each))
        if isinstance(group, EventListenerPool):
            self._saved_pools.append((group, saved.get("pool") or {}))

    def _add_groups_of_children(self, daemon: WholeDaemon) -> None:
        """Add the configured groups of children whose groups could not be taken over."""
        missing = {name.partition(":")[0] for name in self._children} - daemon.process_groups.keys()
        for config in daemon.options.process_group_configs:
            if config.name in missing or not self._state:
                group = make_group(config, daemon.runtime, must_open=False)
                daemon.process_groups[config.name] = group
                for process in group.processes.values():
                    process.starts.withdraw()

    # -- the beginning --------------------------------------------------------------

    def enter_background(self, daemon: WholeDaemon) -> None:
        """Write the pid file, if its path has changed: the daemon is in the background already."""
        if daemon.pidfile.path != (self._state.get("pidfile") or {}).get("path"):
            daemon.pidfile.write(daemon.runtime.logger)

    def announce(self, daemon: WholeDaemon) -> None:
        """Publish to plugins that the daemon runs; for event listeners, nothing has happened."""
        event = events.SupervisorRunningEvent()
        for event_type, callback in tuple(events.callbacks):
            is_pool = isinstance(getattr(callback, "__self__", None), EventListenerPool)
            if isinstance(event, event_type) and not is_pool:
                daemon.runtime.run_guarded(partial(callback, event), "a subscriber")

    def start_programs(self, daemon: WholeDaemon) -> None:
        """Go on where the daemon before was; no program starts that was not to be started."""
        runtime = daemon.runtime
        # Not later: the next child would inherit the mask.
        signal.pthread_sigmask(signal.SIG_SETMASK, self._state.get("signal_mask") or ())
        for step, what in self._steps(daemon):
            runtime.run_guarded(step, what)
        runtime.logger.info(self._report())

    def _restore_states(self, daemon: WholeDaemon) -> None:
        runtime = daemon.runtime
        for process, saved in self._saved_processes:
            restore = partial(restore_process, process, saved)
            runtime.run_guarded(restore, f"taking over {process.name}")
        self._adopt_children(daemon)
        serials.next = self._state.get("event_serial", 0)
        saved_events = SavedEvents(runtime.logger)
        for pool, state in self._saved_pools:
            runtime.run_guarded(
                partial(pool.restore, state, saved_events), f"taking over {pool.config.name}"
            )

    def _report(self) -> str:
        head, number = self._snapshot.head, len(self._children)
        processes = f"{number} process{'' if number == 1 else 'es'}"
        return f"resumed {processes} from {head['version']} (format {self._snapshot.format})"

    def _steps(self, daemon: WholeDaemon) -> Iterator[tuple[Callable[[], object], str]]:
        """Yield what follows when all states have been restored."""
        state = self._state
        for process, saved in self._saved_processes:
            yield partial(resume, process, saved), f"going on with {process.name}"
        yield partial(self._end_helpers, daemon.runtime), "ending helpers"
        yield partial(self._restore_orphans, daemon), "taking over orphans"
        yield sinks.end_restore, "closing logs"
        if daemon.memory is not None:
            yield (
                partial(daemon.memory.resume, state.get("leftovers") or ()),
                "taking over leftovers",
            )
        yield partial(daemon.ticker.restore, state.get("ticks") or ()), "taking over ticks"
        yield partial(daemon.exits.resume, state.get("exits") or ()), "watching the programs"
        for pool, _ in self._saved_pools:
            yield pool.dispatch, f"sending events of {pool.config.name}"
        if daemon.signals is not None:
            yield partial(daemon.signals.extend, state.get("signals") or ()), "taking over signals"
        yield daemon.reap, "reaping"

    def _adopt_children(self, daemon: WholeDaemon) -> None:
        """Adopt the children that no process has taken over, by pid and start time."""
        known, logger = daemon.runtime.children, daemon.runtime.logger
        for name, child in self._children.items():
            if child["pid"] in known:
                continue
            group_name, _, process_name = name.rpartition(":")
            group = daemon.process_groups.get(group_name or process_name)
            process = None if group is None else group.processes.get(process_name)
            if process is None or process.pid:
                logger.critical(f"{name} (pid {child['pid']}) runs, but is no longer configured")
            elif adopt_child(process, child):
                logger.critical(f"{name} (pid {child['pid']}) is adopted by its pid")
                process.arm()

    def _end_helpers(self, runtime: Runtime) -> None:
        for pid in self._state.get("helpers") or ():
            runtime.children[pid] = Abandoned()
            with suppress(OSError):
                os.killpg(pid, signal.SIGKILL)

    def _restore_orphans(self, daemon: WholeDaemon) -> None:
        saved, runtime = self._state.get("orphans") or {}, daemon.runtime
        orphans, now = runtime.services.orphans, runtime.clock.monotonic()
        for group in saved.get("groups") or ():
            orphans.kill_group_later(group["pgid"], group["kill_at"] - now)
        processes = {
            make_namespec(process.group_name, process.name): process
            for process, _ in self._saved_processes
        }
        for each in saved.get("pipes") or ():
            process = processes.get(each["name"])
            if process is not None:
                for dispatcher in adopt_dispatchers(process, [each["pipe"]]).values():
                    runtime.loop.watch(dispatcher)
                    orphans.drain_later(dispatcher)


def _config_in_use(daemon: WholeDaemon, config: ProcessGroupConfig) -> ProcessGroupConfig:
    """Return the config of the running group if it is the same: it has the names of logs."""
    group = daemon.process_groups.get(config.name)
    return config if group is None or group.config != config else group.config
