"""Verdicts on running programs: checks, watchdog and memory as pure machines, by the clock."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.common.notify_protocol import Notification, parse_notification
from supervisor.config.health import HealthConfig
from supervisor.process.liveness import LivenessCheck
from supervisor.process.memory_limit import MAX_LOOKS, MIB, MemoryLimit
from supervisor.process.periodic import PeriodicTask, aligned
from supervisor.process.watchdog import Watchdog

OK, BAD = None, "connection refused"


def check(success: int = 1, failure: int = 3, period: float = 10.0) -> LivenessCheck:
    """Return a check that has been started at 0, without a delay."""
    made = LivenessCheck(
        HealthConfig(
            liveness_check_initial_delay=0.0,
            liveness_check_period=period,
            liveness_check_success_threshold=success,
            liveness_check_failure_threshold=failure,
        )
    )
    made.run_started(0.0)
    return made


def probe(machine: LivenessCheck, failure: str | None) -> bool:
    """Take a result at the time when it is due."""
    due = machine.task.due
    assert due is not None
    machine.task.begin(due)
    return machine.probe_finished(due, failure)


def texts(machine: LivenessCheck, results: str) -> list[str]:
    """Return the verdict after each result (`+` or `-`), with `!` if it is another one."""
    found = []
    for each in results:
        is_new = probe(machine, OK if each == "+" else BAD)
        found.append(machine.text + "!" * is_new)
    return found


@pytest.mark.parametrize(
    ("success", "failure", "results", "expected"),
    [
        (1, 1, "+-+", ["ok!", "failing (1/1)!", "ok!"]),
        (1, 2, "-+--+", ["failing (1/2)", "ok!", "failing (1/2)", "failing (2/2)!", "ok!"]),
        (1, 3, "----", ["failing (1/3)", "failing (2/3)", "failing (3/3)!", "failing (3/3)"]),
        (2, 1, "++-++", ["", "ok!", "failing (1/1)!", "failing (1/1)", "ok!"]),
        (2, 2, "-+-", ["failing (1/2)", "", "failing (1/2)"]),
        (2, 1, "-+-+", ["failing (1/1)!"] + ["failing (1/1)"] * 3),
        (3, 2, "+++-", ["", "", "ok!", "failing (1/2)"]),
    ],
)
def test_thresholds(success: int, failure: int, results: str, expected: list[str]) -> None:
    assert texts(check(success, failure), results) == expected


@given(st.text("+-", max_size=30), st.integers(1, 4), st.integers(1, 4))
def test_the_verdict_follows_the_last_long_enough_row(
    results: str, success: int, failure: int
) -> None:
    machine = check(success, failure)
    expected = None
    runs = [(key, len(list(group))) for key, group in itertools.groupby(results)]
    for key, length in runs:
        if length >= (success if key == "+" else failure):
            expected = key == "+"
    texts(machine, results)
    assert machine.is_healthy is expected


def test_a_result_of_an_earlier_run_is_ignored() -> None:
    machine = check(failure=1)
    machine.task.begin(0.0)
    machine.run_started(5.0)
    assert not machine.probe_finished(6.0, BAD)
    assert (machine.text, machine.task.due) == ("", 5.0)


def test_the_reason_of_a_failure() -> None:
    machine = check(failure=2)
    texts(machine, "--")
    assert machine.failure_text() == "liveness check failed 2 times in a row: connection refused"
    machine = check(failure=1)
    texts(machine, "-")
    assert machine.failure_text() == "liveness check failed: connection refused"


# -- times -----------------------------------------------------------------------


def test_runs_of_one_period_are_due_together() -> None:
    """From the second one on, whenever the tasks have begun."""
    dues = set()
    for start in (0.0, 3.3, 7.7, 9.99):
        task = PeriodicTask(10.0)
        task.start(100.0 + start)
        for _ in range(3):
            assert task.due is not None
            now = task.due
            task.begin(now)
            assert task.due is None
            assert task.end(now + 0.2)
        dues.add(task.due)
    assert len({(due or 0) % 10 for due in dues}) == 1


@given(st.floats(0, 1e6, allow_nan=False), st.floats(0.01, 1e4, allow_nan=False), st.floats(0, 3))
def test_the_interval_of_two_runs(start: float, period: float, share: float) -> None:
    task = PeriodicTask(period)
    task.start(start)
    task.begin(start)
    task.end(start + share * period)
    assert task.due is not None
    slack = 1e-6 * max(start, 1)
    assert task.due >= start + max(share, 0.5) * period - slack
    assert task.due <= start + (max(share, 0.5) + 1) * period + slack
    now = task.due
    task.begin(now)
    task.end(now)
    assert task.due is not None
    assert abs(task.due - now - period) < period * 1e-3 + slack


def test_a_multiple_is_its_own() -> None:
    assert [aligned(each, 10.0) for each in (0.0, 0.1, 10.0, 10.1)] == [0.0, 10.0, 10.0, 20.0]


def test_the_initial_delay_and_the_period() -> None:
    machine = LivenessCheck(HealthConfig())
    machine.run_started(1000.0)
    assert machine.task.due == 1060.0
    machine.task.begin(1060.0)
    machine.probe_finished(1061.0, OK)
    assert machine.task.due == 1140.0


# -- watchdog --------------------------------------------------------------------


def said(text: str) -> Notification:
    return parse_notification(text.encode())


def test_the_watchdog_begins_when_the_program_runs() -> None:
    watchdog = Watchdog(10.0)
    assert watchdog.expires_at is None
    watchdog.notified(said("WATCHDOG=1"), 3.0)
    assert watchdog.expires_at is None
    watchdog.run_started(5.0)
    assert watchdog.expires_at == 15.0
    assert watchdog.failure_text() == "no WATCHDOG=1 for 10 seconds"


@pytest.mark.parametrize(
    ("messages", "expires_at"),
    [
        (["WATCHDOG=1"], 18.0),
        (["STATUS=busy"], 15.0),
        (["WATCHDOG_USEC=2000000"], 10.0),
        (["WATCHDOG_USEC=0"], None),
        (["WATCHDOG_USEC=0", "WATCHDOG_USEC=3000000"], 11.0),
        (["WATCHDOG_USEC=30000000", "WATCHDOG=1"], 38.0),
        (["WATCHDOG=trigger"], 5.0),
        (["WATCHDOG=trigger", "WATCHDOG=1"], 8.0),
        (["WATCHDOG=nonsense"], 15.0),
    ],
)
def test_messages(messages: list[str], expires_at: float | None) -> None:
    """All of them at 8, three seconds after the program is RUNNING; 8 is past at once."""
    watchdog = Watchdog(10.0)
    watchdog.run_started(5.0)
    for each in messages:
        watchdog.notified(said(each), 8.0)
    assert watchdog.expires_at == expires_at


def test_messages_before_the_program_runs_count() -> None:
    watchdog = Watchdog(10.0)
    watchdog.notified(said("WATCHDOG_USEC=4000000"), 1.0)
    watchdog.run_started(5.0)
    assert watchdog.expires_at == 9.0
    watchdog.notified(said("WATCHDOG=trigger"), 6.0)
    assert watchdog.failure_text() == "WATCHDOG=trigger was sent"
    watchdog.reset()
    watchdog.run_started(20.0)
    assert watchdog.expires_at == 30.0


# -- memory ----------------------------------------------------------------------


def look(limit: MemoryLimit, megabytes: float) -> bool:
    due = limit.task.due
    assert due is not None
    limit.task.begin(due)
    return limit.looked(due, round(megabytes * MIB))


@pytest.mark.parametrize(
    ("looks", "decisions"),
    [
        ([9, 10, 9, 10], [False] * 4),
        ([11, 11, 11], [False, False, True]),
        ([11, 11, 10, 11, 11, 99], [False] * 5 + [True]),
    ],
)
def test_looks_above_the_limit_in_a_row(looks: list[float], decisions: list[bool]) -> None:
    limit = MemoryLimit(10 * MIB, 30.0)
    limit.run_started(7.0)
    assert limit.task.due == 30.0
    assert [look(limit, each) for each in looks] == decisions


def test_a_new_run_begins_a_new_row() -> None:
    limit = MemoryLimit(10 * MIB, 30.0)
    limit.run_started(0.0)
    for _ in range(MAX_LOOKS - 1):
        look(limit, 11)
    limit.run_started(100.0)
    assert not look(limit, 12.5)
    assert limit.failure_text() == "uses 12.5 MB of memory (max_memory_restart: 10.0 MB)"
    limit.run_ended()
    assert not limit.looked(200.0, 99 * MIB)


# -- saving ----------------------------------------------------------------------


def test_everything_survives_its_snapshot() -> None:
    first, second = check(2, 3), check(2, 3)
    texts(first, "++-")
    second.restore(json.loads(json.dumps(first.snapshot() | {"unknown": 1})))
    assert second.snapshot() == first.snapshot()
    assert texts(second, "--") == ["failing (2/3)", "failing (3/3)!"]

    running = PeriodicTask(10.0)
    running.start(10.0)
    running.begin(10.0)
    later = PeriodicTask(10.0)
    later.restore(running.snapshot())
    assert (later.due, later.begun_at) == (10.0, None)

    watchdog, other = Watchdog(10.0), Watchdog(10.0)
    watchdog.run_started(5.0)
    watchdog.notified(said("WATCHDOG_USEC=2000000"), 8.0)
    other.restore(json.loads(json.dumps(watchdog.snapshot())))
    assert other.expires_at == 10.0

    limit, another = MemoryLimit(10 * MIB, 30.0), MemoryLimit(10 * MIB, 30.0)
    limit.run_started(0.0)
    look(limit, 11)
    another.restore(json.loads(json.dumps(limit.snapshot())))
    assert [look(another, 11), look(another, 11)] == [False, True]


@pytest.mark.parametrize("saved", [{}, {"task": None}])
def test_an_empty_snapshot_is_the_begin(saved: dict[str, object]) -> None:
    machine = check()
    machine.restore(saved)
    assert (machine.text, machine.task.due) == ("", None)
    watchdog = Watchdog(10.0)
    watchdog.restore(saved)
    assert watchdog.expires_at is None
    limit = MemoryLimit(MIB, 30.0)
    limit.restore(saved)
    assert limit.task.due is None
