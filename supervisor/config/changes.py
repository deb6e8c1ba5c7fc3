"""The options in which two configs of one process differ."""

from __future__ import annotations

from supervisor.common.records import names, specifications
from supervisor.config.option import Option, OptionGroup
from supervisor.config.process_config import ProcessConfig
from supervisor.datatypes import Automatic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FIELDS: dict[str, Sequence[Option]] = {
    name: row.options if isinstance(row, OptionGroup) else (row,)
    for name, row in specifications(ProcessConfig).items()
    if name in names(ProcessConfig) and isinstance(row, Option | OptionGroup)
}
"""Fields of a config that hold options, with the rows of these."""


def changed_options(old: ProcessConfig, new: ProcessConfig) -> list[str]:
    """Return the names of the options in which two configs of one process differ.

    A log path generated for AUTO equals AUTO, as in the comparison of whole configs.
    """
    if old is new or old == new:
        return []
    return [
        row.name
        for name, rows in FIELDS.items()
        if hasattr(old, name) and getattr(old, name) != getattr(new, name)
        for row in rows
        if not (
            _are_same(getattr(old, row.attribute), getattr(new, row.attribute))
            and _further_targets(old, row) == _further_targets(new, row)
        )
    ]


def _further_targets(config: ProcessConfig, row: Option) -> tuple[str, ...]:
    """Return the targets behind the log, if the option sets a log."""
    stream, _, option = row.attribute.partition("_")
    found: tuple[str, ...] = getattr(config, stream).further_targets if option == "logfile" else ()
    return found


def _are_same(old: object, new: object) -> bool:
    return old == new or old is Automatic or new is Automatic
