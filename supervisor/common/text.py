"""Texts of log lines: local times, and escapes for untrusted text."""

from __future__ import annotations

import time

RAW_FORMAT = "raw"
"""Format of the log of a program that contains the output as it is."""

PREFIX_FORMAT = "prefix"
"""Format of a line that begins with its time and the program's name."""

JSON_FORMAT = "json"
"""Format of a log whose lines are JSON objects."""

VISIBLE = {
    **{code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"},
    0x7F: "\u2421",
    **{
        code: f"[U+{code:04X}]"
        for code in (
            *range(0x80, 0xA0),
            *(0x061C, 0x200E, 0x200F),
            *range(0x202A, 0x202F),
            *range(0x2066, 0x206A),
        )
    },
}
"""Characters that could hide or reorder others -> visible ones."""

ACTIVITY_FORMAT = "%(asctime)s %(levelname)s %(message)s"
"""Default format of the activity log."""


def local_time(now: float) -> str:
    """Return local time as `2026-01-31 23:59:59,999`; `now` is in seconds since the epoch."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    return f"{stamp},{int(now % 1 * 1000):03d}"


def utc_time(now: float) -> str:
    """Return UTC as `2026-01-31T23:59:59.999Z` (RFC 3339); `now` is in seconds since the epoch."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    return f"{stamp}.{int(now % 1 * 1000):03d}Z"


def one_line(text: str, max_chars: int) -> str:
    r"""Truncate a text and escape its non-printable characters: `\n`."""
    text = text[:max_chars]
    if text.isprintable():
        return text
    return "".join(
        [each if each.isprintable() else each.encode("unicode_escape").decode() for each in text]
    )


def visible(text: str) -> str:
    """Return text whose control characters are symbols, and bidirectional controls `[U+202E]`.

    Neither can then hide or reorder the text around it on a page.  Newlines and tabs remain.
    """
    if text.isprintable():
        return text
    return text.replace("\r\n", "\n").translate(VISIBLE)


def bytes_as_text(data: bytes | bytearray) -> str:
    """Return bytes as a text of as many characters (Latin-1), for JSON."""
    return data.decode("latin-1")


def text_as_bytes(text: object) -> bytes:
    """Return the bytes that `bytes_as_text` has converted; b"" for anything else."""
    return text.encode("latin-1", "replace") if isinstance(text, str) else b""


def in_seconds(seconds: float) -> str:
    """Return a duration with its unit: `1 second`, `0.5 seconds`."""
    return f"{seconds:g} second{'' if seconds == 1 else 's'}"


def as_text(data: bytes | str) -> str:
    """Return the output of a child as text for payloads and the activity log."""
    if isinstance(data, str):
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"Undecodable: {data!r}"
