r"""Parser of the datagrams by which a program reports its state: sd_notify(3) of systemd.

A datagram is a list of `KEY=VALUE` lines, for example `READY=1\nSTATUS=3 workers`.  It may be
sent by any process that can write to the socket, so nothing in it is trusted: numbers are bounded,
text is truncated and escaped, and no input raises an exception.

The rules are those of systemd.  Unknown keys are ignored, because the protocol grows.  The first
of several lines with one key wins.  Values that sd_notify(3) does not define are reported.  A
datagram with `BARRIER=1` has no other line: its sender waits until the file descriptor sent
with it is closed; then its earlier datagrams have been handled.

`process.notify_socket` receives the datagrams.
"""

from __future__ import annotations

from supervisor.common.pids import MAX_PID
from supervisor.common.records import record
from supervisor.common.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DATAGRAM_BYTES = 4096
"""Longer datagrams are refused, as by systemd (NOTIFY_BUFFER_MAX)."""

MAX_STATUS_CHARS = 256
"""Length to which the text of STATUS is truncated: it becomes a part of one line."""

MAX_ERRORS = 4
"""Number of errors that are reported for one datagram."""

MAX_SHOWN_CHARS = 40
"""Length to which a bad value is truncated in its report."""

MAX_ERRNO = 4095
MAX_MICROSECONDS = 2**64 - 1
MICROSECONDS = 1_000_000

KEEP_ALIVE, TRIGGER = "1", "trigger"
"""Values of `Notification.watchdog`: restart its timer, or act as if it had expired."""


@record(frozen=True)
class Notification:
    """The content of one datagram; a field that was not in it has its default.

    All durations are in seconds.  `monotonic` is the sender's CLOCK_MONOTONIC in seconds, which
    accompanies `reloading`.  An empty `status` clears the earlier one.  `errors` are for users.
    """

    ready: bool = False
    reloading: bool = False
    stopping: bool = False
    barrier: bool = False
    status: str | None = None
    watchdog: str | None = None
    watchdog_seconds: float | None = None
    extend_timeout_seconds: float | None = None
    monotonic: float | None = None
    main_pid: int | None = None
    errno: int | None = None
    errors: tuple[str, ...] = ()


def parse_notification(datagram: bytes) -> Notification:
    """Return the content of a datagram; what is wrong with it is in `errors`."""
    data = datagram.removesuffix(b"\0")
    if len(datagram) > MAX_DATAGRAM_BYTES:
        return _refused(f"longer than {MAX_DATAGRAM_BYTES} bytes")
    if b"\0" in data:
        return _refused("contains a NUL byte")
    fields: dict[str, object] = {}
    errors: list[str] = []
    lines = [line for line in data.decode("utf-8", "replace").split("\n") if line]
    for line in lines:
        key, equals, value = line.partition("=")
        if not equals:
            errors.append(f"not KEY=VALUE: {_shown(line)}")
            continue
        name, convert = _FIELDS.get(key, ("", None))
        if convert is None or name in fields:
            continue
        try:
            fields[name] = convert(value)
        except ValueError:
            errors.append(f"bad value: {key}={_shown(value)}")
    if "barrier" in fields and len(lines) > 1:
        return _refused("BARRIER=1 is not alone")
    return Notification(**fields, errors=tuple(errors[:MAX_ERRORS]))  # type: ignore[arg-type]


def _refused(error: str) -> Notification:
    return Notification(errors=(error,))


def _shown(text: str) -> str:
    return one_line(text, MAX_SHOWN_CHARS)


# -- values --------------------------------------------------------------------


def _flag(value: str) -> bool:
    if value != "1":
        raise ValueError
    return True


def _watchdog(value: str) -> str:
    if value not in {KEEP_ALIVE, TRIGGER}:
        raise ValueError
    return value


def _status(value: str) -> str:
    return one_line(value, MAX_STATUS_CHARS)


def _integer(least: int, most: int) -> Callable[[str], int]:
    """Return a converter of decimal numbers in a range; it raises `ValueError`."""

    def convert(value: str) -> int:
        # `int` accepts blanks, signs, underscores and all the digits of Unicode.
        if not (value.isascii() and value.isdigit() and len(value) <= len(str(most))):
            raise ValueError
        number = int(value)
        if not least <= number <= most:
            raise ValueError
        return number

    return convert


_microseconds = _integer(0, MAX_MICROSECONDS)


def _seconds(value: str) -> float:
    return _microseconds(value) / MICROSECONDS


_FIELDS: dict[str, tuple[str, Callable[[str], object]]] = {
    "READY": ("ready", _flag),
    "RELOADING": ("reloading", _flag),
    "STOPPING": ("stopping", _flag),
    "BARRIER": ("barrier", _flag),
    "STATUS": ("status", _status),
    "WATCHDOG": ("watchdog", _watchdog),
    "WATCHDOG_USEC": ("watchdog_seconds", _seconds),
    "EXTEND_TIMEOUT_USEC": ("extend_timeout_seconds", _seconds),
    "MONOTONIC_USEC": ("monotonic", _seconds),
    "MAINPID": ("main_pid", _integer(1, MAX_PID)),
    "ERRNO": ("errno", _integer(0, MAX_ERRNO)),
}
