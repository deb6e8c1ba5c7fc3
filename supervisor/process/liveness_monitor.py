"""The liveness checks of one program: probes, verdicts and what follows them.

`liveness` decides when a program is unhealthy; here are the probes and the action.
"""

from __future__ import annotations

from supervisor import events
from supervisor.common.probes import NotRun
from supervisor.config.health import RESTART, STOP
from supervisor.process.helper_launch import probe_runner
from supervisor.process.liveness import LivenessCheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import Any

    from supervisor.common.probes import Probe
    from supervisor.process.monitored import Monitored, Step


class LivenessMonitor:
    """The liveness checks of one process, run after run."""

    def __init__(self, process: Monitored, script: Probe) -> None:
        self._process = process
        self._script = script
        self._check = LivenessCheck(process.config.health)
        self._runner = probe_runner(process, "liveness check")
        self._command_runner = probe_runner(process, "liveness_check_failure_action")
        self._failing_since = 0.0

    @property
    def text(self) -> str:
        """The verdict for users; see `LivenessCheck.text`."""
        return self._check.text

    @property
    def failing_check(self) -> tuple[str, float]:
        """The reason of the last failure, and the time of the first one since a success.

        A probe that could not be run counts here as a failure.
        """
        return self._check.trouble, self._failing_since

    def next_step(self) -> Step | None:
        """Return the next check, None if none is due."""
        due = self._check.task.due
        return None if due is None else (due, self._start_check)

    def run_started(self, now: float) -> None:
        """Begin a run: the program is RUNNING."""
        self._reset()
        self._check.run_started(now)

    def run_ended(self) -> None:
        """Forget the run.

        A command of `liveness_check_failure_action` goes on: it may be what has ended the run, in
        order to restart the program.
        """
        self.cancel()
        if not self._process.runtime.may_start:
            self._command_runner.cancel()
        self._reset()

    def _reset(self) -> None:
        self._check.reset()
        self._failing_since = 0.0

    def cancel(self) -> None:
        """End the running check without a result."""
        self._runner.cancel()

    def _now(self) -> float:
        return self._process.runtime.clock.monotonic()

    def _wall_time(self) -> float:
        return self._process.runtime.clock.time()

    # -- a check ------------------------------------------------------------------

    def _start_check(self) -> None:
        """Queue the probe: checks are due together, and starting a command takes a while."""
        now = self._now()
        self._check.task.begin(now)
        self._process.runtime.services.start_queue.put(self._probe_in_turn(now))

    def _probe_in_turn(self, begun_at: float) -> Generator[None, None, None]:
        """Start the probe, unless its run of the program has ended since it was queued."""
        if self._check.task.begun_at == begun_at:
            self._runner.start(
                self._script, self._check.options.liveness_check_timeout, self._checked
            )
        yield

    def _checked(self, failure: str | None) -> None:
        check, process = self._check, self._process
        text, trouble, not_run = check.text, check.trouble, check.not_run
        has_new_verdict = False
        if isinstance(failure, NotRun):
            check.probe_not_run(self._now(), failure)
        else:
            has_new_verdict = check.probe_finished(self._now(), failure)
        is_troubled = bool(check.trouble)
        self._failing_since = self._failing_since or self._wall_time() if is_troubled else 0.0
        if (check.text, check.not_run) != (text, not_run):
            self._log_change(was_troubled=bool(trouble))
        if (check.text, check.trouble) != (text, trouble):
            process.runtime.services.description_changed(process)
        if has_new_verdict:
            self._publish()
            if not check.is_healthy:
                self._act()
        process.arm()

    def _log_change(self, *, was_troubled: bool) -> None:
        name, logger, check = self._process.name, self._process.runtime.logger, self._check
        if check.not_run:
            logger.warn(f"{name}: liveness check not run: {check.not_run}")
        elif check.failures:
            logger.warn(f"{name}: liveness check {check.text}: {check.reason}")
        elif check.is_healthy and was_troubled:
            logger.info(f"{name}: liveness check {check.text}")

    def _publish(self) -> None:
        check = self._check
        kind = events.ProcessHealthOkEvent if check.is_healthy else events.ProcessHealthFailedEvent
        if events.has_subscribers(kind):
            event = kind(self._process, check.failures, check.reason)
            self._process.runtime.publish(event)

    # -- the action ---------------------------------------------------------------

    def _act(self) -> None:
        check, process = self._check, self._process
        action, reason = check.options.liveness_check_failure_action, check.failure_text()
        if not isinstance(action, str):
            self._run(action)
            return
        doing = {RESTART: "restarting", STOP: "stopping"}[action]
        process.runtime.logger.warn(f"{doing} {process.name}: {reason}")
        process.starts.planned_stop.stop(reason, gives_up=action == STOP, is_timeout=True)

    def _run(self, command: Probe) -> None:
        """Run the command of `liveness_check_failure_action`, with the timeout of the check."""
        name, logger = self._process.name, self._process.runtime.logger
        logger.warn(f"{name}: running liveness_check_failure_action: {command.text}")

        def ended(failure: str | None) -> None:
            if failure is not None:
                logger.warn(f"{name}: liveness_check_failure_action failed: {failure}")

        self._command_runner.start(command, self._check.options.liveness_check_timeout, ended)

    # -- saving ---------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {"check": self._check.snapshot(), "failing_since": self._failing_since}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self._check.restore(saved.get("check") or {})
        self._failing_since = saved.get("failing_since", 0.0)
