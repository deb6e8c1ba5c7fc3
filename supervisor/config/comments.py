"""Comments that end a value inside its quotes (floor 3).

configparser takes a `;` or `#` that follows a blank for the beginning of a comment and knows no
quotes: of `sh -c 'while : ; do date; done'` it leaves `sh -c 'while :`, as in Supervisor 4.  All
that the reader of the value notices is an unbalanced quote, so the reason is looked for in the text
of the file once that has happened.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NO_CLOSING_QUOTATION = "No closing quotation"
"""The text of `shlex` about an unbalanced quote."""

_header = re.compile(r"^\[([^\]]+)\]", re.MULTILINE)
_comment_in_quotes = re.compile(r"\S.*?\s([;#]).*['\"]").search


def section_bodies(text: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the lines of each section of a file, repeated ones too."""
    parts = _header.split(text)[1:]
    yield from zip(parts[::2], parts[1::2], strict=True)


def comment_hint(text: str, section: str, option: str) -> str:
    """Return the reason for an unbalanced quote in a value, to be appended to the error.

    It is '' unless a comment with a quote in it follows the value.  `text` is that of the file.
    """
    pattern = rf"^{re.escape(option)}\s*[:=](.*(?:\n[ \t].*)*)"
    value = re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for name, body in section_bodies(text):
        if name in {section, "DEFAULT"}:
            for line in "\n".join(value.findall(body)).split("\n"):
                cut = _comment_in_quotes(line)
                if cut:
                    return (
                        f"; ' {cut[1]}' begins a comment, also inside quotes"
                        f" (fix: no blank before '{cut[1]}')"
                    )
    return ""
