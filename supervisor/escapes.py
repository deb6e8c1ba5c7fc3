"""Text of others on one line of a log (floor 0)."""

from __future__ import annotations


def one_line(text: str, max_chars: int) -> str:
    r"""Return the beginning of a text with each character that does not print escaped: `\n`."""
    text = text[:max_chars]
    if text.isprintable():
        return text
    return "".join(
        [each if each.isprintable() else each.encode("unicode_escape").decode() for each in text]
    )
