"""The parts of a configuration that Supervisor 4.3 refuses, ignores or reads differently.

For `supervisord --check --portable`.  The tables list what Supervisor 4.3.0 has, so an option
that is added here needs no change in this module.
"""

from __future__ import annotations

import re

from supervisor.config import schema
from supervisor.config.lint import PROGRAM_LIKE, PROGRAMS, SERVERS
from supervisor.config.model import INET_HTTP_SERVER
from supervisor.config.parser import HOST_NODE_NAME, PROGRAM_DEFAULT, Remark
from supervisor.config.state import REMEMBER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from supervisor.config.parser import UnhosedConfigParser

IGNORED = "is ignored by Supervisor 4.3"
REFUSED = "is refused by Supervisor 4.3"

_STREAM = [
    "capture_maxbytes",
    "events_enabled",
    "logfile",
    "logfile_backups",
    "logfile_maxbytes",
    "syslog",
]
_SERVER = {"username", "password"}
_PROGRAM = {
    *[
        "process_name",
        "command",
        "directory",
        "priority",
        "autostart",
        "autorestart",
        "startsecs",
        "startretries",
        "stopsignal",
        "stopwaitsecs",
        "stopasgroup",
        "killasgroup",
        "exitcodes",
        "redirect_stderr",
        "numprocs",
        "numprocs_start",
        "serverurl",
        "user",
        "umask",
        "environment",
    ],
    *(f"{stream}_{option}" for stream in ("stdout", "stderr") for option in _STREAM),
}

OPTIONS_OF_4_3 = {
    "unix_http_server": {*_SERVER, "file", "chmod", "chown"},
    "inet_http_server": {*_SERVER, "port"},
    "supervisord": {
        "minfds",
        "minprocs",
        "directory",
        "user",
        "umask",
        "logfile",
        "logfile_maxbytes",
        "logfile_backups",
        "loglevel",
        "pidfile",
        "identifier",
        "nodaemon",
        "silent",
        "childlogdir",
        "nocleanup",
        "strip_ansi",
        "environment",
    },
    "include": {"files"},
    "program": _PROGRAM,
    "group": {"programs", "priority"},
    "fcgi-program": {*_PROGRAM, "socket", "socket_backlog", "socket_owner", "socket_mode"},
    "eventlistener": {*_PROGRAM, "events", "buffer_size", "result_handler"},
}
"""Options of Supervisor 4.3.0 by the kind of section."""

EVENTS_OF_4_3 = {
    "EVENT",
    "PROCESS_STATE",
    "PROCESS_STATE_STOPPED",
    "PROCESS_STATE_EXITED",
    "PROCESS_STATE_STARTING",
    "PROCESS_STATE_STOPPING",
    "PROCESS_STATE_BACKOFF",
    "PROCESS_STATE_FATAL",
    "PROCESS_STATE_RUNNING",
    "PROCESS_STATE_UNKNOWN",
    "PROCESS_COMMUNICATION",
    "PROCESS_COMMUNICATION_STDOUT",
    "PROCESS_COMMUNICATION_STDERR",
    "PROCESS_LOG",
    "PROCESS_LOG_STDOUT",
    "PROCESS_LOG_STDERR",
    "REMOTE_COMMUNICATION",
    "SUPERVISOR_STATE_CHANGE",
    "SUPERVISOR_STATE_CHANGE_RUNNING",
    "SUPERVISOR_STATE_CHANGE_STOPPING",
    "TICK",
    "TICK_5",
    "TICK_60",
    "TICK_3600",
    "PROCESS_GROUP",
    "PROCESS_GROUP_ADDED",
    "PROCESS_GROUP_REMOVED",
}
"""Event types of Supervisor 4.3.0."""


def _refused_word(value: str) -> str | None:
    is_new = value.strip().lower() in {"unlimited", REMEMBER}
    return f"the word {value!r} {REFUSED}" if is_new else None


def _refused_targets(value: str) -> str | None:
    is_list = re.search(r",\s*/", value)
    return f"a list of files {REFUSED}" if is_list else None


def _plain_hash(value: str) -> str | None:
    scheme = re.match(r"\{[\w-]+\}", value)
    if scheme is None or scheme[0].upper() == "{SHA}":
        return None
    return f"a hash of the kind {scheme[0]} is a plain password for Supervisor 4.3"


def _refused_events(value: str) -> str | None:
    names = [name.strip().upper() for name in value.split(",")]
    added = sorted(set(filter(None, names)) - EVENTS_OF_4_3)
    return f"the event {', '.join(added)} {REFUSED}" if added else _refused_comma(value)


def _refused_comma(value: str) -> str | None:
    return f"a comma without a name {REFUSED}" if "" in map(str.strip, value.split(",")) else None


def _refused_address(value: str) -> str | None:
    return f"an IPv6 address {REFUSED}" if value.startswith("[") else None


VALUES: dict[str, tuple[tuple[str, ...], Callable[[str], str | None]]] = {
    "autostart": (PROGRAMS, _refused_word),
    "startretries": (PROGRAMS, _refused_word),
    "stopwaitsecs": (PROGRAMS, _refused_word),
    "stdout_logfile": (PROGRAMS, _refused_targets),
    "stderr_logfile": (PROGRAMS, _refused_targets),
    "password": (SERVERS, _plain_hash),
    "events": (("eventlistener:",), _refused_events),
    "programs": (("group:",), _refused_comma),
    "port": ((INET_HTTP_SERVER,), _refused_address),
}
"""Option -> beginnings of its sections, and the reason if Supervisor 4.3 refuses a value."""


def lint_portability(parser: UnhosedConfigParser) -> Iterator[Remark]:
    """Yield a line for each value and option that does not work in Supervisor 4.3."""
    for section in parser.sections():
        if section == PROGRAM_DEFAULT:
            file = parser.file_of(section)
            yield Remark(f"section {section!r} (file: {file!r}) {IGNORED}", section, file=file)
        known = _known_options(section)
        for option, value in parser.items(section):
            reason = None
            if option in known and option not in OPTIONS_OF_4_3[_kind(section)]:
                reason = IGNORED
            elif option in VALUES and section.startswith(VALUES[option][0]):
                reason = VALUES[option][1](str(value))
            if reason is None and f"%({HOST_NODE_NAME})s" in str(value):
                if not section.startswith((*PROGRAMS, "include")):
                    reason = f"%({HOST_NODE_NAME})s {REFUSED} here"
            if reason is not None:
                file = parser.file_of(section, option)
                link = " " if reason is IGNORED else ": "
                text = f"option {option!r} in section {section!r} (file: {file!r}){link}{reason}"
                yield Remark(text, section, option, file)


def _kind(section: str) -> str:
    """Return the kind of a section: `program`, or `inet_http_server` for one that begins so."""
    kind = section.partition(":")[0]
    return next((name for name in SERVERS if kind.startswith(name)), kind)


def _known_options(section: str) -> set[str]:
    """Return the options of a section that are known here; unknown ones have another warning."""
    kind = _kind(section)
    if kind not in OPTIONS_OF_4_3:
        return set()
    options = schema.SECTIONS.get(kind) or schema.SECTIONS[f"{kind}:x"]
    if kind in PROGRAM_LIKE:
        options = (*options, *schema.SECTIONS["program:x"])
    return {option.name for option in options}
