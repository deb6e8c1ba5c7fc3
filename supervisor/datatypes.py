"""Conversions from configuration text to values, one small function per type.

Each function takes the text of an option and returns its value, or raises ValueError
with a message about the text; the reader of the configuration adds the section and the
file.  The tables in `supervisor.config.schema` list these functions.  Plugins use them
for their own options, so the functions keep their names from Supervisor 4.
The client imports this module, so it must not import anything slow at the top.
"""

from __future__ import annotations

import grp
import os
import pwd
import sys
from collections.abc import Callable, Mapping

from supervisor.common import quoting

TRUTHY_STRINGS = ("yes", "true", "on", "1")
FALSY_STRINGS = ("no", "false", "off", "0")

C_INT = 2**31  # upper bound of a file mode: system calls take a C int

# Values of `loglevel`, with their numbers in `supervisor.loggers`.
LOG_LEVELS = {
    "critical": 50,
    "error": 40,
    "warn": 30,
    "info": 20,
    "debug": 10,
    "trace": 5,
    "blather": 3,
}


def __getattr__(name: str) -> object:
    """Build SIGNUMS on demand, so that the client never imports what it needs."""
    if name == "SIGNUMS":
        return _signal_numbers()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Automatic:
    """Marker: the daemon generates the log file's name, in `childlogdir`, at start."""


class Syslog:
    """Marker: output goes to syslog instead of a file."""


class RestartWhenExitUnexpected:
    """Marker: restart a process if `exitcodes` does not list its exit code."""


class RestartUnconditionally:
    """Marker: restart a process whenever it exits."""


LOGFILE_NONES = ("none", "off", None)
LOGFILE_AUTOS = (Automatic, "auto")
LOGFILE_SYSLOGS = (Syslog, "syslog")

LogTarget = str | type[Automatic] | type[Syslog] | None
AutoRestart = bool | type[RestartUnconditionally] | type[RestartWhenExitUnexpected]


# -- plain values


def boolean(value: object) -> bool:
    """Return True for yes, true, on, 1 and False for no, false, off, 0, in any case."""
    text = str(value).lower()
    if text in TRUTHY_STRINGS:
        return True
    if text in FALSY_STRINGS:
        return False
    raise ValueError(f"not a valid boolean value: {value!r}")


def integer(value: str | int) -> int:
    """Return the integer; other text raises the ValueError of `int`."""
    number = int(value)
    try:
        float(number)  # deadlines are computed as floats
    except OverflowError:
        raise ValueError(f"number out of range: {value!r}") from None
    return number


def octal_type(value: str) -> int:
    """Return the number from its octal digits, as `chmod` and `umask` take them."""
    try:
        number = int(value, 8)
    except (TypeError, ValueError):
        number = C_INT
    if abs(number) >= C_INT:
        raise ValueError(f"{value} can not be converted to an octal type")
    return number


class SuffixMultiplier:
    """Conversion of numbers with an optional unit, such as `50MB`."""

    def __init__(self, units: Mapping[str, int], default: int = 1) -> None:
        """Map lower-case unit names to multipliers; `default` applies to a bare number."""
        self.units = units
        self.default = default

    def __call__(self, value: str) -> int:
        """Return the number times its unit; the unit is case-insensitive."""
        text = value.lower()
        for suffix, multiplier in self.units.items():
            if text.endswith(suffix):
                return int(text.removesuffix(suffix)) * multiplier
        return int(text) * self.default


byte_size = SuffixMultiplier({"kb": 1024, "mb": 1024**2, "gb": 1024**3})


class RangeCheckedConversion:
    """Conversion to a number that rejects results outside `least`..`most`."""

    def __init__(self, conversion: Callable[[str], int], least: int, most: int) -> None:
        self.conversion = conversion
        self.least = least
        self.most = most

    def __call__(self, value: str) -> int:
        """Return the converted number if it lies within the bounds."""
        number = self.conversion(value)
        if number < self.least:
            raise ValueError(f"{number!r} is below lower bound ({self.least!r})")
        if number > self.most:
            raise ValueError(f"{number!r} is above upper bound ({self.most!r})")
        return number


