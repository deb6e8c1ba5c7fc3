"""Values of options in the notation of a configuration file, for people who compare them."""

from __future__ import annotations

from supervisor.common.dependency_graph import Requirement
from supervisor.config.conversions import UNLIMITED, positive_seconds, seconds
from supervisor.config.health import memory_size
from supervisor.config.state import autostart
from supervisor.config.targets import log_of
from supervisor.datatypes import (
    RestartUnconditionally,
    RestartWhenExitUnexpected,
    boolean,
    byte_size,
    integer,
    signal_number,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.config.option import Option

PLAIN_CONVERSIONS = (autostart, boolean, byte_size, integer, log_of, positive_seconds, seconds)
"""Conversions of options that are not `live`, whose values are shown."""

SIZES = (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024))


def in_notation(row: Option, value: object) -> str | None:
    """Return a value as a file would set it; None for one that may hold a secret.

    Commands, environments, URLs and free text may contain passwords.  It is
    None too for most options that are not `live`: some hold a value in another notation, as a uid.
    """
    if not row.live and row.convert not in PLAIN_CONVERSIONS:
        return None
    if row.convert is signal_number and isinstance(value, int):
        return _signal_name(value)
    if row.convert in (byte_size, memory_size) and isinstance(value, int):
        return _size(value)
    if value == UNLIMITED:
        return "unlimited"
    if isinstance(value, str):
        return None if row.convert is str else value
    if isinstance(value, list | tuple):
        return _list(value)
    return _plain(value)


def _plain(value: object) -> str | None:
    if value is None:
        return "none"
    if isinstance(value, bool) or value is RestartUnconditionally:
        return "true" if value else "false"
    if value is RestartWhenExitUnexpected:
        return "unexpected"
    return f"{value:.15g}" if isinstance(value, int | float) else None


def _list(value: list[object] | tuple[object, ...]) -> str | None:
    if not all(isinstance(each, int | Requirement) for each in value):
        return None
    return ",".join(map(str, value)) or "none"


def _size(value: int) -> str:
    for suffix, size in SIZES:
        if value and value % size == 0:
            return f"{value // size}{suffix}"
    return str(value)


def _signal_name(value: int) -> str:
    import signal

    try:
        return signal.Signals(value).name.removeprefix("SIG")
    except ValueError:
        return str(value)
