"""The liveness of a program: from the results of its checks to a verdict.

Pure, and without an opinion about what follows: `health_monitor` runs the probes and acts.  A
program is unhealthy after `failure_threshold` failures in a row, and healthy after
`success_threshold` successes in a row; in between, the last verdict holds.  A probe that could not
be run, because the host lacks fds, processes or memory, is neither: otherwise such a shortage would
restart all programs.
"""

from __future__ import annotations

from supervisor.process.periodic import PeriodicTask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from supervisor.config.health import HealthConfig


class LivenessCheck:
    """The liveness check of one program, run after run."""

    def __init__(self, options: HealthConfig) -> None:
        self.options = options
        self.task = PeriodicTask(options.liveness_check_period)
        self.reset()

    def reset(self) -> None:
        """Forget the run; no probe is due until `run_started`."""
        self.task.stop()
        self.is_healthy: bool | None = None
        """The verdict, None before the first one."""
        self.failures = 0
        """Number of failures in a row."""
        self.reason = ""
        """Reason of the last failure, "" once the program is healthy."""
        self.not_run = ""
        """Why the last probe could not be run, "" if it could."""
        self._successes = 0

    def run_started(self, now: float) -> None:
        """Begin a run: the program is RUNNING."""
        self.reset()
        self.task.start(now + self.options.liveness_check_initial_delay)

    def probe_finished(self, now: float, failure: str | None) -> bool:
        """Take the result of a probe; return whether the verdict has changed.

        `failure` is the reason, None for success.  A result without a running probe belongs to an
        earlier run, and is ignored.
        """
        if not self.task.end(now):
            return False
        before, self.not_run = self.is_healthy, ""
        if failure is None:
            self.failures = 0
            self._successes += 1
            if self._successes >= self.options.liveness_check_success_threshold:
                self.is_healthy = True
            if self.is_healthy:
                self.reason = ""
        else:
            self.failures, self.reason = self.failures + 1, failure
            self._successes = 0
            if self.failures >= self.options.liveness_check_failure_threshold:
                self.is_healthy = False
        return self.is_healthy is not before

    def probe_not_run(self, now: float, reason: str) -> None:
        """Note that a probe could not be run: the verdict holds, and nothing counts."""
        if self.task.end(now):
            self.not_run = reason

    @property
    def trouble(self) -> str:
        """The reason of the last failure or, without one, why there is no result; "" if healthy."""
        return self.reason or self.not_run

    @property
    def text(self) -> str:
        """The verdict for users: `ok`, `failing (2/3)`, `not checked`, or "" before a result."""
        threshold = self.options.liveness_check_failure_threshold
        if self.is_healthy is False:
            return f"failing ({threshold}/{threshold})"
        if self.failures:
            return f"failing ({self.failures}/{threshold})"
        if self.not_run:
            return "not checked"
        return "ok" if self.is_healthy else ""

    def failure_text(self) -> str:
        """Return the reason of an unhealthy verdict, for logs and `spawnerr`."""
        times = "" if self.failures == 1 else f" {self.failures} times in a row"
        return f"liveness check failed{times}: {self.reason}"

    # -- saving ---------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "failures": self.failures,
            "is_healthy": self.is_healthy,
            "not_run": self.not_run,
            "reason": self.reason,
            "successes": self._successes,
            "task": self.task.snapshot(),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self.failures = saved.get("failures", 0)
        self.is_healthy = saved.get("is_healthy")
        self.reason = saved.get("reason", "")
        self.not_run = saved.get("not_run", "")
        self._successes = saved.get("successes", 0)
        self.task.restore(saved.get("task") or {})
