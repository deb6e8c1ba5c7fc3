"""The start of a daemon that has executed itself: it takes over all that the one before had.

`snapshot` is the other side.  From here on nothing may end the daemon, because its children are
running: what fails is logged as critical, and left out.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress
from functools import partial

from supervisor import events
from supervisor.common import resume_format
from supervisor.common.faults import ServerError
from supervisor.common.namespec import make_namespec
from supervisor.common.records import replace
from supervisor.common.resume_format import Snapshot
from supervisor.config import standard_input
from supervisor.config.saved_config import decode_configuration, decode_group
from supervisor.daemon import boot
from supervisor.daemon.adoption import add_groups_of_children, adopt_children, find_children
from supervisor.daemon.config_diff import share_configs
from supervisor.daemon.pidfile import PidFile, running_pid
from supervisor.daemon.start import RESUME_VARIABLE, Start, keep_files
from supervisor.engine import posix
from supervisor.http.listening import adopt_listener, is_adoptable
from supervisor.http.server import HTTPServer
from supervisor.loggers import exception_text, getLogger
from supervisor.logs import backlog, sinks
from supervisor.options import PLUGIN_CONFIG_CLASSES
from supervisor.process.dispatchers import adopt_dispatchers
from supervisor.process.event_pools import EventListenerPool, serials
from supervisor.process.group_factory import make_group
from supervisor.process.handover import restore_process, resume
from supervisor.process.saved_events import SavedEvents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
    from typing import Any, TypeVar

    from supervisor.config.model import Configuration, ProcessGroupConfig, ServerConfig, Settings
    from supervisor.daemon.memory import Memory
    from supervisor.daemon.whole_daemon import WholeDaemon
    from supervisor.loggers import Logger
    from supervisor.options import ServerOptions
    from supervisor.process.child import Subprocess
    from supervisor.process.runtime import Runtime

    Result = TypeVar("Result")

SAME_SETTINGS = "the settings stay as they were"
NO_SETTINGS = "there are no settings and no servers"

FIXED_SETTINGS = ("uid", "nodaemon", "directory", "umask")
"""Settings that are applied once, when the daemon enters the background."""

CHANGED = "options of [supervisord] have changed that only its start applies: {}"

MAX_SNAPSHOT_BYTES = 2**30

COLLECTION_DELAY_SECONDS = 0.05
"""Time from the start to the first collection of garbage, which visits all objects, in seconds."""


def take_over(environment: MutableMapping[str, str]) -> Start:
    """Return the start of a daemon that has executed itself, from the variable of that.

    It is an ordinary one if the variable belongs to another process.
    """
    fd, _, pid = environment.pop(RESUME_VARIABLE).partition(":")
    if pid != str(os.getpid()) or not fd.isdigit():
        return Start()
    gc.disable()  # until the first responses have been sent: all that is made now stays
    return Resumption(_read(int(fd)))


def _read(fd: int) -> Snapshot:
    """Read the snapshot and close its fd; nothing in it is a problem that ends the daemon."""
    try:
        with open(fd, "rb") as file:
            return resume_format.decode(file.read(MAX_SNAPSHOT_BYTES))
    except (OSError, ValueError) as error:
        head = {"children": find_children()}
        fds = resume_format.fds_in(resume_format.encode(head, {}))
        return Snapshot(head, {}, str(error), fds)


def _decode(saved: dict[str, Any], options: ServerOptions) -> ProcessGroupConfig:
    """Return the config of a group; its processes have the classes that plugins expect."""
    return decode_group(saved, lambda kind: partial(PLUGIN_CONFIG_CLASSES[kind], options))


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
        configuration = self._state.get("configuration")
        if not isinstance(configuration, dict):
            configuration = {}
        super().__init__(
            is_first=False,
            file=configuration.get("file"),
            directory=configuration.get("start_directory"),
        )
        self._current_directory: str | None = configuration.get("directory")
        self._standard_input = _object(configuration.get("standard_input"))
        self._before = _decoded(configuration)
        self._scales: dict[str, Any] | None = configuration.get("scales")
        """Numbers of processes, None if they are unknown."""
        self._criticals: list[str] = []
        self._saved_processes: list[tuple[Subprocess, dict[str, Any]]] = []
        self._saved_pools: list[tuple[EventListenerPool, dict[str, Any]]] = []
        if snapshot.problem:
            self._criticals.append(
                f"the state of the daemon before cannot be read: {snapshot.problem};"
                " running programs are adopted by their pids, no other one is started"
            )

    # -- before the daemon exists ---------------------------------------------------

    def configure(self, options: ServerOptions, args: Sequence[str] | None) -> None:
        """Read the configuration; without a valid one, the settings as they were.

        Relative paths are below the directory of the first start, as they were then.  The programs
        are known already, unless the snapshot has no state.
        """
        if self._state.get("is_dumpable") is False:
            self._forbid_dumps()
        standard_input.restore(self._standard_input)
        try:
            options.scales.restore(self._scales or {})
        except (AttributeError, KeyError, TypeError) as error:
            self._criticals.append(f"numbers of processes cannot be taken over: {_reason(error)}")
            self._scales = None
        options.start_directory = self._directory
        options.arguments = list(sys.argv[1:] if args is None else args)
        options.file_before = self._file
        try:
            if self._state:
                options.read_settings()
            else:
                options.process_config(do_usage=False)
        except Exception as error:  # noqa: BLE001 - factories of plugins raise any exception
            outcome = NO_SETTINGS if self._before is None else SAME_SETTINGS
            self._criticals.append(f"{outcome}: {_reason(error)}")
            options.configuration = self._before or _bare_configuration(options)
        if self._current_directory is not None:
            with suppress(OSError, TypeError, ValueError):  # it has been removed
                os.chdir(self._current_directory)

    def _forbid_dumps(self) -> None:
        try:
            posix.forbid_dumps()
        except (ImportError, OSError) as error:
            text = f"programs of the same user can read the daemon's memory: {_reason(error)}"
            self._criticals.append(text)

    def prepare(self, options: ServerOptions) -> tuple[list[str], list[str]]:
        """Keep the fds that the snapshot names, and no others; return what to log."""
        kept = self._snapshot.fds
        for fd in kept:
            with suppress(OSError):
                os.set_inheritable(fd, False)
        posix.close_inherited_fds(options.settings.minfds, but=kept)
        keep_files()
        infos: list[str] = []
        try:
            infos = boot.raise_limits(options.settings)
        except boot.BootError as error:
            self._criticals.append(str(error))
        try:
            self._restore_logs()
        except Exception as error:  # noqa: BLE001 - nothing may end the daemon here
            self._criticals.append(f"open logs cannot be taken over: {_reason(error)}")
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
        try:
            before = PidFile(self._state["pidfile"]["path"])
            before.restore(self._state["pidfile"])
            if before.path == settings.pidfile:
                return before
            before.remove()
        except (AttributeError, KeyError, OSError, TypeError) as error:
            if self._state:
                self._criticals.append(f"the pid file cannot be taken over: {_reason(error)}")
        pidfile = PidFile(settings.pidfile)
        try:
            pidfile.lock()
        except boot.BootError as error:
            if running_pid(settings.pidfile) != os.getpid():  # else `write` replaces its own
                self._criticals.append(str(error))
                return PidFile(os.devnull)
        return pidfile

    def open_log(self, settings: Settings) -> Logger:
        """Return the activity log; the one before if it cannot be opened."""
        logfiles = [settings.logfile, os.devnull]
        if self._before is not None:
            logfiles.insert(1, self._before.settings.logfile)
        for logfile in logfiles:
            try:
                return boot.open_activity_log(replace(settings, logfile=logfile))
            except boot.BootError as error:
                self._criticals.append(str(error))  # they are logged when a log is open
        return getLogger(settings.loglevel)

    # -- the parts of the daemon ----------------------------------------------------

    def open_servers(self, daemon: WholeDaemon) -> list[tuple[ServerConfig, HTTPServer]]:
        """Return the HTTP servers; those whose sockets have the same options have never closed.

        One that cannot be opened is left out.
        """
        loop, logger = daemon.runtime.loop, daemon.runtime.logger
        unused = _objects(self._snapshot.head.get("listeners"))
        servers: list[tuple[ServerConfig, HTTPServer]] = []
        missing: list[ServerConfig] = []
        for config in daemon.options.server_configs:
            saved = next((each for each in unused if is_adoptable(config, each)), None)
            opened = None
            if saved is not None:
                unused.remove(saved)
                opened = _guard(daemon, partial(adopt_listener, saved), "taking over a server")
            if opened is None:
                missing.append(config)
            else:
                servers.append((config, HTTPServer(config, loop, logger, listener=opened)))
        for saved in unused:
            _guard(daemon, partial(_close_listener, saved), "closing a server")
        for config in missing:
            try:
                servers.append((config, HTTPServer(config, loop, logger)))
            except ServerError as error:
                logger.critical(f"{config.section}: {error}")
        return servers

    def interface_failed(self, error: boot.BootError, logger: Logger) -> None:
        """Log an RPC interface that cannot be made; the daemon goes on without it."""
        logger.critical(str(error))

    def open_memory(self, daemon: WholeDaemon) -> Memory | None:
        """Return the memory of a daemon, None without a state file."""
        memory = super().open_memory(daemon)
        if self._scales is not None:
            daemon.options.scales.restore(self._scales)  # the file may be a second older
        return memory

    def add_groups(self, daemon: WholeDaemon) -> None:
        """Add the groups as they were running, with the states of their processes.

        Plugins, which are made next, find all as it was; `start_programs` sets the timers.
        """
        made_directory = self._state.get("notify_directory")
        if made_directory is not None:
            restore = partial(daemon.runtime.services.notify_directory.restore, made_directory)
            _guard(daemon, restore, "taking over the directory of sockets")
        groups = self._state.get("groups")
        for saved in _objects(groups):
            add = partial(self._add_group, daemon, saved)
            _guard(daemon, add, f"taking over the group {saved.get('name')}")
        is_complete = isinstance(groups, list) and len(daemon.process_groups) == len(groups)
        if is_complete and "configured" in self._state:
            restore = partial(self._restore_configured, daemon)
            _guard(daemon, restore, "taking over changes that are pending")
        else:
            self._add_missing_groups(daemon)
        daemon.runtime.services.processes.groups_changed()
        self._restore_states(daemon)

    def _restore_configured(self, daemon: WholeDaemon) -> None:
        """Restore the configuration of the groups as the daemon before has read it."""
        options, running = daemon.options, daemon.process_groups
        options.process_group_configs = [group.config for group in running.values()]
        options.process_group_configs = [
            running[each].config if isinstance(each, str) else _decode(each, options)
            for each in self._state["configured"]
        ]
        stamps = tuple((path, time) for path, time in self._state.get("file_stamps") or ())
        options.configuration = replace(options.configuration, file_stamps=stamps)

    def _add_missing_groups(self, daemon: WholeDaemon) -> None:
        """Add the groups that cannot be taken over, as they are configured now."""
        options = daemon.options
        if self._state:
            read = partial(options.process_config, do_usage=False)
            _guard(daemon, read, "reading the configuration")
        head, has_state = self._snapshot.head, bool(_objects(self._state.get("groups")))
        add = partial(add_groups_of_children, daemon, head, has_state=has_state)
        _guard(daemon, add, "adding the groups of children")
        share_configs(options.process_group_configs, daemon.process_groups)

    def _add_group(self, daemon: WholeDaemon, saved: dict[str, Any]) -> None:
        config = _decode(saved["config"], daemon.options)
        socket = _object(self._snapshot.head.get("fastcgi_sockets")).get(config.name)
        group = make_group(config, daemon.runtime, must_open=False, opened=socket)
        daemon.process_groups[config.name] = group
        for each in saved["processes"]:
            if each["name"] in group.processes:
                self._saved_processes.append((group.processes[each["name"]], each))
        if isinstance(group, EventListenerPool):
            self._saved_pools.append((group, saved.get("pool") or {}))

    # -- the beginning --------------------------------------------------------------

    def enter_background(self, daemon: WholeDaemon) -> None:
        """Write the pid file, if its path has changed: the daemon is in the background already."""
        self._report_fixed_settings(daemon)
        before = self._before
        if before and before.settings.subreaper and not daemon.options.settings.subreaper:
            leave = partial(posix.set_subreaper, is_subreaper=False)
            _guard(daemon, leave, "leaving orphans to pid 1")
        if not daemon.pidfile.is_written:
            daemon.pidfile.write(daemon.runtime.logger)

    def _report_fixed_settings(self, daemon: WholeDaemon) -> None:
        """Log which changed settings only a start of the daemon applies."""
        if self._before is None:
            return
        before, now = self._before.settings, daemon.options.settings
        changed = [name for name in FIXED_SETTINGS if getattr(before, name) != getattr(now, name)]
        if changed:
            names = ", ".join("user" if name == "uid" else name for name in changed)
            daemon.runtime.logger.warn(CHANGED.format(names))

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
        mask, valid = self._state.get("signal_mask"), [*signal.valid_signals()]
        numbers = [each for each in mask if each in valid] if isinstance(mask, list) else []
        signal.pthread_sigmask(signal.SIG_SETMASK, numbers)
        for step, what in self._steps(daemon):
            _guard(daemon, step, what)
        runtime.logger.info(self._report())
        runtime.loop.call_later(COLLECTION_DELAY_SECONDS, gc.enable)

    def _restore_states(self, daemon: WholeDaemon) -> None:
        runtime = daemon.runtime
        for process, saved in self._saved_processes:
            restore = partial(_restore_process, process, saved)
            _guard(daemon, restore, f"taking over {process.name}")
        adopt = partial(adopt_children, daemon, self._snapshot.head["children"])
        _guard(daemon, adopt, "adopting children")
        serial = self._state.get("event_serial")
        serials.next = serial if isinstance(serial, int) else 0
        saved_events = SavedEvents(runtime.logger)
        for pool, state in self._saved_pools:
            restore = partial(pool.restore, state, saved_events)
            _guard(daemon, restore, f"taking over {pool.config.name}")

    def _report(self) -> str:
        head = self._snapshot.head
        number = len(head["children"])
        processes = f"{number} process{'' if number == 1 else 'es'}"
        if "format" not in head:
            return f"resumed {processes}, found in /proc"
        return f"resumed {processes} from {head.get('version')} (format {head['format']})"

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
            if process is None:  # it has been removed
                os.close(each["pipe"]["fd"])
                continue
            for dispatcher in adopt_dispatchers(process, [each["pipe"]]).values():
                runtime.loop.watch(dispatcher)
                orphans.drain_later(dispatcher)


def _restore_process(process: Subprocess, saved: Mapping[str, Any]) -> None:
    """Restore the state of a process; without it, the process is not started by itself."""
    try:
        restore_process(process, saved)
    except Exception:
        process.starts.withdraw()
        raise


def _guard(daemon: WholeDaemon, step: Callable[[], Result], what: str) -> Result | None:
    """Return the result of a step; an error is logged in one line, and prevents nothing else."""
    try:
        return step()
    except Exception as error:  # noqa: BLE001 - a snapshot may contain anything
        daemon.runtime.logger.critical(f"{what} failed: {_reason(error)}")
        daemon.runtime.logger.debug(exception_text())
        return None


def _object(value: Any) -> dict[str, Any]:
    """Return an object of JSON, an empty one in place of any other value."""
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list of JSON, no other values."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _reason(error: Exception) -> str:
    """Return the text of an error; with its type if the text is not one for users."""
    if isinstance(error, (boot.BootError, OSError)) or type(error) is ValueError:
        return str(error)
    return f"{type(error).__name__}: {error}"


def _decoded(configuration: Mapping[str, Any]) -> Configuration | None:
    """Return the configuration of a snapshot, None if it cannot be decoded."""
    try:
        return decode_configuration(configuration)
    except (KeyError, TypeError, ValueError):
        return None


def _bare_configuration(options: ServerOptions) -> Configuration:
    """Return a configuration that names no file and no server."""
    settings = replace(
        options.configuration.settings, logfile=os.devnull, pidfile=os.devnull, nodaemon=True
    )
    return replace(options.configuration, settings=settings)


def _close_listener(saved: Mapping[str, Any]) -> None:
    """Close a listening socket that is no longer configured, and remove its file."""
    listener, file = adopt_listener(saved)
    if file is not None:
        file.remove()
    listener.close()
