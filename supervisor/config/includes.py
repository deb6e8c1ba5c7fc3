"""The files that `[include]` names (floor 3); the daemon reads them, the client does not."""

from __future__ import annotations

import os

from supervisor.config.parser import UnhosedConfigParser, host_expansion, read_file


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
        raise section.mistake(".ini file has [include] section, but no files setting", "files")
    parser.expand_here(parser.here)
    for pattern in map(os.path.expanduser, patterns.split()):
        filenames = sorted(glob.glob(os.path.join(glob.escape(parser.here), pattern)))
        if not filenames:
            path = os.path.join(parser.here, pattern)
            parser.warnings.append(f'No file matches via include "{path}"')
        for filename in filenames:
            parser.infos.append(f'Included extra file "{filename}" during parsing')
            # As in 4.3.0 a wildcard may match a directory or a dangling link.
            if os.path.exists(filename) and not os.path.isdir(filename):
                _include(parser, filename)


def _include(parser: UnhosedConfigParser, filename: str) -> None:
    """Add what a file says; by way of a parser of its own, in which `here` is its own."""
    # Without a default section, `[DEFAULT]` is a section like any other to be handed over.
    included = UnhosedConfigParser(default_section="")
    read_file(included, filename)
    included.expand_here(os.path.abspath(os.path.dirname(filename)))
    parser.read_dict({name: dict(included.items(name)) for name in included.sections()})
    parser.included.append((filename, included))
    for name in included.sections():
        parser.section_to_file.setdefault(name, filename)
