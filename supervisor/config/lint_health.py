"""Warnings about the options that watch a running program; `config.lint` asks for them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from supervisor.config.model import ProcessConfig
    from supervisor.config.parser import Remark, UnhosedConfigParser

COMPANIONS: Sequence[tuple[Sequence[str], Callable[[ProcessConfig], object], str]] = (
    (
        (
            "liveness_check_initial_delay",
            "liveness_check_period",
            "liveness_check_timeout",
            "liveness_check_success_threshold",
            "liveness_check_failure_threshold",
            "liveness_check_failure_action",
        ),
        lambda config: config.health.liveness_check_script,
        "there is no liveness_check_script",
    ),
    (
        ("watchdog",),
        lambda config: config.notify,
        "notify is not set, so the program cannot send WATCHDOG=1",
    ),
    (
        ("memory_check_period",),
        lambda config: config.health.max_memory_restart,
        "there is no max_memory_restart",
    ),
    (
        ("max_runtime_jitter",),
        lambda config: config.health.max_runtime,
        "there is no max_runtime",
    ),
)
"""Options that need others, as in `config.lint`."""


def lint_health(
    parser: UnhosedConfigParser, programs: Mapping[str, ProcessConfig]
) -> Iterator[Remark]:
    """Yield a line for each check that `max_runtime` always precedes."""
    for section, config in programs.items():
        health = config.health
        longest = health.max_runtime + health.max_runtime_jitter
        first_check = health.liveness_check_initial_delay
        if health.max_runtime and health.liveness_check_script and first_check >= longest:
            option = "liveness_check_script"
            text = (
                f"option {option!r} {{where}} has no effect: max_runtime ends the program within"
                f" {longest:g} seconds, and the first check would follow after {first_check:g}"
            )
            yield parser.remark(section, option, text)
