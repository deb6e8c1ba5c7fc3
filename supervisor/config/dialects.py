"""Hints about options of plugins that Supervisor can replace, for `supervisord --check`."""

from __future__ import annotations

from supervisor.config.lint import PROGRAMS
from supervisor.config.parser import Remark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from supervisor.config.parser import UnhosedConfigParser

DEPENDENT_STARTUP = "supervisord-dependent-startup"
ORDERED_STARTUP = "ordered-startup-supervisord"

PLUGIN_OPTIONS = {
    "dependent_startup": DEPENDENT_STARTUP,
    "dependent_startup_wait_for": DEPENDENT_STARTUP,
    "dependent_startup_inherit_priority": DEPENDENT_STARTUP,
    "startinorder": ORDERED_STARTUP,
    "startnextafter": ORDERED_STARTUP,
}
"""Option of a program -> the plugin that reads it."""


def lint_dialects(parser: UnhosedConfigParser) -> Iterator[Remark]:
    """Yield a hint for each option of a plugin."""
    for section in parser.sections():
        for option, plugin in PLUGIN_OPTIONS.items():
            if not (section.startswith(PROGRAMS) and parser.has_option(section, option)):
                continue
            file = parser.file_of(section, option)
            text = (
                f"option {option!r} in section {section!r} (file: {file!r}) belongs to the plugin"
                f" {plugin}; depends_on starts programs in order without it"
            )
            yield Remark(text, section, option, file, is_hint=True)
