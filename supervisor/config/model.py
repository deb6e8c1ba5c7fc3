"""Typed results of reading a configuration.

`Settings` and `ServerConfig` are frozen, because they describe the daemon.  Process and group
configs are mutable, because plugins assign to them before a spawn; `reread` compares them by
value.  None of them holds runtime state.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Mapping

from supervisor.common.records import field, names, record
from supervisor.datatypes import (
    Automatic,
    AutoRestart,
    LogTarget,
    RestartWhenExitUnexpected,
    Syslog,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from supervisor.common.addresses import TcpAddress
    from supervisor.common.dependency_graph import Requirement
    from supervisor.config.restart import RestartOptions


@record()
class ProcessConfig:
    """One process: a `[program:x]` section after `numprocs` has been expanded.

    `command_hint` is appended to errors about the command; see `config.comments`.
    """

    name: str
    command: str
    directory: str | None = None
    umask: int | None = None
    priority: int = 999
    autostart: bool = True
    autorestart: AutoRestart = RestartWhenExitUnexpected
    startsecs: int = 1
    startretries: int = 3
    uid: int | None = None
    stdout_logfile: LogTarget = Automatic
    stdout_capture_maxbytes: int = 0
    stdout_events_enabled: bool = False
    stdout_syslog: bool = False
    stdout_logfile_backups: int = 10
    stdout_logfile_maxbytes: int = 50 * 1024 * 1024
    stderr_logfile: LogTarget = Automatic
    stderr_capture_maxbytes: int = 0
    stderr_events_enabled: bool = False
    stderr_syslog: bool = False
    stderr_logfile_backups: int = 10
    stderr_logfile_maxbytes: int = 50 * 1024 * 1024
    stopsignal: int = signal.SIGTERM
    stopwaitsecs: int = 10
    stopasgroup: bool = False
    killasgroup: bool = False
    exitcodes: list[int] = field(default_factory=lambda: [0])
    redirect_stderr: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    serverurl: str | None = None
    command_hint: str = ""
    program: str = ""
    restart: RestartOptions | None = None
    depends_on: tuple[Requirement, ...] = ()
    depends_on_completed: tuple[Requirement, ...] = ()
    depends_on_exited: tuple[Requirement, ...] = ()
    dependency_timeout: float = 0.0
    on_dependency_failure: str = "ignore"

    def __eq__(self, other: object) -> bool:
        """Compare option by option; a log path generated for AUTO equals AUTO."""
        if type(other) is not type(self):
            return NotImplemented
        for option in names(type(self)):
            mine, theirs = getattr(self, option), getattr(other, option)
            is_log = option in ("stdout_logfile", "stderr_logfile")
            if is_log and Automatic in (mine, theirs):
                continue
            if mine != theirs:
                return False
        return True

    __hash__ = None  # type: ignore[assignment]  # mutable, compared by value


class EventListenerConfig(ProcessConfig):
    """A process of an `[eventlistener:x]` pool."""


class FastCGIProcessConfig(ProcessConfig):
    """A process of a `[fcgi-program:x]` group."""


@record()
class ProcessGroupConfig:
    """A process group, defined by a single `[program:x]` or by a `[group:x]`."""

    name: str
    priority: int
    process_configs: list[ProcessConfig]


@record()
class EventListenerPoolConfig(ProcessGroupConfig):
    """An `[eventlistener:x]` section, with its subscribed events and its result handler."""

    buffer_size: int
    pool_events: list[type]
    result_handler: Callable[[Any, bytes], None]


@record(frozen=True)
class InetSocketConfig:
    """A TCP socket shared by FastCGI processes."""

    address: TcpAddress
    backlog: int | None = None

    @property
    def url(self) -> str:
        """The address as the configuration writes it."""
        return f"tcp://{self.address}"


@record(frozen=True)
class UnixSocketConfig:
    """A unix socket shared by FastCGI processes; `owner` is (uid, gid)."""

    path: str
    owner: tuple[int, int] | None = None
    mode: int = 0o700
    backlog: int | None = None

    @property
    def url(self) -> str:
        """The address as the configuration writes it."""
        return f"unix://{self.path}"


SocketConfig = InetSocketConfig | UnixSocketConfig


@record()
class FastCGIGroupConfig(ProcessGroupConfig):
    """A `[fcgi-program:x]` section: its processes share one listening socket."""

    socket_config: SocketConfig


@record(frozen=True)
class ServerConfig:
    """One HTTP server, on a TCP address (`[inet_http_server]`) or a unix socket."""

    section: str
    address: TcpAddress | None = None
    file: str | None = None
    chmod: int = 0o700
    chown: tuple[int, int] = (-1, -1)
    username: str | None = None
    password: str | None = None
    allowed_hosts: tuple[str, ...] = ()

    @property
    def family(self) -> socket.AddressFamily:
        """AF_UNIX, or AF_INET for any TCP server; plugins (Supvisors) check this value."""
        return socket.AF_UNIX if self.address is None else socket.AF_INET

    @property
    def host(self) -> str | None:
        """The host without brackets, '' for all interfaces; None for a unix socket."""
        return None if self.address is None else self.address.host

    @property
    def port(self) -> int | None:
        """The TCP port; None for a unix socket."""
        return None if self.address is None else self.address.port

    def __getitem__(self, key: str) -> Any:
        """Support `server_configs[i]['family']`, which plugins (Supvisors) read."""
        return getattr(self, key)


@record(frozen=True)
class RPCInterfaceConfig:
    """One `[rpcinterface:x]` section; `factory` is called as factory(supervisord, **options)."""

    name: str
    factory: Callable[..., Any]
    options: Mapping[str, str]


def _temporary_directory() -> str:
    """Return the same directory as `tempfile.gettempdir`.

    Importing `tempfile` takes a tenth of the start-up time.  It picks the first writable
    candidate, which usually is the first one.
    """
    named = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    first = next(filter(None, named), "/tmp")  # noqa: S108 - see the docstring
    is_plain = first == os.path.abspath(first)
    if is_plain and os.path.isdir(first) and os.access(first, os.W_OK | os.X_OK):
        return first
    import tempfile

    try:
        return tempfile.gettempdir()
    except FileNotFoundError:  # read-only root: only AUTO logs need it, and they report the error
        return first


@record(frozen=True)
class Settings:
    """The daemon's own settings: `[supervisord]`, overridden by the command line.

    `logfile` is an absolute path or Syslog.  `logfile_origin` names the place where it is
    configured and is appended to errors about it.  `profile_options` holds the sort keys of the
    profiler's report and whether it lists callers; None disables profiling.
    """

    configfile: str | None
    here: str | None
    nodaemon: bool = False
    silent: bool = False
    uid: int | None = None
    gid: int | None = None
    umask: int = 0o22
    directory: str | None = None
    logfile: str | type[Syslog] = "supervisord.log"
    logfile_origin: str = ""
    logfile_maxbytes: int = 50 * 1024 * 1024
    logfile_backups: int = 10
    loglevel: int = 20
    pidfile: str = "supervisord.pid"
    identifier: str = "supervisor"
    childlogdir: str = field(default_factory=_temporary_directory)
    minfds: int = 1024
    minprocs: int = 200
    nocleanup: bool = False
    strip_ansi: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    profile_options: tuple[list[str], bool] | None = None


@record(frozen=True)
class Configuration:
    """The complete result of reading the files and the command line.

    `warnings`, `infos` and `criticals` are collected while reading and logged once the activity
    log is open.  `serverurl` becomes SUPERVISOR_SERVER_URL of the children, unless a program
    sets its own `serverurl`.
    """

    settings: Settings
    servers: tuple[ServerConfig, ...]
    groups: list[ProcessGroupConfig]
    rpcinterfaces: tuple[RPCInterfaceConfig, ...]
    serverurl: str | None = None
    criticals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
