"""Comments that truncate a quoted value.

configparser treats a `;` or `#` after whitespace as the start of a comment, even inside quotes.
It truncates `sh -c 'while : ; do date; done'` to `sh -c 'while :`, as Supervisor 4 does.  The
reader of the value only sees an unbalanced quote, so this module then searches the text of the
file for the cause.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NO_CLOSING_QUOTATION = "No closing quotation"
"""Error message of `shlex` for an unbalanced quote."""

_header = re.compile(r"^\[([^\]]+)\]", re.MULTILINE)

# Compiled on demand: most readers need neither.
_option = r"([^\s;#:=][^:=]*)[:=]"
_comment_in_quotes = r"\S.*?\s([;#]).*['\"]"


def section_bodies(text: str) -> Iterator[tuple[str, str]]:
    """Yield the name and body of each section of a file, including repeated sections."""
    parts = _header.split(text)[1:]
    yield from zip(parts[::2], parts[1::2], strict=True)


def section_lines(text: str) -> Iterator[tuple[str, int]]:
    """Yield the name and the line (from 1) of each section's header in a file."""
    line, position = 1, 0
    for header in _header.finditer(text):
        line += text.count("\n", position, header.start())
        position = header.start()
        yield header[1], line


def option_lines(text: str) -> dict[tuple[str, str], int]:
    """Return the line (from 1) of each option of a file, by section and option.

    Of an option that a section repeats, it is the last one, which wins.
    """
    found: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.split("\n"), start=1):
        header = _header.match(line)
        option = re.match(_option, line)
        if header:
            section = header[1]
        elif option:
            found[section, option[1].rstrip().lower()] = number
    return found


def comment_hint(text: str, section: str, option: str) -> str:
    """Return the cause of an unbalanced quote in a value, to be appended to the error.

    The result is '' unless a comment that contains a quote follows the value.  `text` is the
    text of the file.
    """
    pattern = rf"^{re.escape(option)}\s*[:=](.*(?:\n[ \t].*)*)"
    value = re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for name, body in section_bodies(text):
        if name in {section, "DEFAULT"}:
            for line in "\n".join(value.findall(body)).split("\n"):
                cut = re.search(_comment_in_quotes, line)
                if cut:
                    return (
                        f"; ' {cut[1]}' begins a comment, also inside quotes"
                        f" (fix: remove the blank before '{cut[1]}')"
                    )
    return ""
