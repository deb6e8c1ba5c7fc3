"""The options of every section.

Most are fields of the records in `config.model`.  Here are those that no record holds as they are,
and the table of all sections for the warnings and the reference documentation.
"""

from __future__ import annotations

from supervisor.config.model import (
    INET_HTTP_SERVER,
    UNIX_HTTP_SERVER,
    InetSocketConfig,
    ServerConfig,
    Settings,
    UnixSocketConfig,
)
from supervisor.config.option import Option, options_of
from supervisor.config.parser import PROGRAM_DEFAULT
from supervisor.config.process_config import ProcessConfig
from supervisor.datatypes import boolean, integer, list_of_names, name_to_uid

_FACTORY = "the function that makes it: `package.module:name` (required)"

INCLUDE = (Option(str, "files to read, with wildcards, separated by blanks", name="files"),)

GROUP = (
    Option(list_of_names, "its programs, in the order in which they start", "", name="programs"),
    Option(
        integer,
        "of the group; it overrides the priority of its programs",
        "999",
        name="priority",
    ),
)

PRIORITY = next(row for row in options_of(ProcessConfig) if row.name == "priority")
"""Of a program, and of the group that consists of it alone."""

EVENTLISTENER = (
    Option(integer, "listeners start before programs", "-1", name="priority"),
    Option(integer, "events to queue while all listeners are busy", "10", name="buffer_size"),
    Option(
        str,
        "evaluates a listener's results",
        "supervisor.dispatchers:default_handler",
        name="result_handler",
    ),
)
EVENTS = Option(list_of_names, "comma-separated names of event types (required)", "", name="events")
REDIRECT_STDERR = Option(
    boolean,
    "must be false: stderr would corrupt the protocol on stdout",
    "false",
    name="redirect_stderr",
)

FCGI_PROGRAM = (
    PRIORITY,
    Option(name_to_uid, "run it as this user", name="user"),
    *options_of(InetSocketConfig),
    *options_of(UnixSocketConfig),
)
FCGI_SOCKET = Option(
    str,
    "address of the socket: unix:///path or tcp://host:port (required)",
    name="socket",
)

RPCINTERFACE = (Option(str, _FACTORY, name="supervisor.rpcinterface_factory"),)
CTLPLUGIN = (Option(str, _FACTORY, name="supervisor.ctl_factory"),)

_SERVER = {row.attribute: row for row in options_of(ServerConfig)}
FILE = _SERVER.pop("file")
HTTP_AUTHENTICATION = (_SERVER.pop("username"), _SERVER.pop("password"))


def _server_options(section: str) -> tuple[Option, ...]:
    """Return the options of a kind of server that are read in the same way."""
    return tuple(row for row in _SERVER.values() if row.only in (None, section))


INET_SERVER = _server_options(INET_HTTP_SERVER)
UNIX_SERVER = _server_options(UNIX_HTTP_SERVER)

# Section -> its options.  All other options of [rpcinterface:x] and [ctlplugin:x] are passed to
# the plugin.  `lint.PROGRAM_LIKE` names those that also have the options of a program.
# `config.client` defines [supervisorctl].
SECTIONS = {
    UNIX_HTTP_SERVER: (FILE, *HTTP_AUTHENTICATION, *UNIX_SERVER),
    INET_HTTP_SERVER: (*HTTP_AUTHENTICATION, *INET_SERVER),
    "supervisord": options_of(Settings),
    "include": INCLUDE,
    PROGRAM_DEFAULT: (),
    "program:x": options_of(ProcessConfig),
    "group:x": GROUP,
    "fcgi-program:x": (*FCGI_PROGRAM, FCGI_SOCKET),
    "eventlistener:x": (*EVENTLISTENER, EVENTS, REDIRECT_STDERR),
    "rpcinterface:x": RPCINTERFACE,
    "ctlplugin:x": CTLPLUGIN,
}
