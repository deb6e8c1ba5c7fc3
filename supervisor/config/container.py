"""Defaults of the daemon as the main process of a container: `supervisord --container`.

Everything is written to the container's log, nothing to its file system.  The defaults take the
place of those of the rows: what the files or the command line set explicitly is used as always.
Only `nodaemon` is not a default but part of the mode, since a container ends with its first process.
"""

from __future__ import annotations

import os

from supervisor.config.parser import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from supervisor.config.parser import UnhosedConfigParser

FLAG = "--container"

FORMATS = ("prefix", "json")
"""Formats of the lines of programs; the first one is the default of the flag."""

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

OF_FORMAT = {"prefix": {}, "json": {"logfile_format": "json"}}
"""Format of the lines -> further defaults of `[supervisord]`."""

STREAMS = ("stdout", "stderr")

STANDARD_STREAMS = frozenset(
    f"{directory}{name}"
    for directory, names in (("/dev/", STREAMS), ("/dev/fd/", "12"), ("/proc/self/fd/", "12"))
    for name in names
)
"""Paths of the daemon's own standard output and error, which are the container's log."""


def take_flag(argv: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the command line without `--container[=FORMAT]`, and the format or None.

    getopt(3) of Python has no option whose value may be missing before 3.14, and to its search for
    abbreviations the name would make `--con` ambiguous.  Raises ConfigurationError.
    """
    found = [word for word in argv if word.partition("=")[0] == FLAG]
    if not found:
        return list(argv), None
    if len(found) > 1:
        raise ConfigurationError(f"conflicting command line option {FLAG!r}")
    _, has_value, value = found[0].partition("=")
    line_format = value if has_value else FORMATS[0]
    if line_format not in FORMATS:
        expected = " or ".join(FORMATS)
        raise ConfigurationError(f"invalid value for {FLAG} {value!r}: expected {expected}")
    return [word for word in argv if word != found[0]], line_format


def set_defaults(parser: UnhosedConfigParser, line_format: str) -> None:
    """Set the defaults of a container in a parser that has read all files."""
    section = parser.mysection
    for option, text in (SETTINGS | OF_FORMAT[line_format]).items():
        if not parser.has_option(section, option):
            parser.set(section, option, text)
    parser.set(section, "nodaemon", "true")
    parser.program_defaults |= _stream_defaults(line_format)
    parser.is_in_container = True
