"""The options about the state file: `statefile`, `leftovers`, and `autostart=remember`."""

from __future__ import annotations

import os

from supervisor.datatypes import absolute_path, boolean, existing_dirpath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Final, Protocol

    from supervisor.config.parser import Remark, Section, UnhosedConfigParser

    class Program(Protocol):
        """The config of a process; see `process_config.ProcessConfig`."""

        @property
        def autostart(self) -> bool | str:
            """The value of the option."""


KILL: Final = "kill"
"""Value of `leftovers`: stop what an earlier daemon has left running."""

REMEMBER: Final = "remember"
"""Value of `autostart`: as true, unless a client stopped the program in an earlier run."""


def autostart(value: str) -> bool | str:
    """Return whether to start, or `REMEMBER`; only the latter is a true value that is no bool."""
    return REMEMBER if value.strip().lower() == REMEMBER else boolean(value)


def state_path(value: str) -> str:
    """Return the absolute path of a file in an existing directory."""
    path = absolute_path(existing_dirpath(value))
    if os.path.isdir(path):
        raise ValueError(f"{value} is a directory")
    return path


def check_leftovers(section: Section, values: Mapping[str, Any]) -> None:
    """Raise ConfigurationError if the settings need a state file, but there is none."""
    if values["leftovers"] == KILL and values["statefile"] is None:
        raise section.error("leftovers=kill requires a statefile", "leftovers")


def forgotten_stops(
    parser: UnhosedConfigParser, programs: Mapping[str, Program]
) -> Iterator[Remark]:
    """Yield a line for each section that asks to remember stops without a file for it."""
    if parser.has_option(parser.mysection, "statefile"):
        return
    sections = (
        parser.owner_of(section, "autostart")
        for section, config in programs.items()
        if config.autostart == REMEMBER
    )
    for section in dict.fromkeys(sections):
        text = "autostart=remember {where} means true: [supervisord] has no statefile"
        yield parser.remark(section, "autostart", text)
