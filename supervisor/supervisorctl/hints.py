"""Hints for a person at a terminal: reasons for errors, spelling suggestions.

`Controller.hint` imports this module only when a person can read the hint.  Scripts do not
see hints, and do not pay for the import.  A function returns None if it has no hint.
"""

from __future__ import annotations

import difflib
import os
import time

from supervisor.common.faults import Faults, refusal_in
from supervisor.common.namespec import make_namespec
from supervisor.config.client import SUPERVISORCTL
from supervisor.config.includes import included_files

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    Info = Mapping[str, Any]

LOOK_AT_LOGS = "`supervisorctl tail {name} stderr` and the activity log (maintail) may show why."
NO_CREDENTIALS = "set username= and password= in [supervisorctl], or use -u and -p."
WRONG_CREDENTIALS = (
    "wrong user name or password; those in [supervisorctl], or of -u and -p, must match those"
    " in the server's section."
)
NO_CONFIGURATION = (
    "no configuration file was found, so this is the default server; specify a file with -c, or"
    " a server with -s."
)
CHANGED_FILE = (
    "{file} has changed since the processes started; `supervisorctl update` applies changes."
)

CONNECTION_HINTS = {
    "FileNotFoundError": (
        "is supervisord running, and is this the file= in its [unix_http_server]?  Start it with"
        " `supervisord -c FILE`, or specify its configuration file with -c."
    ),
    "ConnectionRefusedError": (
        "supervisord is not running, or listens elsewhere.  Start it with `supervisord -c FILE`,"
        " or specify its configuration file with -c."
    ),
    "PermissionError": (
        "the socket belongs to another user: try sudo, or set chown= and chmod= in"
        " [unix_http_server]."
    ),
    "UntrustedPeerError": (
        "if this is your supervisord, move its socket to a directory of its own, or set user= in"
        " [supervisord] or chown= in [unix_http_server] in your configuration file."
    ),
    "TimeoutError": "supervisord may be busy, or suspended: check its log, and `ps`.",
}


def for_unknown_word(word: str, known: Iterable[str]) -> str | None:
    """Return a suggestion of the known word that an unknown one resembles."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean `{close[0]}`?" if close else None


def for_unknown_name(namespec: str, infos: Sequence[Info]) -> str | None:
    """Return a suggestion of the intended process or group; `infos` are all processes."""
    groups = {info["group"] for info in infos}
    if namespec in groups:
        return f"{namespec} is a group; `{namespec}:*` means all of its processes."
    names = {make_namespec(info["group"], info["name"]) for info in infos}
    if not namespec.endswith(":*"):
        return for_unknown_word(namespec, names | groups)
    return for_unknown_word(namespec, {f"{group}:*" for group in groups})


def for_results(supervisor: Any, results: Iterable[Info]) -> str | None:
    """Return details about the first failure of an action; may query the daemon."""
    for result in results:
        name = make_namespec(result["group"], result["name"])
        status = result["status"]
        if status == Faults.BAD_NAME:
            return for_unknown_name(name, supervisor.getAllProcessInfo())
        text = str(result["description"]).partition(": ")[2]
        if status in {Faults.NO_FILE, Faults.NOT_EXECUTABLE}:
            return text or None
        if status in {Faults.SPAWN_ERROR, Faults.ABNORMAL_TERMINATION}:
            refusal = refusal_in(result["description"])
            if refusal:  # it was not started, so its log does not say why
                return refusal
            reason = supervisor.getProcessInfo(name)["spawnerr"]
            more = LOOK_AT_LOGS.format(name=name)
            return f"{reason}; {more}" if reason else more
    return None


def for_group(supervisor: Any, group: str) -> str | None:
    """Return a suggestion of the group that an unknown name resembles."""
    return for_unknown_name(f"{group}:*", supervisor.getAllProcessInfo())


def for_changed_files(configfile: str | None, infos: Iterable[Info]) -> str | None:
    """Return a hint if a file has changed since the processes started.

    `restart` does not read the configuration, though many users expect it to.  `infos` were
    fetched before the restart.
    """
    starts = [info["start"] for info in infos if info["start"]]
    if configfile is None or not starts:
        return None
    for file in (configfile, *included_files(configfile)):
        try:
            changed_at = os.stat(file).st_mtime
        except OSError:
            continue
        if min(starts) < changed_at <= time.time():
            return CHANGED_FILE.format(file=file)
    return None


def for_connection(error: BaseException, configfile: str | None, url: str) -> str | None:
    """Return a remedy for a server at `url` that cannot be reached."""
    if isinstance(error, ValueError) and "://" not in url:
        return f"did you mean http://{url} ?"
    if configfile is None and url == SUPERVISORCTL["serverurl"] and isinstance(error, OSError):
        return NO_CONFIGURATION
    return CONNECTION_HINTS.get(type(error).__name__)


def for_login(username: str | None) -> str:
    """Return a remedy for a refused login."""
    return WRONG_CREDENTIALS if username else NO_CREDENTIALS