port_number = RangeCheckedConversion(int, 1, 65535)
resource_limit = RangeCheckedConversion(int, -sys.maxsize, sys.maxsize)


# -- lists and pairs


def list_of_strings(value: str | None) -> list[str]:
    """Return the comma-separated parts, stripped; empty text gives an empty list."""
    return [part.strip() for part in value.split(",")] if value else []


def list_of_names(value: str | None) -> list[str]:
    """Return the comma-separated names, stripped; empty names are ignored.

    Templates that write a comma after each name produce a trailing comma.
    """
    return [name for name in list_of_strings(value) if name]


def list_of_ints(value: str | None) -> list[int]:
    """Return the comma-separated integers; empty text gives an empty list."""
    try:
        return [int(part) for part in list_of_strings(value)]
    except ValueError:
        raise ValueError(f"not a valid list of ints: {value!r}") from None


def list_of_exitcodes(value: str | None) -> list[int]:
    """Return the comma-separated exit codes, 0 to 255; empty text gives an empty list."""
    try:
        codes = list_of_ints(value)
    except (AttributeError, ValueError):
        codes = [-1]
    if any(not 0 <= code <= 255 for code in codes):  # noqa: PLR2004 - one byte of wait status
        raise ValueError(f"not a valid list of exit codes: {value!r}")
    return codes


dict_of_key_value_pairs = quoting.dict_of_key_value_pairs


def profile_options(value: str) -> tuple[list[str], bool]:
    """Return the sort keys of the profiler's report, and whether it lists callers."""
    names = list_of_strings(value.lower())
    return [name for name in names if name != "callers"], "callers" in names


# -- names


def process_or_group_name(value: str) -> str:
    """Return the stripped name; separators of commands and URLs are invalid in it."""
    name = str(value).strip()
    for character in " :/":
        if character in name:
            raise ValueError(f"Invalid name: {name!r} because of character: {character!r}")
    return name


def logging_level(value: str) -> int:
    """Return the number of a log level; the name is case-insensitive."""
    try:
        return LOG_LEVELS[value.lower()]
    except KeyError:
        raise ValueError(f"bad logging level name {value!r}") from None


def signal_number(value: str | int) -> int:
    """Return the number of a signal given as number or name, with or without `SIG`."""
    try:
        number = int(value)
    except ValueError:
        return _signal_by_name(str(value))
    # Accept 0: a configuration with it works, except that stopping sends no signal.
    if number and number not in _signal_numbers():
        raise ValueError(f"value {value!r} is not a valid signal number")
    return number


def _signal_numbers() -> list[int]:
    import signal

    return [int(number) for number in signal.Signals]


def _signal_by_name(value: str) -> int:
    name = value.strip().upper()
    name = name if name.startswith("SIG") else f"SIG{name}"
    import signal

    try:
        return int(getattr(signal, name))
    except (AttributeError, TypeError):
        raise ValueError(f"value {value!r} is not a valid signal name") from None


def auto_restart(value: str) -> AutoRestart:
    """Return False, or the marker class for when to restart a process."""
    text = str(value).lower()
    if text == "unexpected":
        return RestartWhenExitUnexpected
    try:
        return RestartUnconditionally if boolean(text) else False
    except ValueError:
        raise ValueError(f"invalid 'autorestart' value {text!r}") from None


# -- users and groups


MAX_ID = 2**32 - 2
"""Largest uid and gid; the next number means "no change" (chown(2), setresuid(2))."""


def name_to_uid(value: str | int) -> int:
    """Return the uid of a user given by name or number.

    A name must exist.  A number need not exist, which is common in containers.  Its gid is then
    the same number (see `gid_for_uid`), which must not belong to an existing group.
    """
    try:
        uid = int(value)
    except ValueError:
        try:
            return pwd.getpwnam(str(value)).pw_uid
        except KeyError:
            raise ValueError(f"Invalid user name {value}") from None
    if not 0 <= uid <= MAX_ID:
        raise ValueError(f"Invalid user id {value}")
    if _has_user(uid):
        return uid
    try:
        group = grp.getgrgid(uid).gr_name
    except KeyError:
        return uid
    raise ValueError(
        f"Invalid user id {value} (no such user, and a group has this number: {group!r})"
    )


