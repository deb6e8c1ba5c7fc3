r"""Env files: the items of `envfiles=` and `secretfiles=`, and the parser of their lines (pure).

The format is the one that docker compose and dotenv have in common:

* `KEY=VALUE` or `export KEY=VALUE`, with spaces around the equals sign if wanted; empty lines and
  lines that begin with `#` are ignored.
* A plain value ends at the end of the line, or at a space with `#` behind it, and is trimmed.
* A value in single quotes is literal.  In double quotes, `\n`, `\r`, `\t`, `\"`, `\\` and `\$` are
  escapes; any other backslash is itself.  Both may span lines.
* `$` has no meaning: passwords contain it, and nothing is expanded.
* CR LF is a line end like LF, also in quotes.  A byte order mark is ignored.

A line may contain a secret even where it is malformed, so errors have its number only.
"""

from __future__ import annotations

import os
import re

from supervisor.common.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

NAME = r"[A-Za-z_][A-Za-z0-9_.-]*"
"""Names of variables: Java programs have dots in theirs, and other readers allow them too."""

_is_name = re.compile(NAME).fullmatch
_head = re.compile(rf"[ \t]*(?:export[ \t]+)?({NAME})[ \t]*=").match
_ignored_line = re.compile(r"[ \t\r]*(?:#.*)?$", re.MULTILINE).match
_blanks = re.compile(r"[ \t]*").match
_comment = re.compile(r"[ \t]#").search
_quoted = {
    "'": re.compile(r"'([^']*+)'").match,
    '"': re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL).match,
}
_escape = re.compile(r"\\([nrt\"\\$])")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


@record(frozen=True)
class EnvFile:
    """One item of `envfiles=`; an optional one (`-path`) may be missing."""

    path: str
    is_optional: bool


@record(frozen=True)
class SecretFile:
    """One item of `secretfiles=`: the variable that gets the content of a file."""

    variable: str
    path: str


class EnvFileError(ValueError):
    """A malformed line; `number` counts from 1.  The text has nothing of the line's content."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"{number}: {reason}")


# -- options -------------------------------------------------------------------


def parse_envfiles(text: str) -> tuple[EnvFile, ...]:
    """Return the files of a list such as `a.env, -b.env`; raises `ValueError`."""
    found = []
    for item in _items(text):
        path = item.removeprefix("-").strip()
        if not path:
            raise ValueError(f"no file behind '-' in {text!r}")
        found.append(EnvFile(os.path.expanduser(path), item.startswith("-")))
    return tuple(found)


def parse_secretfiles(text: str) -> tuple[SecretFile, ...]:
    """Return the files of a list such as `VAR:/path, VAR2:/path`; raises `ValueError`."""
    found: dict[str, SecretFile] = {}
    for item in _items(text):
        variable, colon, path = (part.strip() for part in item.partition(":"))
        if not (colon and variable and path):
            raise ValueError(f"{item!r} is not VARIABLE:FILE")
        if _is_name(variable) is None:
            raise ValueError(f"{variable!r} is not the name of a variable")
        if variable in found:
            raise ValueError(f"{variable!r} is set twice")
        found[variable] = SecretFile(variable, os.path.expanduser(path))
    return tuple(found.values())


def parse_passed_names(text: str) -> tuple[str, ...]:
    """Return the names of a list such as `PATH, LANG, LC_*`; raises `ValueError`."""
    names = tuple(_items(text))
    for name in names:
        prefix = name.removesuffix("*")
        if prefix and _is_name(prefix) is None:
            raise ValueError(
                f"{name!r} is neither the name of a variable nor the start of one (A_*)"
            )
    return names


def passed_variables(environment: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Return the part of an environment that has some names; `LC_*` names all with that start."""
    prefixes = tuple(name[:-1] for name in names if name.endswith("*"))
    return {
        name: value
        for name, value in environment.items()
        if name in names or (prefixes and name.startswith(prefixes))
    }


def _items(text: str) -> Iterator[str]:
    """Yield the items of a comma-separated list; raises `ValueError` for an empty one."""
    for item in text.split(","):
        if not item.strip():
            raise ValueError(f"an item is empty in {text!r}")
        yield item.strip()


# -- the file --------------------------------------------------------------------


def parse_env_file(data: bytes) -> dict[str, str]:
    """Return the variables of a file, of which the last setting of each counts.

    Raises `EnvFileError`.
    """
    text = os.fsdecode(data.removeprefix(BYTE_ORDER_MARK)).replace("\r\n", "\n")
    if "\0" in text:
        raise _error(text, text.index("\0"), "null byte")
    found = {}
    start = 0
    while start < len(text):
        ignored = _ignored_line(text, start)
        if ignored is not None:
            start = ignored.end() + 1
            continue
        head = _head(text, start)
        if head is None:
            raise _error(text, start, "expected KEY=VALUE")
        found[head[1]], start = _value(text, head.end())
    return found


def _value(text: str, start: int) -> tuple[str, int]:
    """Return the value that begins at `start`, behind the equals sign, and the next line's start.

    Raises `EnvFileError`.
    """
    line_end = text.find("\n", start)
    if line_end < 0:
        line_end = len(text)
    blanks = _blanks(text, start)
    first = start if blanks is None else blanks.end()
    quote = text[first : first + 1]
    if quote not in _quoted:
        comment = _comment(text, start, line_end)
        value_end = line_end if comment is None else comment.start()
        return text[start:value_end].strip(" \t\r"), line_end + 1
    quoted = _quoted[quote](text, first)
    if quoted is None:
        raise _error(text, first, "the quote is not closed")
    rest = _ignored_line(text, quoted.end())
    if rest is None:
        raise _error(text, quoted.end(), "text behind the closing quote")
    value = quoted[1]
    if quote == '"':
        value = _escape.sub(lambda escape: _ESCAPED.get(escape[1], escape[1]), value)
    return value, rest.end() + 1


def _error(text: str, position: int, reason: str) -> EnvFileError:
    return EnvFileError(text.count("\n", 0, position) + 1, reason)
