"""Options of every section: name, conversion and default.

The readers and the generator of the reference documentation iterate over these tables.  The
order matters: if several options are invalid, the first one is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supervisor import datatypes
from supervisor.common.addresses import TcpAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from supervisor.config.parser import Section


class Option:
    """One option; `default` is the text to use if the option is not set.

    `value` is the converted default.  If `default` is None, `value` is used as it is; it may
    then depend on other options.  `shielded` values are expanded as `common.quoting` explains.
    """

    def __init__(
        self,
        name: str,
        convert: Callable[[str], Any],
        default: str | None = None,
        value: Any = None,
        *,
        shielded: bool = False,
    ) -> None:
        self.name = name
        self.convert = convert
        self.default = default
        self.shielded = shielded
        # Convert here once, instead of once for each section.
        self.value = value if default is None else convert(default)

    def read(
        self,
        section: Section,
        names: Mapping[str, object] | None = None,
        called: str | None = None,
    ) -> Any:
        """Return the option's value in a section.

        `names` and `called` are passed to `Section.value`.  Raises ConfigurationError if the
        text is invalid.
        """
        if self.name not in section.options:
            return self.value
        return section.value(self.name, self.convert, names, called, shielded=self.shielded)


def read_options(
    options: tuple[Option, ...], section: Section, names: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """Return option name -> value in a section, for a table of options."""
    return {option.name: option.read(section, names) for option in options}


def named(name: str, convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """Wrap a conversion so that its errors contain `name`."""

    def converted(value: str) -> Any:
        try:
            return convert(value)
        except ValueError:
            raise ValueError(f"Invalid {name} value {value}") from None

    return converted


def server_url(value: str) -> str | None:
    """Return the SUPERVISOR_SERVER_URL of a program, or None for AUTO."""
    return None if value.strip().upper() == "AUTO" else value


ENVIRONMENT = Option("environment", datatypes.dict_of_key_value_pairs, "", shielded=True)

SUPERVISORD = (
    Option("minfds", datatypes.resource_limit, "1024"),
    Option("minprocs", datatypes.resource_limit, "200"),
    Option("directory", datatypes.existing_directory),
    Option("user", str),
    Option("umask", datatypes.octal_type, "022"),
    Option("logfile", datatypes.activity_logfile, "supervisord.log"),
    Option("logfile_maxbytes", datatypes.byte_size, "50MB"),
    Option("logfile_backups", datatypes.integer, "10"),
    Option("loglevel", datatypes.logging_level, "info"),
    Option("pidfile", datatypes.existing_dirpath, "supervisord.pid"),
    Option("identifier", str, "supervisor"),
    Option("nodaemon", datatypes.boolean, "false"),
    Option("silent", datatypes.boolean, "false"),
    Option("childlogdir", datatypes.existing_directory),  # the system's temporary directory
    Option("nocleanup", datatypes.boolean, "false"),
    Option("strip_ansi", datatypes.boolean, "false"),
    ENVIRONMENT,
)

HTTP_AUTHENTICATION = (
    Option("username", str),
    Option("password", str),
)

FILE = Option("file", str)
SOCKET_FILE = (
    Option("chown", named("sockchown", datatypes.colon_separated_user_group), None, (-1, -1)),
    Option("chmod", named("chmod", datatypes.octal_type), "0700"),
)
PORT = Option("port", TcpAddress.parse)
ALLOWED_HOSTS = Option("allowed_hosts", datatypes.list_of_names, "")  # not in Supervisor 4.3

INCLUDE = (Option("files", str),)

GROUP = (
    Option("programs", datatypes.list_of_names, ""),
    Option("priority", datatypes.integer, "999"),
)

PRIORITY = Option("priority", datatypes.integer, "999")

# Read once for each program, independent of its `numprocs`.
PROGRAM = (
    PRIORITY,
    Option("autostart", datatypes.boolean, "true"),
    Option("autorestart", datatypes.auto_restart, "unexpected"),
    Option("startsecs", datatypes.integer, "1"),
    Option("startretries", datatypes.integer, "3"),
    Option("stopsignal", datatypes.signal_number, "TERM"),
    Option("stopwaitsecs", datatypes.integer, "10"),
    Option("stopasgroup", datatypes.boolean, "false"),
    Option("killasgroup", datatypes.boolean),  # default: the value of `stopasgroup`
    Option("exitcodes", datatypes.list_of_exitcodes, "0"),
    Option("redirect_stderr", datatypes.boolean, "false"),
    Option("numprocs", datatypes.integer, "1"),
    Option("numprocs_start", datatypes.integer, "0"),
    Option("stdout_capture_maxbytes", datatypes.byte_size, "0"),
    Option("stdout_events_enabled", datatypes.boolean, "false"),
    Option("stderr_capture_maxbytes", datatypes.byte_size, "0"),
    Option("stderr_events_enabled", datatypes.boolean, "false"),
    Option("serverurl", server_url, "AUTO"),
    Option("user", datatypes.name_to_uid),
    Option("umask", datatypes.octal_type),
)

# Read for each process of a program; values may use `process_num` and `numprocs`.
PROCESS = (
    Option("directory", str),
    Option("stdout_logfile", datatypes.logfile_name, "AUTO"),
    Option("stdout_logfile_backups", datatypes.integer, "10"),
    Option("stdout_logfile_maxbytes", datatypes.byte_size, "50MB"),
    Option("stdout_syslog", datatypes.boolean, "false"),
    Option("stderr_logfile", datatypes.logfile_name, "AUTO"),
    Option("stderr_logfile_backups", datatypes.integer, "10"),
    Option("stderr_logfile_maxbytes", datatypes.byte_size, "50MB"),
    Option("stderr_syslog", datatypes.boolean, "false"),
    Option("command", str),
)

# Option of a process of which both the text and the value are needed.
PROCESS_NAME = Option("process_name", str, "%(program_name)s")

EVENTLISTENER = (
    Option("priority", datatypes.integer, "-1"),
    Option("buffer_size", datatypes.integer, "10"),
    Option("result_handler", str, "supervisor.dispatchers:default_handler"),
)
EVENTS = Option("events", datatypes.list_of_names, "")
REDIRECT_STDERR = Option("redirect_stderr", datatypes.boolean, "false")  # must be false

FCGI_PROGRAM = (
    PRIORITY,
    Option("user", datatypes.name_to_uid),
    Option("socket_backlog", datatypes.integer),
    Option("socket_owner", named("socket_owner", datatypes.colon_separated_user_group)),
    Option("socket_mode", named("socket_mode", datatypes.octal_type), "0700"),
)
FCGI_SOCKET = Option("socket", str)

RPCINTERFACE = (Option("supervisor.rpcinterface_factory", str),)

# Section -> its options, for the documentation.  All other options of [rpcinterface:x] and
# [ctlplugin:x] are passed to the plugin.  `config.client` defines [supervisorctl].
SECTIONS = {
    "unix_http_server": (FILE, *HTTP_AUTHENTICATION, *SOCKET_FILE),
    "inet_http_server": (*HTTP_AUTHENTICATION, PORT, ALLOWED_HOSTS),
    "supervisord": SUPERVISORD,
    "include": INCLUDE,
    "program:x": (*PROGRAM, ENVIRONMENT, *PROCESS, PROCESS_NAME),
    "group:x": GROUP,
    "fcgi-program:x": (PRIORITY, *FCGI_PROGRAM, FCGI_SOCKET),
    "eventlistener:x": (*EVENTLISTENER, EVENTS, REDIRECT_STDERR),
    "rpcinterface:x": RPCINTERFACE,
}
