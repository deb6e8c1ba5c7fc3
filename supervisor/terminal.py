r"""Text from programs, shown on a person's terminal (client floor).

Logs and names may hold whatever a program, or who attacks it, has written: sequences that
rename the window, type for the person, hide or reorder what stands there.  On a terminal only
colours come through; the rest is shown as `\x1b`.  What goes to a file or a pipe is not
touched.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from typing import Any

RESET = "\x1b[0m"
MAX_BYTE = 0xFF

# Characters that change the order in which others are shown (UAX 9).
BIDIRECTIONAL = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"

# Everything that controls a terminal but line ends, tabs and colours (ECMA-48, SGR).
CONTROL = (
    r"\x1b(?!\[[0-9;:]*m)"
    rf"|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f{BIDIRECTIONAL}]"
)
UNFINISHED = r"\x1b(?:\[[0-9;:]{0,30})?\Z"


def is_terminal(stream: Any) -> bool:
    """Whether a person looks at a stream."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # a stream of somebody's own, or a closed one
        return False


def display_width(text: str) -> int:
    """Return the number of columns that a text takes on a terminal (Unicode, UAX #11)."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )


def harmless(text: str) -> str:
    """Return a whole text as it may stand on a terminal, its colours reset at the end."""
    shown = re.sub(CONTROL, _visible, text)
    return f"{shown}{RESET}" if "\x1b" in shown else shown


class HarmlessStream:
    """Makes a text harmless that comes bit by bit."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        """Return what can be shown by now: the beginning of a colour waits for its end."""
        text, self._held = self._held + text, ""
        unfinished = re.search(UNFINISHED, text)
        if unfinished:
            text, self._held = text[: unfinished.start()], unfinished[0]
        return re.sub(CONTROL, _visible, text)


def _visible(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code <= MAX_BYTE else f"\\u{code:04x}"
