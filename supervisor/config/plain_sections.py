"""A fast path for a large file: sections whose lines leave no choice of their meaning.

A thousand programs are five thousand lines, for which configparser takes 30 ms, and each command of
supervisorctl reads them.  Nearly all sections of such a file consist of options that begin in the
first column, empty lines and comments.  They are parsed here, in a tenth of the time.  configparser
gets their headers, and any section with a continuation line, a comment behind a value, or an
error.  The lines in the rest of the text keep their numbers.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_parts = re.compile(r"^(?=\[)", re.MULTILINE).split
_header = re.compile(r"\[([^\[\]\n;#]+)\][ \t]*(?:[ \t][;#][^\n]*)?\n").match
_is_plain = re.compile(r"(?:(?:\w++ ?[=:][^\n;#\r]*+|[;#][^\n]*+)?+\n)*+").fullmatch
_is_preamble = re.compile(r"(?:[ \t]*+(?:[;#][^\n]*+)?+\n)*+").fullmatch
_options = re.compile(r"^(\w+) ?[=:](.*)", re.MULTILINE).findall

DEFAULT = "DEFAULT"
"""The section whose options belong to all others."""


def split_plain(
    text: str, option_name: Callable[[str], str] = str.lower
) -> tuple[str, dict[str, dict[str, str]]]:
    """Return the text without the options of plain sections, and these options by section.

    All of a text is left to configparser if its parts depend on each other: if it has a section
    more than once, a line in brackets that is no plain header, or options before all headers.
    """
    beginning, *parts = _parts(text)
    if not _is_preamble(beginning):
        return text, {}
    sections: dict[str, dict[str, str] | None] = {}
    kept = [beginning]
    end = len(kept)  # of the parts whose lines must keep their numbers
    for part in parts:
        header = _header(part)
        if header is None or header[1] in sections:
            return text, {}
        body = part[header.end() :]
        if header[1] == DEFAULT or not _is_plain(body):
            sections[header[1]] = None
            kept.append(part)
            end = len(kept)
            continue
        sections[header[1]] = {option_name(name): value.strip() for name, value in _options(body)}
        kept.append(header[0] + "\n" * body.count("\n"))
    kept[end:] = [part.rstrip("\n") + "\n" for part in kept[end:]]
    return "".join(kept), {name: found for name, found in sections.items() if found is not None}
