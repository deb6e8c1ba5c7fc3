"""Targets of a program's output: those of a copy, and those that follow the name of a log."""

from __future__ import annotations

import os
import re

from supervisor.datatypes import LogTarget, existing_dirpath, logfile_name

STDOUT, STDERR, SYSLOG = "/dev/stdout", "/dev/stderr", "syslog"

_STANDARD = {
    "stdout": STDOUT,
    "/dev/fd/1": STDOUT,
    "/proc/self/fd/1": STDOUT,
    "stderr": STDERR,
    "/dev/fd/2": STDERR,
    "/proc/self/fd/2": STDERR,
    "syslog": SYSLOG,
}
"""Other names of a target; copies share a queue, so each target needs one name."""

_separator = re.compile(r",\s+(?=/|syslog\s*(?:,|$))", re.IGNORECASE).split
"""A comma in front of a target that cannot be part of a name, or rarely."""


def copy_targets(value: str) -> tuple[str, ...]:
    """Return the targets of copies: `STDOUT`, `STDERR`, `SYSLOG` or a path; empty for NONE.

    A bare word is invalid, because it is more often a mistake than a file.  Raises `ValueError`.
    """
    words = [word for each in value.split(",") if (word := each.strip())]
    if [word.lower() for word in words] in (["none"], ["off"]):
        return ()
    return tuple(dict.fromkeys(map(_target, words)))


def _target(word: str) -> str:
    name = _STANDARD.get(word) or _STANDARD.get(word.lower())
    if name is not None:
        return name
    if "/" not in word:
        raise ValueError(f"{word!r} is not one of stdout, stderr, syslog, and no path")
    return existing_dirpath(word)


def split_logfile(value: str) -> tuple[str, tuple[str, ...]]:
    """Return the log and its further targets: `a.log, /dev/stdout`.

    A text that is the path of a file, in a directory that exists, is not split: that is its
    meaning in Supervisor 4, where all others are errors.  Raises `ValueError`.
    """
    first, *further = _separator(value)
    directory = os.path.dirname(os.path.expanduser(value))
    if not further or not directory or os.path.isdir(directory):
        return value, ()
    return first.strip(), tuple(dict.fromkeys(_target(word.strip()) for word in further))


def log_of(value: str | LogTarget) -> LogTarget:
    """Return the log that a value names first; see `datatypes.logfile_name`."""
    return logfile_name(split_logfile(value)[0] if isinstance(value, str) else value)


def further_targets(value: str) -> tuple[str, ...]:
    """Return the targets that follow the log in a value."""
    return split_logfile(value)[1]
