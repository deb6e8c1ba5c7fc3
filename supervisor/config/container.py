"""Defaults of the daemon as the main process of a container: `supervisord --container`.

Everything is written to the container's log, nothing to its file system.  The defaults take the
place of those of the rows: what the files or the command line set explicitly is used as always.
Only `nodaemon` is not a default but part of the mode, because a container ends with its first
process.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from supervisor.config.parser import UnhosedConfigParser

SETTINGS = {
    "logfile": os.devnull,  # in the foreground, the activity log is on stdout anyway
    "logfile_maxbytes": "0",
    "pidfile": os.devnull,
    "subreaper": "true",
    "exit_when_all_exited": "true",
    "shutdown_timeout": "8",
}
"""Option of `[supervisord]` -> its default.

Eight seconds are less than the ten after which Docker kills a container.
"""

OF_FORMAT: Mapping[str, Mapping[str, str]] = {"prefix": {}, "json": {"logfile_format": "json"}}
"""Format of the lines -> further defaults of `[supervisord]`."""

STANDARD_STREAMS = {
    *("/dev/stdout", "/dev/stderr"),
    *(f"{directory}/{fd}" for directory in ("/dev/fd", "/proc/self/fd") for fd in (1, 2)),
}
"""Paths of the daemon's own standard output and error, which are the container's log."""


def is_standard_stream(path: object) -> bool:
    """Whether a log goes to the container's log already."""
    return path in STANDARD_STREAMS


def set_defaults(parser: UnhosedConfigParser, line_format: str) -> None:
    """Set the defaults of a container in a parser that has read all files."""
    section = parser.mysection
    for option, text in {**SETTINGS, **OF_FORMAT[line_format]}.items():
        if not parser.has_option(section, option):
            parser.set(section, option, text)
    parser.set(section, "nodaemon", "true")
