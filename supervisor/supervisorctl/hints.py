"""Hints for a person at a terminal: the reason behind an error, the word meant (client floor).

`Controller.hint` imports this module only when a person can read the hint, so that scripts
see, and pay for, the results alone.  Functions return None where there is nothing to add.
"""

from __future__ import annotations

import difflib
import os
import time

from supervisor.config.client import SUPERVISORCTL
from supervisor.config.includes import included_files
from supervisor.faults import Faults
from supervisor.namespec import make_namespec

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    Info = Mapping[str, Any]

LOOK_AT_LOGS = "`supervisorctl tail {name} stderr` and the activity log (maintail) may say why."
NO_CREDENTIALS = "set username= and password= in [supervisorctl], or give -u and -p."
WRONG_CREDENTIALS = (
    "the user name or the password is wrong; those of [supervisorctl] and of -u and -p must be"
    " those of the server's section."
)
NO_CONFIGURATION = (
    "no configuration file was found, so this is the default server; name a file with -c, or a"
    " server with -s."
)

CONNECTION_HINTS = {
    "FileNotFoundError": (
        "is supervisord running, and with this file= in [unix_http_server]?  Start it with"
        " `supervisord -c FILE`, or name its configuration file with -c."
    ),
    "ConnectionRefusedError": (
        "supervisord does not run, or listens elsewhere.  Start it with `supervisord -c FILE`,"
        " or name its configuration file with -c."
    ),
    "PermissionError": (
        "the socket belongs to another user: try sudo, or set chown= and chmod= in"
        " [unix_http_server]."
    ),
    "UntrustedPeerError": (
        "if this is your supervisord, move its socket to a folder of its own, or name its user by"
        " user= in [supervisord] or chown= in [unix_http_server] of your configuration file."
    ),
    "TimeoutError": "supervisord may be busy, or stopped: look at its log, and at `ps`.",
}


def for_unknown_word(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that an unknown one resembles, as a question."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean `{close[0]}`?" if close else None


def for_unknown_name(namespec: str, infos: Sequence[Info]) -> str | None:
    """Return the process or group that was probably meant; `infos` are all processes."""
    groups = {info["group"] for info in infos}
    if namespec in groups:
        return f"{namespec} is a group; `{namespec}:*` means all of its processes."
    names = {make_namespec(info["group"], info["name"]) for info in infos}
    if not namespec.endswith(":*"):
        return for_unknown_word(namespec, names | groups)
    return for_unknown_word(namespec, {f"{group}:*" for group in groups})


def for_results(supervisor: Any, results: Iterable[Info]) -> str | None:
    """Return what the daemon knows about the first failure of an action; may call it."""
    for result in results:
        name = make_namespec(result["group"], result["name"])
        status = result["status"]
        if status == Faults.BAD_NAME:
            return for_unknown_name(name, supervisor.getAllProcessInfo())
        if status in {Faults.NO_FILE, Faults.NOT_EXECUTABLE}:
            return str(result["description"]).partition(": ")[2] or None
        if status in {Faults.SPAWN_ERROR, Faults.ABNORMAL_TERMINATION}:
            reason = supervisor.getProcessInfo(name)["spawnerr"]
            more = LOOK_AT_LOGS.format(name=name)
            return f"{reason}; {more}" if reason else more
    return None


def for_group(supervisor: Any, group: str) -> str | None:
    """Return the group that was probably meant by an unknown one."""
    return for_unknown_name(f"{group}:*", supervisor.getAllProcessInfo())


def for_changed_files(configfile: str | None, infos: Iterable[Info]) -> str | None:
    """Return that a file has changed since processes were started; `infos` are from before.

    `restart` does not read the configuration, which many expect of it.
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
            return f"{file} has changed since; `supervisorctl update` applies changes."
    return None


def for_connection(error: BaseException, configfile: str | None, url: str) -> str | None:
    """Return what may help when the server at `url` cannot be reached."""
    if isinstance(error, ValueError) and "://" not in url:
        return f"did you mean http://{url} ?"
    if configfile is None and url == SUPERVISORCTL["serverurl"] and isinstance(error, OSError):
        return NO_CONFIGURATION
    return CONNECTION_HINTS.get(type(error).__name__)


def for_login(username: str | None) -> str:
    """Return what may help after a login was refused."""
    return WRONG_CREDENTIALS if username else NO_CREDENTIALS
