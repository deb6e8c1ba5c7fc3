"""The options that watch a running program: checks, watchdog, memory, and time."""

from __future__ import annotations

from supervisor.config.conversions import count, positive_seconds, probe, seconds
from supervisor.config.option import option, option_record
from supervisor.datatypes import byte_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.common.probes import Probe

RESTART, STOP = "restart", "stop"
"""Words for the action after a failed check; anything else is a command."""


def failure_action(value: str) -> str | Probe:
    """Return `RESTART`, `STOP`, or the probe that runs a command; raises `ValueError`."""
    word = value.strip().lower()
    if word in {RESTART, STOP}:
        return word
    found = probe(value)
    if not found.argv:
        raise ValueError(f"neither {RESTART}, {STOP} nor a command: {value!r}")
    return found


def memory_size(value: str) -> int:
    """Return a number of bytes, with a suffix as in `byte_size`; raises `ValueError`."""
    found = byte_size(value)
    if found < 0:
        raise ValueError(f"{value!r} is out of range (at least 0)")
    return found


@option_record(frozen=True)
class HealthConfig:
    """The supervision of a program while it is RUNNING; times are in seconds, sizes in bytes."""

    liveness_check_script: Probe | None = option(
        probe,
        "check of a running program: http://…, https://…, tcp://host:port, unix:///path, or a"
        " command",
        default=None,
        per_process=True,
        live=True,
        in_sample=False,
    )
    liveness_check_initial_delay: float = option(
        seconds,
        "seconds of RUNNING before the first liveness check",
        default="60",
        live=True,
        in_sample=False,
    )
    liveness_check_period: float = option(
        positive_seconds,
        "seconds between the starts of two liveness checks",
        default="60",
        live=True,
        in_sample=False,
    )
    liveness_check_timeout: float = option(
        positive_seconds,
        "seconds after which a liveness check has failed",
        default="30",
        live=True,
        in_sample=False,
    )
    liveness_check_success_threshold: int = option(
        count(least=1),
        "successes in a row after which the program counts as healthy",
        default="1",
        live=True,
        in_sample=False,
    )
    liveness_check_failure_threshold: int = option(
        count(least=1),
        "failures in a row after which liveness_check_failure_action is taken",
        default="3",
        live=True,
        in_sample=False,
    )
    liveness_check_failure_action: str | Probe = option(
        failure_action,
        "restart, stop (the program becomes FATAL), or a command to run",
        default=RESTART,
        live=True,
        in_sample=False,
    )
    watchdog: float = option(
        seconds,
        "with notify: seconds within which the program must send WATCHDOG=1 again; 0: off",
        default="0",
        in_sample=False,
    )
    max_memory_restart: int = option(
        memory_size,
        "resident memory of the program and its descendants above which it is restarted; 0: off",
        default="0",
        live=True,
        in_sample=False,
    )
    memory_check_period: float = option(
        positive_seconds,
        "seconds between two looks at the memory; the third one in a row above the limit counts",
        default="30",
        live=True,
        in_sample=False,
    )
    max_runtime: float = option(
        seconds,
        "seconds of RUNNING after which the program is restarted; 0: no limit",
        default="0",
        live=True,
        in_sample=False,
    )
    max_runtime_jitter: float = option(
        seconds,
        "upper bound of a random time, in seconds, that is added to max_runtime",
        default="0",
        live=True,
        in_sample=False,
    )

    def is_effective(self, notify: str) -> bool:
        """Whether the program is watched; a watchdog needs the messages of `notify`."""
        has_limit = self.max_memory_restart or self.max_runtime
        has_watchdog = self.watchdog and notify
        return self.liveness_check_script is not None or bool(has_limit or has_watchdog)
