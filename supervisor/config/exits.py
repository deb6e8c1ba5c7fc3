"""Checks of the options for the exit of the daemon: mistakes, and options without effect."""

from __future__ import annotations

from supervisor.config.conversions import UNLIMITED
from supervisor.config.dependencies import Targets
from supervisor.config.model import EventListenerPoolConfig
from supervisor.datatypes import RestartUnconditionally

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from supervisor.config.model import ProcessConfig, ProcessGroupConfig, Settings
    from supervisor.config.parser import Remark, Section, UnhosedConfigParser

ALL = "exit_when_all_exited"

RESTARTED_FOREVER = "is restarted without end (autorestart=true, startretries=unlimited)"


def check_exit_code_from(
    section: Section, target: str | None, groups: Sequence[ProcessGroupConfig]
) -> None:
    """Raise ConfigurationError if the program whose exit status counts does not exist."""
    if target is not None and Targets(groups).find(target) is None:
        raise section.error(f"unknown program {target!r}", "exit_code_from")


def lint_exits(
    parser: UnhosedConfigParser, settings: Settings, groups: Sequence[ProcessGroupConfig]
) -> Iterator[Remark]:
    """Yield a line for each option about the exit of the daemon that cannot have an effect."""
    every = {each.section: each for group in groups for each in group.process_configs}
    counting = {
        each.section: each
        for group in groups
        if not isinstance(group, EventListenerPoolConfig)
        for each in group.process_configs
        if each.autostart
    }
    if settings.exit_when_all_exited:
        if not counting:
            text = f"option {ALL!r} {{where}} ends the daemon at once: no program starts by itself"
            yield parser.remark("supervisord", ALL, text)
        for section, config in counting.items():
            if _is_restarted_forever(config):
                reason = f"[{section}] {RESTARTED_FOREVER}"
                yield _without_effect(parser, "supervisord", ALL, reason)
    is_used = settings.exit_when_all_exited or settings.exit_code_from is not None
    for section, config in every.items():
        if config.essential and _is_restarted_forever(config):
            yield _without_effect(parser, section, "essential", f"the program {RESTARTED_FOREVER}")
        if config.exit_codes_ok and not (is_used or config.essential):
            reason = "the exit status of the daemon depends on no program"
            yield _without_effect(parser, section, "exit_codes_ok", reason)


def _is_restarted_forever(config: ProcessConfig) -> bool:
    """Whether a program is never down for good, unless a person stops it."""
    has_limit = config.startlimit_burst or config.dependency_timeout
    always = config.autorestart is RestartUnconditionally and config.startretries == UNLIMITED
    return always and not has_limit


def _without_effect(parser: UnhosedConfigParser, section: str, option: str, reason: str) -> Remark:
    return parser.remark(section, option, f"option {option!r} {{where}} has no effect: {reason}")
