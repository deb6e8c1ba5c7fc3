"""The files that `[include]` names (floor 3); the daemon reads them, the client does not."""

from __future__ import annotations

import glob
import os

from supervisor.config.parser import UnhosedConfigParser, host_node_name


class Included:
    """What reading `[include]` had to say, for the log once it is open."""

    def __init__(self) -> None:
        self.infos: list[str] = []
        self.warnings: list[str] = []


def read_includes(parser: UnhosedConfigParser, here: str) -> Included:
    """Read the files that `[include]` names, relative to the including file's directory.

    Includes within included files are ignored.  Raises ValueError, or the error of
    configparser for a file with bad syntax.
    """
    said = Included()
    if not parser.has_section("include"):
        return said
    names = {**parser.expansions, "here": here, "host_node_name": host_node_name()}
    patterns = parser.section("include", names).text("files")
    if patterns is None:
        raise ValueError(".ini file has [include] section, but no files setting")
    parser.expand_here(here)
    for pattern in patterns.split():
        path = os.path.join(here, pattern)
        filenames = sorted(glob.glob(os.path.join(glob.escape(here), pattern)))
        if not filenames:
            said.warnings.append(f'No file matches via include "{path}"')
        for filename in filenames:
            said.infos.append(f'Included extra file "{filename}" during parsing')
            parser.read([filename])
            parser.expand_here(os.path.abspath(os.path.dirname(filename)))
    return said
