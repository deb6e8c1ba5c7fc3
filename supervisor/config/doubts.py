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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.config.parser import UnhosedConfigParser

# A doubled percent sign is skipped whole; its group is empty.
_variables = re.compile(r"%%|%\(ENV_([^)]+)\)").findall

_headers = re.compile(r"^\[([^\]]+)\]", re.MULTILINE).findall

PROGRAM_LIKE = ("eventlistener", "fcgi-program")
"""Kinds of sections that take the options of a program too."""

SERVERS = ("inet_http_server", "unix_http_server")
"""Prefixes of the sections of HTTP servers."""

FREE_SECTIONS = ("rpcinterface", "ctlplugin")
"""Kinds of sections whose options are a plugin's business."""


def all_doubts(parser: UnhosedConfigParser, files: list[str]) -> list[str]:
    """Return a line for each doubt about the files that were read, the main one first."""
    sections = Counter[str]()
    doubts: list[str] = []
    for file in files:
        text = _text(file)
        sections.update(_headers(text))
        doubts += _doubts_about_file(file, text)
    doubts += [
        f"section [{name}] is defined {count} times, what the last one says counts"
        for name, count in sections.items()
        if count > 1
    ]
    return [*doubts, *_inherited_passwords(parser), *_unknown_options(parser)]


def _text(file: str) -> str:
    try:
        with open(file, encoding="utf-8-sig", errors="replace") as opened:
            return opened.read()
    except OSError:  # it was there a moment ago
        return ""


def _doubts_about_file(file: str, text: str) -> Iterator[str]:
    try:
        status = os.stat(file)
    except OSError:
        return
    if not stat.S_ISREG(status.st_mode):
        return
    is_open = status.st_mode & stat.S_IROTH and "password" in text
    if is_open and re.search(r"^\s*password\s*[=:]\s*(?!\{SHA\})\S", text, re.MULTILINE):
        yield f"{file} contains a password and can be read by everybody; chmod o-r would help"
    if os.geteuid() == 0 and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield f"{file} says what root runs and can be written by others; chmod go-w would help"


def _inherited_passwords(parser: UnhosedConfigParser) -> Iterator[str]:
    """Yield a line for each environment variable that a server's password uses.

    Programs inherit the daemon's environment, so each of them can read it there.
    """
    for section in parser.sections():
        if not section.startswith(SERVERS):
            continue
        password = str(parser.get(section, "password", fallback=""))
        if password.startswith("{SHA}"):  # a hash does not open the server
            continue
        for variable in dict.fromkeys(filter(None, _variables(password))):
            yield (
                f"the password of [{section}] comes from the environment variable {variable}, which"
                " every program inherits (fix: write it into a file that only the daemon can read)"
            )


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
