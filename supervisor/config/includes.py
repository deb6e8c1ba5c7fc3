"""Included files: the daemon reads the files that `[include]` names.

The client does not read them.
"""

from __future__ import annotations

import errno
import os
import stat

from supervisor.config.parser import (
    ConfigurationError,
    Remark,
    UnhosedConfigParser,
    host_expansion,
    read_file,
)
from supervisor.engine.files import READ_FLAGS, require_regular

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Iterator
    from typing import TextIO


def read_includes(parser: UnhosedConfigParser) -> None:
    """Read the files that `[include]` names, relative to the including file's directory.

    Includes within included files are ignored.  Raises ConfigurationError.
    """
    if not parser.has_section("include"):
        return
    import glob

    section = parser.section("include", **host_expansion())
    patterns = section.value("files")
    if patterns is None:
        problem = ".ini file has [include] section, but no files setting"
        parser.mistakes.report(section.error(problem, "files"))
        return
    parser.expand_here(parser.here)
    for pattern in map(os.path.expanduser, patterns.split()):
        filenames = sorted(glob.glob(os.path.join(glob.escape(parser.here), pattern)))
        if not filenames:
            path = os.path.join(parser.here, pattern)
            # An empty directory of optional files is no reason for a warning by `--check`.
            is_optional = glob.has_magic(pattern) and os.path.isdir(os.path.dirname(path))
            text = f'No file matches via include "{path}"'
            file = parser.file_of("include", "files")
            parser.warnings.append(Remark(text, "include", "files", file, is_hint=is_optional))
        for filename in filenames:
            parser.infos.append(f'Included extra file "{filename}" during parsing')
            with parser.mistakes:
                _include(parser, filename)
        directories = _directories(parser.here, pattern, is_matched=bool(filenames))
        parser.include_directories += directories


def included_files(configfile: str) -> list[str]:
    """Return the files that a configuration file includes, up to the first error."""
    parser = UnhosedConfigParser()
    parser.here = os.path.dirname(os.path.abspath(configfile))
    try:
        read_file(parser, configfile)
        read_includes(parser)
    except ConfigurationError:
        pass  # keep the files included before the error
    return [filename for filename, _ in parser.included]


def _include(parser: UnhosedConfigParser, filename: str) -> None:
    """Merge an included file, read by a separate parser because `here` differs."""
    # Without a default section, the parser passes `[DEFAULT]` on like any other section.
    included = UnhosedConfigParser(default_section="")
    included.mistakes = parser.mistakes
    try:
        read_file(included, filename, _open)
    except _PassedOverError:
        return
    included.expand_here(os.path.abspath(os.path.dirname(filename)))
    parser.read_dict({name: dict(included.items(name)) for name in included.sections()})
    parser.included.append((filename, included))
    parser.sources += included.sources
    for name in included.sections():
        parser.section_to_file.setdefault(name, filename)


class _PassedOverError(Exception):
    """The match is a directory or a dangling symlink, which 4.3.0 skips as well."""


def _open(filename: str) -> TextIO:
    """Open an included file, without blocking on a FIFO.

    Raises `_PassedOverError` for a match to skip, and `OSError` if it is not a regular file.
    """
    try:
        fd = os.open(filename, READ_FLAGS)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            raise _PassedOverError from None
        raise
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        os.close(fd)
        raise _PassedOverError
    return open(require_regular(fd, filename), encoding="utf-8-sig")


def _directories(here: str, pattern: str, *, is_matched: bool) -> Iterator[str]:
    """Yield the directories in which a new file could match a pattern."""
    import glob

    head, name = os.path.split(pattern)
    if glob.has_magic(name) or not is_matched:
        yield from glob.glob(os.path.join(glob.escape(here), head) if head else glob.escape(here))
    if glob.has_magic(head):
        yield from _directories(here, head, is_matched=True)