def _has_user(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def name_to_gid(value: str | int) -> int:
    """Return the gid of a group given by name or number; a name must exist."""
    try:
        gid = int(value)
    except ValueError:
        try:
            return grp.getgrnam(str(value)).gr_gid
        except KeyError:
            raise ValueError(f"Invalid group name {value}") from None
    if not 0 <= gid <= MAX_ID:
        raise ValueError(f"Invalid group id {value}")
    return gid


def gid_for_uid(uid: int) -> int:
    """Return the login group of a user; for a uid without an entry, the same number.

    The alternative is the daemon's own group, as in `docker run --user`.  But then a program that
    dropped root privileges could still write files that root's group may write.
    """
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return uid


def colon_separated_user_group(value: str) -> tuple[int, int]:
    """Return (uid, gid) of `user:group`; the gid of `user` alone is -1 (no change)."""
    user, colon, group = value.partition(":")
    try:
        return name_to_uid(user), name_to_gid(group) if colon else -1
    except ValueError:
        raise ValueError(f"Invalid user:group definition {value}") from None


# -- files and addresses


def absolute_path(value: str) -> str:
    """Return the absolute path; ValueError if the working directory no longer exists."""
    try:
        return os.path.abspath(value)
    except OSError:
        raise ValueError(
            f"{value} is relative to a working directory that no longer exists"
        ) from None


def existing_directory(value: str) -> str:
    """Return the path of an existing directory, with `~` expanded."""
    path = os.path.expanduser(value)
    if not os.path.isdir(path):
        raise ValueError(f"{value} is not an existing directory")
    return path


def existing_dirpath(value: str) -> str:
    """Return the path of a file in an existing directory, with `~` expanded."""
    path = os.path.expanduser(value)
    directory = os.path.dirname(path)
    if directory and not os.path.isdir(directory):
        raise ValueError(f"The directory named as part of the path {value} does not exist")
    return path


def activity_logfile(value: str) -> str:
    """Return the path of the activity log, with `~` expanded, or `syslog`.

    A directory is invalid.
    """
    path = existing_dirpath(value)
    if path != "syslog" and os.path.isdir(path):
        raise ValueError(f"{value} is a directory")
    return path


def logfile_name(value: str | LogTarget) -> LogTarget:
    """Return a path, or Automatic for AUTO, Syslog for syslog, None for NONE and off.

    A value that is not a string is already converted: the default in Supvisors is Automatic.
    """
    if not isinstance(value, str):
        return value
    text = value.lower()
    if text in LOGFILE_NONES:
        return None
    if text in LOGFILE_AUTOS:
        return Automatic
    if text in LOGFILE_SYSLOGS:
        return Syslog
    return existing_dirpath(value)


def inet_address(value: str) -> tuple[str, int]:
    """Return (host, port) of `host:port`, `*:port` or `port`; '' means all interfaces."""
    host, colon, port = value.rpartition(":")
    if colon:
        if not port:
            raise ValueError(f"no port number specified in {port!r}")
        return "" if host == "*" else host.lower(), port_number(port)
    try:
        return "", port_number(value)
    except ValueError:
        # The trailing space is part of the message that 4.3.0 prints.
        raise ValueError(f"not a valid port number: {value!r} ") from None


class SocketAddress:
    """An address for plugins, with `.family` and `.address`; without a port, a unix path."""

    def __init__(self, value: str) -> None:
        import socket  # takes 3 ms, and the client does not need it

        self.family = socket.AF_UNIX
        self.address: str | tuple[str, int] = value
        if "/" not in value and ":" in value:
            self.family = socket.AF_INET
            self.address = inet_address(value)


def url(value: str) -> str:
    """Return the text if it has a scheme and a non-empty rest.

    Parsed by hand, because importing `urllib.parse` costs a client 2 ms.
    """
    scheme, _, rest = value.partition(":")
    location = rest.removeprefix("//").partition("?")[0].partition("#")[0]
    if not (scheme[:1].isalpha() and scheme.isascii() and location):
        raise ValueError(f"value {value!r} is not a URL")
    return value
