"""Readiness of a program: pure machines, events in and deadlines out.

A `ReadinessCheck` decides when the probes of one run are due, and when enough have succeeded.  A
`Readiness` combines it with a message from the program itself (sd_notify, a notification fd or a
line of output); both must hold.  Each reports once per run that the program is ready; from then
on everything else is ignored, until `reset`.

All times are seconds on the monotonic clock, which continues when the daemon executes itself, so
snapshots hold them as they are.
"""

from __future__ import annotations

from supervisor.common.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MIN_PERIOD_SECONDS = 0.01
"""Shortest period; the loop would do nothing else with 0."""


@record(frozen=True)
class CheckSchedule:
    """Times of a check, in seconds, and the number of successes in a row that it needs.

    `period` is from the start of one probe to the start of the next.
    """

    initial_delay: float = 0.0
    period: float = 1.0
    timeout: float = 5.0
    success_threshold: int = 1


class ReadinessCheck:
    """The probes of one run: not one too early, never two at a time, none once ready."""

    def __init__(self, schedule: CheckSchedule) -> None:
        self.schedule = schedule
        self.reset()

    def reset(self) -> None:
        """Forget the run; no probe is due until `run_started`."""
        self.ready = False
        self.failures = 0
        """Number of failures in a row."""
        self.reason: str | None = None
        """Reason of the last failure, None before the first one and after a success."""
        self._run_at = 0.0
        self._successes = 0
        self._due: float | None = None
        self._started: float | None = None

    def run_started(self, now: float) -> None:
        """Begin a run: its first probe is due after the initial delay."""
        self.reset()
        self._run_at = now
        self._due = now + self.schedule.initial_delay

    @property
    def is_probing(self) -> bool:
        """Whether a probe is running."""
        return self._started is not None

    def next_probe(self) -> float | None:
        """Return when the next probe is due; None while one runs, and if no more is needed."""
        return self._due

    def probe_started(self, now: float) -> None:
        """Record the start of a probe; its end has to be recorded before the next one."""
        if self._due is None:
            raise RuntimeError("no probe is due")
        self._started, self._due = now, None

    def probe_finished(self, now: float, failure: str | None) -> bool:
        """Record the result of the running probe; return whether the check is now fulfilled.

        `failure` is the reason, None for success.  A result without a running probe belongs to an
        earlier run, and is ignored.
        """
        if self._started is None:
            return False
        period = max(self.schedule.period, MIN_PERIOD_SECONDS)
        self._due = max(now, self._started + period)
        self._started = None
        self.reason = failure
        if failure is not None:
            self._successes = 0
            self.failures += 1
            return False
        self.failures = 0
        self._successes += 1
        if self._successes >= self.schedule.success_threshold:
            self.ready, self._due = True, None
        return self.ready

    def take_over(self, before: ReadinessCheck, now: float) -> None:
        """Continue a run that had another schedule; the next probe is due as this one requires."""
        self.restore(before.snapshot())
        if self._due is None:
            return
        if self.failures or self._successes:
            self._due = min(self._due, now + max(self.schedule.period, MIN_PERIOD_SECONDS))
        else:
            self._due = self._run_at + self.schedule.initial_delay

    def describe(self) -> str | None:
        """Return why the check is not fulfilled, None if it is."""
        if self.ready:
            return None
        if self.reason is not None:
            return f"readiness check failed: {self.reason}"
        if self._successes:
            wanted = self.schedule.success_threshold
            return f"readiness check: {self._successes} of {wanted} successes"
        return "readiness check: no result yet"

    def snapshot(self) -> dict[str, object]:
        """Return the state as values of JSON."""
        return {
            "ready": self.ready,
            "failures": self.failures,
            "reason": self.reason,
            "run_at": self._run_at,
            "successes": self._successes,
            # A running probe does not survive the daemon: another one is due at once.
            "due": self._due if self._started is None else self._started,
        }

    def restore(self, state: Mapping[str, object]) -> None:
        """Take over a snapshot; unknown keys are ignored, missing ones have their defaults."""
        self.reset()
        self.ready = state.get("ready") is True
        self.failures = _count(state, "failures")
        reason = state.get("reason")
        self.reason = reason if isinstance(reason, str) else None
        self._successes = _count(state, "successes")
        run_at = state.get("run_at")
        self._run_at = run_at if isinstance(run_at, float) else 0.0
        due = state.get("due")
        if isinstance(due, int | float) and not isinstance(due, bool) and not self.ready:
            self._due = due


