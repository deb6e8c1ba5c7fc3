"""Typed results of reading a configuration, and the rows of their options.

`Settings` and `ServerConfig` are frozen, because they describe the daemon.  Process and group
configs are mutable, because plugins assign to them before a spawn; `reread` compares them by
value.  None of them holds runtime state.  `config.option` explains the rows, and
`config.process_config` has those of a program.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping

from supervisor.common.addresses import TcpAddress
from supervisor.common.records import record
from supervisor.common.text import ACTIVITY_FORMAT, RAW_FORMAT
from supervisor.config.conversions import line_format, one_of, seconds
from supervisor.config.option import Option, named, option, option_record
from supervisor.config.process_config import (
    EventListenerConfig,
    FastCGIProcessConfig,
    ProcessConfig,
)
from supervisor.config.state import KILL, state_path
from supervisor.config.stream_config import StreamConfig
from supervisor.datatypes import (
    Syslog,
    activity_logfile,
    boolean,
    byte_size,
    colon_separated_user_group,
    dict_of_key_value_pairs,
    existing_directory,
    existing_dirpath,
    integer,
    list_of_names,
    logging_level,
    octal_type,
    resource_limit,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from supervisor.config.file_stamps import Stamps
    from supervisor.config.parser import Remark


__all__ = [
    "INET_HTTP_SERVER",
    "UNIX_HTTP_SERVER",
    "Configuration",
    "EventListenerConfig",
    "EventListenerPoolConfig",
    "FastCGIGroupConfig",
    "FastCGIProcessConfig",
    "InetSocketConfig",
    "ProcessConfig",
    "ProcessGroupConfig",
    "RPCInterfaceConfig",
    "ServerConfig",
    "Settings",
    "SocketConfig",
    "StreamConfig",
    "UnixSocketConfig",
]


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


@option_record(frozen=True)
class InetSocketConfig:
    """A TCP socket shared by FastCGI processes."""

    address: TcpAddress
    backlog: int | None = option(
        integer,
        "limit of pending connections (default: the system's maximum)",
        name="socket_backlog",
        default=None,
    )

    @property
    def url(self) -> str:
        """The address as the configuration writes it."""
        return f"tcp://{self.address}"


@option_record(frozen=True)
class UnixSocketConfig:
    """A unix socket shared by FastCGI processes; `owner` is (uid, gid)."""

    path: str
    owner: tuple[int, int] | None = option(
        named("socket_owner", colon_separated_user_group),
        "owner of a unix socket (default: user= and its group)",
        name="socket_owner",
        default=None,
    )
    mode: int = option(
        named("socket_mode", octal_type),
        "mode of a unix socket",
        name="socket_mode",
        default="0700",
    )
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


UNIX_HTTP_SERVER = "unix_http_server"
INET_HTTP_SERVER = "inet_http_server"


def host_names(value: str) -> tuple[str, ...]:
    """Return the comma-separated names."""
    return tuple(list_of_names(value))


@option_record(frozen=True)
class ServerConfig:
    """One HTTP server, on a TCP address (`[inet_http_server]`) or a unix socket."""

    section: str
    address: TcpAddress | None = option(
        TcpAddress.parse,
        "host:port, or *:port for every interface (required)",
        name="port",
        default=None,
        only=INET_HTTP_SERVER,
    )
    file: str | None = option(
        str, "path of the socket (required)", default=None, only=UNIX_HTTP_SERVER
    )
    username: str | None = option(
        str, "require this user name (default: no authentication)", default=None
    )
    password: str | None = option(
        str, "require this password, plain or as {SHA}hexdigits", default=None
    )
    chown: tuple[int, int] = option(
        named("sockchown", colon_separated_user_group),
        "owner of the socket file (user or user:group)",
        default=None,
        value=(-1, -1),
        only=UNIX_HTTP_SERVER,
    )
    chmod: int = option(
        named("chmod", octal_type),
        "mode of the socket file: who may connect",
        default="0700",
        only=UNIX_HTTP_SERVER,
    )
    allowed_hosts: tuple[str, ...] = option(  # not in Supervisor 4.3
        host_names,
        "more host names for browsers (loopback without a password)",
        default="",
        only=INET_HTTP_SERVER,
    )

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


def temporary_directory() -> str:
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


def activity_format(value: str) -> str:
    """Return a format of the activity log; see `common.log_formats`."""
    if value == ACTIVITY_FORMAT:
        return value
    from supervisor.common.log_formats import check_activity_format  # few daemons need it

    return check_activity_format(value)


@option_record(frozen=True)
class Settings:
    """The daemon's own settings: `[supervisord]`, overridden by the command line.

    `logfile` is an absolute path or Syslog.  `logfile_origin` names the place where it is
    configured and is appended to errors about it.  `profile_options` holds the sort keys of the
    profiler's report and whether it lists callers; None disables profiling.
    """

    configfile: str | None
    here: str | None
    minfds: int = option(
        resource_limit,
        "minimum number of file descriptors required to start",
        default="1024",
        flag="a",
    )
    minprocs: int = option(
        resource_limit, "minimum number of processes required to start", default="200", flag=""
    )
    directory: str | None = option(
        existing_directory,
        "working directory as a daemon (default: unchanged)",
        default=None,
        flag="d",
    )
    user = Option(str, "switch to this user at start; requires root", flag="u")
    umask: int = option(
        octal_type, "umask of the daemon, and default umask of programs", default="022", flag="m"
    )
    logfile: str | type[Syslog] = option(
        activity_logfile, 'the activity log, or "syslog"', default="supervisord.log", flag="l"
    )
    logfile_maxbytes: int = option(
        byte_size, "size at which it is rotated; 0 never rotates", default="50MB", flag="y"
    )
    logfile_backups: int = option(integer, "number of rotated logs to keep", default="10", flag="z")
    loglevel: int = option(
        logging_level,
        "critical, error, warn, info, debug, trace or blather",
        default="info",
        flag="e",
    )
    pidfile: str = option(
        existing_dirpath, "path of the pidfile", default="supervisord.pid", flag="j"
    )
    identifier: str = option(
        str, "name of this daemon, for logs and clients", default="supervisor", flag="i"
    )
    nodaemon: bool = option(boolean, "true stays in the foreground", default="false", flag="n")
    silent: bool = option(
        boolean, "true disables the log on stdout in the foreground", default="false", flag="s"
    )
    logfile_format: str = option(
        activity_format,
        "json, or a template with %(message)s; also for the log on stdout",
        default=ACTIVITY_FORMAT,
        expanded=False,
        in_sample=False,
    )
    childlog_format: str = option(
        line_format,
        "raw, prefix, timestamp, json, or a template with %(message)s, for logs of programs",
        default=RAW_FORMAT,
        expanded=False,
        in_sample=False,
    )
    runtimedir: str | None = option(
        existing_directory,
        "directory of the sockets of notify= (default: a private one in the temporary directory)",
        default=None,
        in_sample=False,
    )
    statefile: str | None = option(
        state_path,
        "remembers stops on request, counters and pids for the next start (default: no file)",
        default=None,
        in_sample=False,
    )
    leftovers: str = option(
        one_of("ignore", KILL),
        "processes of a supervisord that was killed: ignore them, or kill, which needs a statefile",
        default="ignore",
        in_sample=False,
    )
    subreaper: bool = option(
        boolean,
        "true adopts the orphans of programs, as pid 1 does (Linux)",
        default="false",
        in_sample=False,
    )
    childlogdir: str = option(
        existing_directory,
        "where AUTO logs of programs go (default: $TMPDIR or /tmp)",
        default=None,
        default_factory=temporary_directory,
        flag="q",
    )
    nocleanup: bool = option(
        boolean, "true keeps old AUTO logs of programs at start", default="false", flag="k"
    )
    strip_ansi: bool = option(
        boolean, "true removes terminal escapes from logs of programs", default="false", flag="t"
    )
    environment: Mapping[str, str] = option(
        dict_of_key_value_pairs,
        'variables for all programs: A="1",B="2"',
        default="",
        shielded=True,
    )
    exit_when_all_exited: bool = option(
        boolean,
        "true exits when all programs have exited for good",
        default="false",
        in_sample=False,
    )
    exit_code_from: str | None = option(
        str,
        "program whose exit status becomes that of the daemon: web, group:process",
        default=None,
        in_sample=False,
    )
    shutdown_timeout: float = option(
        seconds,
        "seconds from the start of a shutdown to SIGKILL for all that remains; 0: no limit",
        default="0",
        in_sample=False,
    )
    uid: int | None = None
    gid: int | None = None
    logfile_origin: str = ""
    profile_options: tuple[list[str], bool] | None = None


@record(frozen=True)
class Configuration:
    """The complete result of reading the files and the command line.

    `warnings`, `infos` and `criticals` are collected while reading and logged once the activity
    log is open.  `file_stamps` are the times of the files.  `serverurl` becomes
    SUPERVISOR_SERVER_URL of the children, unless a program sets its own `serverurl`.
    """

    settings: Settings
    servers: tuple[ServerConfig, ...]
    groups: list[ProcessGroupConfig]
    rpcinterfaces: tuple[RPCInterfaceConfig, ...]
    serverurl: str | None = None
    criticals: tuple[str, ...] = ()
    warnings: tuple[Remark, ...] = ()
    infos: tuple[str, ...] = ()
    file_stamps: Stamps = ()
