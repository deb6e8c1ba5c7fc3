"""Escapes for untrusted text in a log line."""

from __future__ import annotations


def one_line(text: str, max_chars: int) -> str:
    r"""Truncate a text and escape its non-printable characters: `\n`."""
    text = text[:max_chars]
    if text.isprintable():
        return text
    return "".join(
        [each if each.isprintable() else each.encode("unicode_escape").decode() for each in text]
    )


def as_text(data: bytes | str) -> str:
    """Return the output of a child as text for payloads and the activity log."""
    if isinstance(data, str):
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"Undecodable: {data!r}"