def _count(state: Mapping[str, object], key: str) -> int:
    value = state.get(key)
    return value if isinstance(value, int) and value > 0 else 0


NOTIFY, NOTIFICATION_FD, READY_LINE = "notify", "notification_fd", "ready_log_line"

_MISSING = {
    NOTIFY: "READY=1",
    NOTIFICATION_FD: "a newline on the notification fd",
    READY_LINE: "a line that matches ready_log_line",
}


class Readiness:
    """The readiness of one program: a message of one kind, a check, or both."""

    def __init__(self, kind: str | None, check: ReadinessCheck | None) -> None:
        """`kind` is `NOTIFY`, `NOTIFICATION_FD` or `READY_LINE`, None without a message."""
        if kind is None and check is None:
            raise ValueError("neither a message nor a check")
        if kind is not None and kind not in _MISSING:
            raise ValueError(f"unknown kind of message {kind!r}")
        self.kind = kind
        self.check = check
        self.reset()

    def reset(self) -> None:
        """Forget the run: the program is not ready, and events are ignored."""
        self.ready = False
        self._is_active = False
        self._has_message = self.kind is None
        self._problem: str | None = None
        if self.check is not None:
            self.check.reset()

    def run_started(self, now: float) -> None:
        """Begin a run."""
        self.reset()
        self._is_active = True
        if self.check is not None:
            self.check.run_started(now)

    def assume_ready(self) -> None:
        """Count the present run as ready: its program did not declare readiness at its start."""
        self.reset()
        self.ready = True

    def replace_check(self, check: ReadinessCheck | None, now: float) -> bool:
        """Take another check, for the run in progress too; return whether the program is now ready.

        The results so far count.
        """
        before, self.check = self.check, check
        if check is not None and before is not None:
            check.take_over(before, now)
        elif check is not None and self._is_active and not self.ready:
            check.run_started(now)
        return self._is_active and self._decide()

    def message_arrived(self) -> bool:
        """Record the program's message; return whether the program is now ready."""
        if self._is_active:
            self._has_message = True
        return self._decide()

    def message_failed(self, reason: str) -> None:
        """Record why the message will not arrive."""
        self._problem = reason

    def next_probe(self) -> float | None:
        """Return when the next probe is due, None without one."""
        return None if self.check is None else self.check.next_probe()

    def probe_finished(self, now: float, failure: str | None) -> bool:
        """Record a result of the check; return whether the program is now ready.

        See `ReadinessCheck.probe_finished`.
        """
        if self.check is not None:
            self.check.probe_finished(now, failure)
        return self._decide()

    def missing(self) -> list[str]:
        """Return the unmet conditions, as text for users; empty if the program is ready."""
        if self.ready:
            return []
        found = []
        if self.kind is not None and not self._has_message:
            found.append(self._problem or _MISSING[self.kind])
        if self.check is not None and (text := self.check.describe()) is not None:
            found.append(text)
        return found

    @property
    def check_failure(self) -> str:
        """The reason of the last probe if it has failed, "" otherwise."""
        return "" if self.ready or self.check is None else self.check.reason or ""

    def describe(self) -> str:
        """Return what is missing as a phrase, "" if the program is ready."""
        messages = _MISSING.values()
        return ", ".join(
            f"waiting for {each}" if each in messages else each for each in self.missing()
        )

    def snapshot(self) -> dict[str, object]:
        """Return the state as values of JSON."""
        return {
            "ready": self.ready,
            "active": self._is_active,
            "message": self._has_message,
            "problem": self._problem,
            "check": None if self.check is None else self.check.snapshot(),
        }

    def restore(self, state: Mapping[str, object]) -> None:
        """Take over a snapshot; unknown keys are ignored, missing ones have their defaults."""
        self.reset()
        self.ready = state.get("ready") is True
        self._is_active = state.get("active") is True
        self._has_message = self.kind is None or state.get("message") is True
        problem = state.get("problem")
        self._problem = problem if isinstance(problem, str) else None
        check = state.get("check")
        if self.check is not None and isinstance(check, dict):
            self.check.restore(check)

    def _decide(self) -> bool:
        """Become ready, if all conditions hold; return whether that happened now."""
        if self.ready or not self._has_message:
            return False
        self.ready = self.check is None or self.check.ready
        return self.ready
