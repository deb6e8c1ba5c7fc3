"""Targets of a program's output: of a copy, behind the name of a log, and names of syslog(3)."""

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

FACILITIES = {
    "user": 1,
    "mail": 2,
    "daemon": 3,
    "auth": 4,
    "syslog": 5,
    "lpr": 6,
    "news": 7,
    "uucp": 8,
    "cron": 9,
    "authpriv": 10,
    "ftp": 11,
} | {f"local{number}": 16 + number for number in range(8)}
"""Facilities that a program may use (RFC 3164): that of the kernel is not among them."""

PRIORITIES = {
    "emerg": 0,
    "alert": 1,
    "crit": 2,
    "err": 3,
    "warning": 4,
    "notice": 5,
    "info": 6,
    "debug": 7,
}

_ALIASES = {"critical": "crit", "error": "err", "warn": "warning"}

MAX_TAG_CHARS = 64

SEPARATOR = r",\s+(?=/|(?i:syslog)\s*(?:,|$))"
"""A comma in front of a target that cannot be part of a name, or rarely; few values have one."""


def is_standard_stream(path: object) -> bool:
    """Whether a path is that of the daemon's own stdout or stderr."""
    return path in {STDOUT, STDERR} or (path in _STANDARD and str(path).startswith("/"))


def copy_targets(value: str) -> tuple[str, ...]:
    """Return the targets of copies: `STDOUT`, `STDERR`, `SYSLOG` or a path; empty for NONE.

    A bare word is invalid, because it is more often a mistake than a file.  Raises `ValueError`.
    """
    words = [word for each in value.split(",") if (word := each.strip())]
    if [word.lower() for word in words] in (["none"], ["off"]):
        return ()
    return tuple(dict.fromkeys(map(_target, words)))


def standard_name(target: str) -> str:
    """Return the name of a target that the daemon's stdout, stderr and syslog have here."""
    return _STANDARD.get(target) or _STANDARD.get(target.lower(), target)


def _target(word: str) -> str:
    name = standard_name(word)
    if name in _STANDARD.values():
        return name
    if "/" not in word:
        raise ValueError(f"{word!r} is not one of stdout, stderr, syslog, and no path")
    return existing_dirpath(word)


def split_logfile(value: str) -> tuple[str, tuple[str, ...]]:
    """Return the log and its further targets: `a.log, /dev/stdout`.

    A text that is the path of a file, in a directory that exists, is not split: that is its
    meaning in Supervisor 4, where all others are errors.  Raises `ValueError`.
    """
    first, *further = re.split(SEPARATOR, value) if "," in value else [value]
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


def syslog_facility(value: str) -> str:
    """Return the name of a facility: `local0`, `LOG_LOCAL0`.  Raises `ValueError`."""
    return _known(value, FACILITIES)


def syslog_priority(value: str) -> str:
    """Return the name of a priority: `err`, `error`, `LOG_ERR`.  Raises `ValueError`."""
    return _known(value, PRIORITIES)


def _known(value: str, names: dict[str, int]) -> str:
    word = value.strip().lower().removeprefix("log_")
    word = _ALIASES.get(word, word)
    if word not in names:
        raise ValueError(f"{value!r} is not one of {', '.join(names)}")
    return word


def syslog_tag(value: str) -> str | None:
    """Return the tag of messages, None for an empty one.  Raises `ValueError`."""
    text = value.strip()
    if len(text) > MAX_TAG_CHARS:
        raise ValueError(f"{text!r} is longer than {MAX_TAG_CHARS} characters")
    if not text.isprintable() or " " in text or ":" in text:
        raise ValueError(f"{text!r} must not contain spaces, colons and control characters")
    return text or None


def syslog_pri(facility: str, priority: str) -> int:
    """Return the PRI of a message (RFC 3164, 4.1.1)."""
    return FACILITIES[facility] << 3 | PRIORITIES[priority]
