"""Options that limit the restarts of a program; `process.restart_limits` follows them."""

from __future__ import annotations

from supervisor.common.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.config.process_config import ProcessConfig

DEFAULT_RESET_SECONDS = 60.0
"""Default of `restartreset` without `maxbackoff`, in seconds."""

MAX_PAUSE_SECONDS = 365 * 86400.0
"""Upper bound of a pause without `maxbackoff`, in seconds: a factor grows beyond every float."""


@record(frozen=True)
class RestartOptions:
    """Pauses between the automatic restarts of a program, and their number; times in seconds.

    `max_backoff` None means no bound, `reset` None its default, `burst` 0 no limit.
    """

    pause: float = 0.0
    factor: float = 1.0
    max_backoff: float | None = None
    jitter: float = 0.0
    reset: float | None = None
    burst: int = 0
    interval: float = 10.0

    @property
    def reset_seconds(self) -> float:
        """Time of RUNNING after which a new row of restarts begins, in seconds."""
        if self.reset is not None:
            return self.reset
        return DEFAULT_RESET_SECONDS if self.max_backoff is None else self.max_backoff

    @property
    def can_reach_limit(self) -> bool:
        """Whether pauses leave room for more than `burst` restarts within `interval`."""
        pause, total = min(self.pause, self.max_pause), 0.0
        for _ in range(self.burst):
            total += pause
            if total >= self.interval:
                return False
            pause = min(pause * self.factor, self.max_pause)
        return True

    @property
    def max_pause(self) -> float:
        """Upper bound of a pause before its jitter, in seconds."""
        return MAX_PAUSE_SECONDS if self.max_backoff is None else self.max_backoff


NO_OPTIONS = RestartOptions()


def restart_options(config: ProcessConfig) -> RestartOptions | None:
    """Return the restart options of a program, None if it has none."""
    options = RestartOptions(
        config.restartpause,
        config.restartfactor,
        config.maxbackoff,
        config.restartjitter,
        config.restartreset,
        config.startlimit_burst,
        config.startlimit_interval,
    )
    return None if options == NO_OPTIONS else options
