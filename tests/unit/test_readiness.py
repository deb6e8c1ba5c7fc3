"""When a program is ready: checks and messages, in any order and at any time."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.process.readiness import (
    MIN_PERIOD_SECONDS,
    NOTIFICATION_FD,
    NOTIFY,
    READY_LINE,
    CheckSchedule,
    Readiness,
    ReadinessCheck,
)
from tests.support.clock import FakeClock

SLACK = 1e-6
"""Times are floats."""


class Prober:
    """A check, a clock, and the probes that have been started when they were due."""

    def __init__(self, **schedule: Any) -> None:
        self.clock = FakeClock()
        self.check = ReadinessCheck(CheckSchedule(**schedule))
        self.check.run_started(self.clock.monotonic())

    def due_in(self) -> float | None:
        """Return how long it is until the next probe."""
        due = self.check.next_probe()
        return None if due is None else round(due - self.clock.monotonic(), 6)

    def probe(self, failure: str | None = None, seconds: float = 0.0) -> bool:
        """Wait for the next probe, and run it for some time; return the answer."""
        self.clock.advance(max(self.due_in() or 0, 0))
        self.check.probe_started(self.clock.monotonic())
        self.clock.advance(seconds)
        return self.check.probe_finished(self.clock.monotonic(), failure)


# -- checks ----------------------------------------------------------------------


def test_the_first_success_is_enough() -> None:
    prober = Prober()
    assert prober.due_in() == 0
    assert prober.probe()
    assert prober.check.ready
    assert prober.due_in() is None


def test_the_initial_delay() -> None:
    assert Prober(initial_delay=7).due_in() == 7


@pytest.mark.parametrize(("seconds", "due_in"), [(0, 2), (0.5, 1.5), (2, 0), (5, 0)])
def test_the_period_is_from_start_to_start(seconds: float, due_in: float) -> None:
    prober = Prober(period=2)
    prober.probe("refused", seconds)
    assert prober.due_in() == due_in


def test_a_period_of_zero_leaves_the_loop_some_time() -> None:
    prober = Prober(period=0)
    prober.probe("refused")
    assert prober.due_in() == MIN_PERIOD_SECONDS


def test_successes_count_in_a_row() -> None:
    prober = Prober(success_threshold=3)
    results = [prober.probe(failure) for failure in (None, None, "refused", None, None, None)]
    assert results == [False] * 5 + [True]


def test_what_is_shown() -> None:
    prober = Prober(success_threshold=2)
    assert prober.check.describe() == "readiness check: no result yet"
    prober.probe("HTTP 503")
    prober.probe("HTTP 500")
    assert prober.check.describe() == "readiness check failed: HTTP 500"
    assert prober.check.failures == 2
    prober.probe()
    assert prober.check.describe() == "readiness check: 1 of 2 successes"
    assert prober.check.failures == 0
    prober.probe()
    assert prober.check.describe() is None


def test_probes_do_not_overlap() -> None:
    prober = Prober()
    prober.check.probe_started(prober.clock.monotonic())
    assert prober.check.is_probing
    assert prober.due_in() is None
    with pytest.raises(RuntimeError, match="no probe is due"):
        prober.check.probe_started(prober.clock.monotonic())


def test_a_result_of_an_earlier_run_is_ignored() -> None:
    prober = Prober()
    prober.check.probe_started(prober.clock.monotonic())
    prober.check.reset()
    assert prober.due_in() is None
    assert not prober.check.probe_finished(prober.clock.monotonic(), None)
    prober.check.run_started(prober.clock.monotonic())
    assert not prober.check.probe_finished(prober.clock.monotonic(), None)
    assert not prober.check.ready
    assert prober.due_in() == 0


SCHEDULES = st.builds(
    CheckSchedule,
    initial_delay=st.floats(0, 10),
    period=st.floats(0, 10),
    success_threshold=st.integers(1, 4),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.floats(0, 8)),
        st.just(("start", 0.0)),
        st.just(("succeed", 0.0)),
        st.just(("fail", 0.0)),
        st.just(("reexec", 0.0)),
    ),
    max_size=60,
)


def reexec(check: ReadinessCheck) -> ReadinessCheck:
    """Return a check that has been restored from a snapshot."""
    restored = ReadinessCheck(check.schedule)
    restored.restore(json.loads(json.dumps(check.snapshot())))
    assert restored.describe() == check.describe()
    assert restored.failures == check.failures
    return restored


@given(SCHEDULES, STEPS)
def test_any_sequence_of_probes(schedule: CheckSchedule, steps: list[tuple[str, float]]) -> None:
    """Probes are neither early nor two at a time, and readiness is reported once, in time."""
    clock = FakeClock()
    check = ReadinessCheck(schedule)
    check.run_started(clock.monotonic())
    earliest = clock.monotonic() + schedule.initial_delay
    row, reports, is_running = 0, 0, False
    for step, seconds in steps:
        now = clock.monotonic()
        due = check.next_probe()
        assert (due is None) == (is_running or check.ready)
        if step == "advance":
            clock.advance(seconds)
        elif step == "start" and due is not None and due <= now:
            assert not is_running
            assert now >= earliest - SLACK
            check.probe_started(now)
            earliest, is_running = now + schedule.period, True
        elif step in {"succeed", "fail"}:
            row = row if not is_running else row + 1 if step == "succeed" else 0
            reports += check.probe_finished(now, None if step == "succeed" else "refused")
            is_running = False
        elif step == "reexec":
            if is_running:
                earliest, is_running = now, False
            check = reexec(check)
        assert check.ready == (row >= schedule.success_threshold)
        assert reports == check.ready


# -- messages and checks -----------------------------------------------------------


def readiness(kind: str | None, *, has_check: bool, now: float = 0) -> Readiness:
    """Make a readiness whose run has started."""
    check = ReadinessCheck(CheckSchedule()) if has_check else None
    made = Readiness(kind, check)
    made.run_started(now)
    return made


def succeed(made: Readiness) -> bool:
    """Run a probe that succeeds."""
    assert made.check is not None
    made.check.probe_started(0)
    return made.probe_finished(0, None)


@pytest.mark.parametrize("kind", [NOTIFY, NOTIFICATION_FD, READY_LINE])
def test_a_message_alone(kind: str) -> None:
    made = readiness(kind, has_check=False)
    assert made.next_probe() is None
    assert made.message_arrived()
    assert made.ready
    assert not made.message_arrived()


def test_a_check_alone() -> None:
    made = readiness(None, has_check=True)
    assert made.next_probe() == 0
    assert succeed(made)
    assert made.next_probe() is None


@pytest.mark.parametrize(
    "events", [[Readiness.message_arrived, succeed], [succeed, Readiness.message_arrived]]
)
def test_both_must_hold(events: list[Callable[[Readiness], bool]]) -> None:
    made = readiness(NOTIFY, has_check=True)
    assert [event(made) for event in events] == [False, True]
    assert not made.message_arrived()
    assert not made.probe_finished(0, None)


def test_something_must_be_given() -> None:
    with pytest.raises(ValueError, match="neither a message nor a check"):
        Readiness(None, None)
    with pytest.raises(ValueError, match="unknown kind of message 'x'"):
        Readiness("x", None)


def test_what_is_missing() -> None:
    made = readiness(NOTIFY, has_check=True)
    assert made.missing() == ["READY=1", "readiness check: no result yet"]
    made.message_arrived()
    assert made.missing() == ["readiness check: no result yet"]
    succeed(made)
    assert made.missing() == []
    made = readiness(NOTIFICATION_FD, has_check=False)
    assert made.missing() == ["a newline on the notification fd"]
    made.message_failed("the notification fd was closed without a newline")
    assert made.missing() == ["the notification fd was closed without a newline"]
    assert readiness(READY_LINE, has_check=False).missing() == [
        "a line that matches ready_log_line"
    ]


def test_a_phrase_about_what_is_missing() -> None:
    made = readiness(NOTIFY, has_check=True)
    assert made.describe() == "waiting for READY=1, readiness check: no result yet"
    made.message_arrived()
    succeed(made)
    assert made.describe() == ""
    made = readiness(READY_LINE, has_check=False)
    assert made.describe() == "waiting for a line that matches ready_log_line"


def test_nothing_counts_between_two_runs() -> None:
    """Late messages of the last run neither make the next one ready nor explain it."""
    made = readiness(NOTIFY, has_check=True)
    made.reset()
    assert made.next_probe() is None
    assert not made.message_arrived()
    made.message_failed("closed")
    made.run_started(5)
    assert made.missing() == ["READY=1", "readiness check: no result yet"]
    assert made.next_probe() == 5


def test_each_run_is_ready_once() -> None:
    made = readiness(NOTIFY, has_check=False)
    for _ in range(3):
        made.run_started(0)
        assert not made.ready
        assert made.message_arrived()
        made.reset()
        assert not made.ready


EVENTS = {
    "run": lambda made: made.run_started(0),
    "reset": Readiness.reset,
    "message": Readiness.message_arrived,
    "failed": lambda made: made.message_failed("closed"),
    "start": lambda made: made.next_probe() is not None and made.check.probe_started(0),
    "succeed": lambda made: made.probe_finished(0, None),
    "fail": lambda made: made.probe_finished(0, "refused"),
}


@given(
    st.sampled_from([None, NOTIFY, READY_LINE]),
    st.booleans(),
    st.lists(st.sampled_from([*EVENTS, "reexec"]), max_size=40),
)
def test_any_sequence_of_events(kind: str | None, has_check: bool, steps: list[str]) -> None:  # noqa: FBT001
    """Each run reports at most once, exactly when it is ready, and is then not probed."""
    if kind is None and not has_check:
        return
    made, reports = readiness(kind, has_check=has_check), 0
    for step in steps:
        if step == "reexec":
            restored = Readiness(kind, ReadinessCheck(CheckSchedule()) if has_check else None)
            restored.restore(json.loads(json.dumps(made.snapshot())))
            assert restored.missing() == made.missing()
            made = restored
        else:
            if step in {"run", "reset"}:
                reports = 0
            reports += EVENTS[step](made) is True
        assert reports == made.ready
        assert made.ready == (not made.missing())
        assert not (made.ready and made.next_probe() is not None)


STRANGE = [{}, {"ready": 1}, {"due": True}, {"failures": -1}, {"reason": 5}, {"successes": 1.5}]


@pytest.mark.parametrize("state", STRANGE)
def test_a_snapshot_of_another_version(state: dict[str, Any]) -> None:
    """Unknown keys and values do no harm."""
    made = Readiness(NOTIFY, ReadinessCheck(CheckSchedule()))
    made.restore({"future": [], "active": True, "check": {"new": {}, **state}, "problem": 7})
    assert made.missing() == ["READY=1", "readiness check: no result yet"]
    assert made.next_probe() is None
    made.restore({"check": 3})
    assert made.missing() == ["READY=1", "readiness check: no result yet"]


def test_a_check_continues_under_another_schedule() -> None:
    """The results count, and the next probe is due as the new delay or the new period requires."""
    before = ReadinessCheck(CheckSchedule(initial_delay=60.0, period=60.0))
    before.run_started(100.0)
    first = ReadinessCheck(CheckSchedule(initial_delay=5.0))
    first.take_over(before, 102.0)
    assert first.next_probe() == 105.0
    before.probe_started(160.0)
    before.probe_finished(161.0, "refused")
    later = ReadinessCheck(CheckSchedule(period=2.0))
    later.take_over(before, 162.0)
    assert (later.next_probe(), later.describe()) == (164.0, "readiness check failed: refused")
