"""Conversions of values that Supervisor 4 does not have; `datatypes` has the others.

Each takes the text of an option and raises `ValueError` with a text for the user.
"""

from __future__ import annotations

import re
import sys

from supervisor.common.text import PREFIX_FORMAT, RAW_FORMAT
from supervisor.datatypes import boolean, integer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisor.common.env_files import EnvFile, SecretFile
    from supervisor.common.probes import Probe
    from supervisor.common.rotation_period import RotationPeriod

UNLIMITED = sys.maxsize
"""Value of the word `unlimited`, more than any count or time."""

MIN_FD, MAX_FD = 3, 255
"""Bounds of an fd for a program: behind the standard streams, below every limit."""

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_duration = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([a-z]*)").fullmatch

MIN_ROTATION_SECONDS = 1.0
"""Shortest time between two rotations of a log, in seconds."""

MAX_DAYS = 36_500
"""Longest age of a backup, in days."""

MAX_SECONDS = 100 * 365 * 86400.0
"""Upper bound of a time, in seconds: beyond it, deadlines lose their precision."""


def seconds(value: str) -> float:
    """Return a time in seconds: `0.5`, `500ms`, `30s`, `5m`, `2h`, `1d`."""
    match = _duration(value.strip().lower())
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"not a time in seconds, such as 0.5, 500ms, 30s or 5m: {value!r}")
    found = float(match[1]) * _UNITS[match[2]]
    if found > MAX_SECONDS:
        raise ValueError(f"time out of range: {value!r}")
    return found


def number(least: float, most: float = float("inf")) -> Callable[[str], float]:
    """Return a conversion to a number within bounds."""

    def convert(value: str) -> float:
        try:
            found = float(value)
        except ValueError:
            raise ValueError(f"not a number: {value!r}") from None
        if not least <= found <= most or found == float("inf"):
            bounds = f"at least {least:g}" if most == float("inf") else f"{least:g} to {most:g}"
            raise ValueError(f"{value!r} is out of range ({bounds})")
        return found

    return convert


def positive_seconds(value: str) -> float:
    """Return a time in seconds that is not 0; see `seconds`."""
    found = seconds(value)
    if not found:
        raise ValueError(f"time out of range: {value!r} (more than 0)")
    return found


def count(least: int = 0) -> Callable[[str], int]:
    """Return a conversion to a number of things."""

    def convert(value: str) -> int:
        try:
            found = integer(value)
        except ValueError:
            raise ValueError(f"not a whole number: {value!r}") from None
        if found < least:
            raise ValueError(f"{value!r} is out of range (at least {least})")
        return found

    return convert


def limit(value: str) -> int:
    """Return an integer, or `UNLIMITED` for that word."""
    return UNLIMITED if value.strip().lower() == "unlimited" else integer(value)


def file_mode(value: str) -> int:
    """Return the mode of a file from its octal digits: `0640`."""
    if re.fullmatch(r"0?[0-7]{1,3}", value.strip()) is None:
        raise ValueError(f"not an octal file mode, such as 0640: {value!r}")
    return int(value, 8)


def rotation_period(value: str) -> RotationPeriod | None:
    """Return the time between two rotations: `hourly`, `daily`, `weekly` or seconds.

    None for `none`.
    """
    word = value.strip().lower()
    if word == "none":
        return None
    from supervisor.common.rotation_period import WORDS, RotationPeriod  # few programs need it

    if word in WORDS:
        return RotationPeriod(word)
    try:
        found = seconds(word)
    except ValueError:
        words = ", ".join(WORDS)
        raise ValueError(f"not {words} or a time in seconds: {value!r}") from None
    if found < MIN_ROTATION_SECONDS:
        raise ValueError(f"time out of range: {value!r} (at least {MIN_ROTATION_SECONDS:g} s)")
    return RotationPeriod(seconds=found)


def notify_mode(value: str) -> str:
    """Return `main`, `all`, or "" for false."""
    word = value.strip().lower()
    if word == "all":
        return word
    return "main" if boolean(word) else ""


def essential_mode(value: str) -> str:
    """Return `any` for true (any end counts), `failure`, or "" for false."""
    word = value.strip().lower()
    if word == "failure":
        return word
    return "any" if boolean(word) else ""


def fd_or_variable(value: str) -> int | str:
    """Return the number of an fd, 3 or more, or the name of a variable."""
    text = value.strip()
    if text.isdecimal():
        fd = int(text)
        if not MIN_FD <= fd <= MAX_FD:
            raise ValueError(f"{text!r} is out of range ({MIN_FD} to {MAX_FD})")
        return fd
    if not (text.isascii() and text.isidentifier()):
        raise ValueError(f"neither the number of an fd nor the name of a variable: {text!r}")
    return text


def one_of(*words: str) -> Callable[[str], str]:
    """Return a conversion that accepts some words, in any case."""

    def convert(value: str) -> str:
        word = value.strip().lower()
        if word not in words:
            raise ValueError(f"{value!r} is not one of {', '.join(words)}")
        return word

    return convert


def server_url(value: str) -> str | None:
    """Return the SUPERVISOR_SERVER_URL of a program, or None for AUTO."""
    return None if value.strip().upper() == "AUTO" else value


def line_format(value: str) -> str:
    """Return a format of programs' logs; see `common.log_formats`."""
    if value in {RAW_FORMAT, PREFIX_FORMAT}:  # the defaults, converted by every daemon
        return value
    from supervisor.common.log_formats import check_line_format  # few programs need it

    return check_line_format(value)


def probe(value: str) -> Probe:
    """Return the probe of a check; raises `ValueError` with a reason for users."""
    from supervisor.common.probes import parse_probe  # few programs have a check

    return parse_probe(value)


TREE = "tree"
"""Value of `killmode` for the whole process tree."""

kill_mode = one_of("process", "group", TREE)


# Few programs have the following options, so their module is imported for the first one that does.


def envfiles(value: str) -> tuple[EnvFile, ...]:
    """Return the files of `envfiles=`; see `common.env_files`."""
    if not value.strip():
        return ()
    from supervisor.common.env_files import parse_envfiles

    return parse_envfiles(value)


def secretfiles(value: str) -> tuple[SecretFile, ...]:
    """Return the files of `secretfiles=`; see `common.env_files`."""
    if not value.strip():
        return ()
    from supervisor.common.env_files import parse_secretfiles

    return parse_secretfiles(value)


def passed_names(value: str) -> tuple[str, ...]:
    """Return the names of `pass_environment=`; see `common.env_files`."""
    if not value.strip():
        return ()
    from supervisor.common.env_files import parse_passed_names

    return parse_passed_names(value)
