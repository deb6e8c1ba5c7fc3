"""The rule of automatic starts: whether a process is restarted, after which pause, how often.

Pure: `lifecycle.Lifecycle` passes the times in and follows the result.
"""

from __future__ import annotations

from supervisor.datatypes import RestartUnconditionally

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from supervisor.config.model import ProcessConfig
    from supervisor.config.restart import RestartOptions
    from supervisor.process.restart_limits import RestartLimits

RESTART_SECONDS = 1.0
"""Minimum interval between two starts, so that a flapping program does not spin.  In seconds."""

BACKOFF_STEP_SECONDS = 1.0
"""Pause after a failed start for each failed start in a row, in seconds."""


class RestartPolicy:
    """Pauses and limits of the automatic starts of one process.

    Without options they are those of Supervisor 4; `limits` adds those of the options.  Times are
    monotonic seconds.  The configuration is passed in, because plugins may replace it.
    """

    def __init__(self, options: RestartOptions | None = None) -> None:
        self.limits = None if options is None else _limits(options)
        self._failed_at = 0.0
        self._retry_at = 0.0

    def reconfigure(self, options: RestartOptions | None, failures: int) -> None:
        """Take other options; a pause in progress lasts as long as they require.

        `failures` is the number of failed starts in a row, 0 if the last one has not failed.
        """
        saved = {} if self.limits is None else self.limits.snapshot()
        self.limits = None if options is None else _limits(options)
        if self.limits is not None:
            self.limits.restore(saved)
            self.limits.draw_again()
        if failures:
            self._set_retry(failures)

    def start_failed(self, failures: int, now: float) -> None:
        """Set the pause after the latest of several failed starts in a row."""
        self._failed_at = now
        self._set_retry(failures)
        if self.limits is not None:
            self.limits.went_down(now)

    def _set_retry(self, failures: int) -> None:
        delay = failures * BACKOFF_STEP_SECONDS
        if self.limits is not None:
            delay = self.limits.capped(delay)
        self._retry_at = self._failed_at + delay

    def exited(self, now: float) -> None:
        """Note the exit of a process that was RUNNING."""
        if self.limits is not None:
            self.limits.went_down(now)

    def entered_running(self, now: float) -> None:
        """Note that the process is RUNNING."""
        if self.limits is not None:
            self.limits.entered_running(now)

    def restarted(self, now: float) -> None:
        """Note an automatic restart."""
        if self.limits is not None:
            self.limits.restarted(now)

    def started_by_hand(self) -> None:
        """Note a start that was requested, or the first one."""
        if self.limits is not None:
            self.limits.started_by_hand()

    def next_start(self, started_at: float, *, failed: bool) -> float:
        """Return the time of the next start after one at `started_at`, which may have failed."""
        earliest = started_at + RESTART_SECONDS
        if failed:
            earliest = max(earliest, self._retry_at)
        return earliest if self.limits is None else max(earliest, self.limits.next_start_at)

    def limit_reason(self, now: float) -> str | None:
        """Return why one more restart is refused, None if it is not."""
        if self.limits is None or not self.limits.is_exhausted(now):
            return None
        return self.limits.exhausted_text()

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

    # -- saving ---------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; times are of the monotonic clock."""
        return {
            "failed_at": self._failed_at,
            "limits": None if self.limits is None else self.limits.snapshot(),
            "retry_at": self._retry_at,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        if self.limits is not None:
            self.limits.restore(saved.get("limits") or {})
        self._failed_at = saved.get("failed_at", 0.0)
        self._retry_at = saved.get("retry_at", 0.0)


def _limits(options: RestartOptions) -> RestartLimits:
    from supervisor.process.restart_limits import RestartLimits  # few programs have limits

    return RestartLimits(options)
