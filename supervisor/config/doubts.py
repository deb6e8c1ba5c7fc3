"""What is allowed in a configuration but was hardly meant so (floor 3).

`settings` asks once everything has been read; each doubt is one line of the activity log.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator

from supervisor.config import schema
from supervisor.files import find_unprotected, is_trusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.config.parser import UnhosedConfigParser

_headers = re.compile(r"^\[([^\]]+)\]", re.MULTILINE).findall

PROGRAM_LIKE = ("eventlistener", "fcgi-program")
"""Kinds of sections that take the options of a program too."""

FREE_SECTIONS = ("rpcinterface", "ctlplugin")
"""Kinds of sections whose options are a plugin's business."""


def all_doubts(parser: UnhosedConfigParser) -> list[str]:
    """Return a line for each doubt about the files that were read, the main one first."""
    sections = Counter[str]()
    doubts: list[str] = []
    for file, text, mode in parser.sources:
        sections.update(_headers(text))
        if mode & stat.S_IROTH and _has_password(text):
            doubts.append(
                f"{file} contains a password and can be read by everybody; chmod o-r would help"
            )
    if os.geteuid() == 0:
        regular = [file for file, _, mode in parser.sources if stat.S_ISREG(mode)]
        doubts += _unprotected([*regular, *parser.include_directories])
    doubts += [
        f"section [{name}] is defined {count} times, what the last one says counts"
        for name, count in sections.items()
        if count > 1
    ]
    return doubts + list(_unknown_options(parser))


def _has_password(text: str) -> bool:
    pattern = r"^\s*password\s*[=:]\s*(?!\{SHA\})\S"
    return "password" in text and re.search(pattern, text, re.MULTILINE) is not None


def _unprotected(paths: list[str]) -> Iterator[str]:
    """Return a line for each file or directory by which other users control what root runs."""
    found: set[str] = set()
    for path in paths:
        try:
            weak = find_unprotected(path)
            status = os.lstat(weak or path)
        except OSError:  # it was there a moment ago
            continue
        if weak is None or weak in found:
            continue
        found.add(weak)
        reached = "" if weak == path else f" is reached through {weak}, which"
        if is_trusted(status):
            reason, fix = "is writable by others", "chmod go-w"
        else:
            reason, fix = "belongs to another user", "chown -h root"
        yield f"{path} controls what runs as root but{reached} {reason} (fix: {fix} {weak})"


def _unknown_options(parser: UnhosedConfigParser) -> Iterator[str]:
    plugins = " ".join(_plugin_texts(parser))
    for section in parser.sections():
        known = _known_options(section.partition(":")[0])
        if known is None:
            continue
        for option in parser.options(section):
            is_known = option in known or option in parser.defaults()
            if not is_known and option.partition("_")[0] not in plugins:
                file = parser.file_of(section, option)
                yield f"unknown option {option!r} in section {section!r} (file: {file!r})"


def _known_options(kind: str) -> set[str] | None:
    """Return the names of the options of a kind of section, None for what takes any."""
    options = schema.SECTIONS.get(kind) or schema.SECTIONS.get(f"{kind}:x")
    if options is None or kind in FREE_SECTIONS:
        return None
    if kind in PROGRAM_LIKE:
        options = (*options, *schema.SECTIONS["program:x"])
    return {option.name for option in options}


def _plugin_texts(parser: UnhosedConfigParser) -> Iterator[str]:
    """What names the plugins: an option of theirs begins with a part of such a name."""
    for section in parser.sections():
        if section.startswith((*FREE_SECTIONS, "eventlistener")):
            for option, value in parser.items(section):
                if option == "command" or option.endswith("_factory"):
                    yield str(value)
