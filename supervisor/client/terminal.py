r"""Sanitizing of untrusted text before it reaches a terminal.

Logs and names are written by programs, and possibly by attackers of these.  They may contain
sequences that rename the window, inject input, or hide or reorder other text.  On a terminal
only colours pass through; other control characters are shown as `\x1b`.  Output to a file or
a pipe is not changed.
"""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from typing import Any

RESET = "\x1b[0m"
RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN = (f"\x1b[{code}m" for code in range(31, 37))
MAX_BYTE = 0xFF

# Characters that change the display order of other characters (UAX #9).
BIDIRECTIONAL = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"

# All terminal control characters except line ends, tabs and colours (ECMA-48, SGR).
CONTROL = (
    r"\x1b(?!\[[0-9;:]*m)"
    rf"|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f{BIDIRECTIONAL}]"
)
UNFINISHED = r"\x1b(?:\[[0-9;:]{0,30})?\Z"


def is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # a stream class without isatty, or a closed stream
        return False


def supports_sequences(stream: Any) -> bool:
    """Whether a stream is a terminal that can do more than print lines."""
    return is_terminal(stream) and os.environ.get("TERM", "dumb") != "dumb"


def uses_colours(stream: Any) -> bool:
    """Whether to write colours: on a capable terminal, unless the user objects (no-color.org)."""
    return supports_sequences(stream) and not os.environ.get("NO_COLOR")


def coloured(text: str, colour: str) -> str:
    """Return text in a colour, or unchanged if that is ''."""
    return f"{colour}{text}{RESET}" if colour else text


def display_width(text: str) -> int:
    """Return the width of a text on a terminal, in columns (Unicode, UAX #11)."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )


def sanitize(text: str) -> str:
    """Return a complete text that is safe for a terminal, with colours reset at the end."""
    shown = re.sub(CONTROL, _visible, text)
    return f"{shown}{RESET}" if "\x1b" in shown else shown


class TerminalSanitizer:
    """Sanitizes text that arrives in parts."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        """Return the text that can be shown now; an incomplete colour sequence is held back."""
        text, self._held = self._held + text, ""
        unfinished = re.search(UNFINISHED, text)
        if unfinished:
            text, self._held = text[: unfinished.start()], unfinished[0]
        return re.sub(CONTROL, _visible, text)


def _visible(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code <= MAX_BYTE else f"\\u{code:04x}"
