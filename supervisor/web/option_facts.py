"""The options of a process that an operator looks for, as the file would set them.

These are the basic ones, and all whose value is not the default.
"""

from __future__ import annotations

from supervisor.config.notation import in_notation
from supervisor.config.option import options_of
from supervisor.config.process_config import ProcessConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

BASIC_OPTIONS: Final = (
    "autostart",
    "autorestart",
    "startsecs",
    "startretries",
    "exitcodes",
    "stopwaitsecs",
    "priority",
)
"""Options that are always shown: they decide when a process is started, restarted and killed."""

FACTS_OF_THEIR_OWN: Final = frozenset(
    {
        "process_name",
        "command",
        "directory",
        "user",
        "environment",
        "envfiles",
        "secretfiles",
        "stopsignal",
        "stdout_logfile",
        "stderr_logfile",
    }
)
"""Options that the page shows in another way."""


def option_facts(config: ProcessConfig) -> Iterator[tuple[str, str | None]]:
    """Yield the name and the value of each option; None for a value that may hold a secret."""
    rows = [
        row
        for row in options_of(ProcessConfig)
        if row.name not in FACTS_OF_THEIR_OWN and hasattr(config, row.attribute)
    ]
    basic = {row.name: row for row in rows if row.name in BASIC_OPTIONS}
    others = [row for row in rows if row.name not in BASIC_OPTIONS]
    for row in [*(basic[name] for name in BASIC_OPTIONS), *others]:
        value = getattr(config, row.attribute)
        if row.name in basic or value != row.default_value():
            yield row.name, in_notation(row, value)
