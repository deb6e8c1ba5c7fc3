"""The hooks of a process: the rows of their options.

A hook is a command that the daemon runs when a program starts or stops.
"""

from __future__ import annotations

from supervisor.common.records import record
from supervisor.config.conversions import positive_seconds
from supervisor.config.option import option, option_record
from supervisor.engine.posix import BadCommand, split_command

PRE_START = "pre_start_hook"
POST_START = "post_start_hook"
PRE_STOP = "pre_stop_hook"
STOP_COMMAND = "stopcommand"
POST_STOP = "post_stop_hook"

HOOKS = (PRE_START, POST_START, PRE_STOP, STOP_COMMAND, POST_STOP)
"""The names of the hooks, which are those of their options."""

OPTIONAL_MARK = "-"


@record(frozen=True)
class HookCommand:
    """A command, which may fail if it `is_optional`."""

    argv: tuple[str, ...]
    is_optional: bool = False


def hook_command(value: str) -> HookCommand:
    """Return the command of a hook; raises `ValueError` with a reason for users."""
    text = value.strip()
    is_optional = text.startswith(OPTIONAL_MARK)
    text = text.removeprefix(OPTIONAL_MARK).lstrip()
    if "\0" in text:
        raise ValueError(f"command {text!r} contains a NUL character")
    try:
        argv = split_command(text)
    except BadCommand as error:
        raise ValueError(str(error)) from None
    if not argv[0]:
        raise ValueError("command is empty")
    return HookCommand(tuple(argv), is_optional)


@option_record(frozen=True)
class HooksConfig:
    """The hooks of a process; None for one that it does not have."""

    pre_start_hook: HookCommand | None = option(
        hook_command,
        "command before each start; its failure is a failed start, unless it begins with -",
        default=None,
        per_process=True,
        in_sample=False,
    )
    post_start_hook: HookCommand | None = option(
        hook_command,
        "command when the program is RUNNING",
        default=None,
        per_process=True,
        in_sample=False,
    )
    pre_stop_hook: HookCommand | None = option(
        hook_command,
        "command before a stop; stopcommand and stopsignal follow when it ends",
        default=None,
        per_process=True,
        in_sample=False,
    )
    stopcommand: HookCommand | None = option(
        hook_command,
        "command that stops the program; stopsignal follows when it ends, or after stopwaitsecs",
        default=None,
        per_process=True,
        in_sample=False,
    )
    post_stop_hook: HookCommand | None = option(
        hook_command,
        "command after each exit and each failed start",
        default=None,
        per_process=True,
        in_sample=False,
    )
    hook_timeout: float = option(
        positive_seconds,
        "seconds after which a hook, but not stopcommand, is killed and has failed",
        default="60",
        in_sample=False,
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the hooks that the process has."""
        return tuple([name for name in HOOKS if getattr(self, name) is not None])
