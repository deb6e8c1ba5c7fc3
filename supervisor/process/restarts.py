"""The rule of automatic starts: whether a process is restarted, after which pause, how often.

Pure: `lifecycle.Lifecycle` passes the times in, and asks.
"""

from __future__ import annotations

from supervisor.datatypes import RestartUnconditionally

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.config.model import ProcessConfig

RESTART_SECONDS = 1.0
"""Minimum interval between two starts, so that a flapping program does not spin.  In seconds."""

BACKOFF_STEP_SECONDS = 1.0
"""Pause after a failed start for each failed start in a row, in seconds."""


class RestartPolicy:
    """Pauses and limits of the automatic starts of one process, as in Supervisor 4.

    Times are monotonic seconds.  The configuration is passed in, because plugins may replace it.
    """

    def __init__(self) -> None:
        self._retry_at = 0.0

    def start_failed(self, failures: int, now: float) -> None:
        """Set the pause after the latest of several failed starts in a row."""
        self._retry_at = now + failures * BACKOFF_STEP_SECONDS

    def next_start(self, started_at: float, *, failed: bool) -> float:
        """Return the time of the next start after one at `started_at`, which may have failed."""
        earliest = started_at + RESTART_SECONDS
        return max(earliest, self._retry_at) if failed else earliest

    @staticmethod
    def is_exhausted(config: ProcessConfig, failures: int) -> bool:
        """Whether a process is given up after this number of failed starts in a row."""
        return failures > config.startretries

    @staticmethod
    def wants_restart(config: ProcessConfig, exitstatus: int | None) -> bool:
        """Whether a process that has exited with this status is restarted."""
        if config.autorestart is RestartUnconditionally:
            return True
        return bool(config.autorestart) and exitstatus not in config.exitcodes
