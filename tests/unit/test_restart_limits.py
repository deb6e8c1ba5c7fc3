"""Limits of restarts: the formula of the pauses, the burst, and what begins a new row."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.config.restart import MAX_PAUSE_SECONDS, RestartOptions
from supervisor.process.restart_limits import RestartLimits

seconds = st.floats(0, 1000)
options = st.builds(
    RestartOptions,
    pause=seconds,
    factor=st.floats(1, 10),
    max_backoff=st.none() | seconds,
    jitter=st.floats(0, 1),
    reset=st.none() | seconds,
    burst=st.integers(0, 5),
    interval=st.floats(0.1, 100),
)
lives = st.lists(st.tuples(seconds, seconds), max_size=12)
"""Pairs of how long a process was starting, and how long it was RUNNING."""


def pauses(limits: RestartLimits, count: int) -> list[float]:
    """Return the pauses before restarts of a program that dies as soon as it runs."""
    found, now = [], 0.0
    for _ in range(count):
        limits.went_down(now)
        found.append(limits.next_start_at - now)
        now = limits.next_start_at
        limits.restarted(now)
    return found


@pytest.mark.parametrize(
    ("given_options", "expected"),
    [
        (RestartOptions(), [0, 0, 0]),
        (RestartOptions(pause=5), [5, 5, 5]),
        (RestartOptions(pause=1, factor=2), [1, 2, 4, 8]),
        (RestartOptions(pause=1, factor=3, max_backoff=10), [1, 3, 9, 10, 10]),
        (RestartOptions(pause=20, max_backoff=10), [10, 10]),
        (RestartOptions(pause=10, jitter=0.5), [12.5, 12.5]),  # the random share is 0.5
        (RestartOptions(pause=10, max_backoff=10, jitter=1), [15, 15]),
    ],
    ids=str,
)
def test_pauses(given_options: RestartOptions, expected: list[float]) -> None:
    limits = RestartLimits(given_options, lambda: 0.5)
    assert pauses(limits, len(expected)) == expected


@given(options, st.floats(0, 1), st.integers(1, 8))
def test_the_formula(given_options: RestartOptions, share: float, count: int) -> None:
    *_, last = pauses(RestartLimits(given_options, lambda: share), count)
    cap = MAX_PAUSE_SECONDS if given_options.max_backoff is None else given_options.max_backoff
    exact = min(given_options.pause * given_options.factor ** (count - 1), cap)
    assert last == pytest.approx(exact * (1 + share * given_options.jitter))


def test_a_factor_grows_beyond_every_float() -> None:
    limits = RestartLimits(RestartOptions(pause=1, factor=10), lambda: 0.0)
    limits.restarts_in_a_row = 10_000
    limits.went_down(0.0)
    assert limits.next_start_at == MAX_PAUSE_SECONDS


@pytest.mark.parametrize(
    ("ran_seconds", "reset", "max_backoff", "in_a_row"),
    [
        (59.9, None, None, 2),
        (60.0, None, None, 0),
        (30.0, None, 30.0, 0),  # the default of `restartreset` is `maxbackoff`
        (29.9, None, 30.0, 2),
        (5.0, 5.0, 30.0, 0),
        (0.0, 0.0, None, 0),
    ],
)
def test_running_for_long_begins_a_new_row(
    ran_seconds: float, reset: float | None, max_backoff: float | None, in_a_row: int
) -> None:
    limits = RestartLimits(RestartOptions(pause=1, reset=reset, max_backoff=max_backoff))
    pauses(limits, 2)
    limits.entered_running(100.0)
    limits.went_down(100.0 + ran_seconds)
    assert limits.restarts_in_a_row == in_a_row


def test_a_failed_start_is_no_time_of_running() -> None:
    limits = RestartLimits(RestartOptions(pause=1))
    limits.entered_running(0.0)
    limits.went_down(10.0)
    limits.restarted(11.0)
    limits.went_down(100.0)
    assert limits.restarts_in_a_row == 1


def test_a_start_by_hand_begins_a_new_row_and_does_not_count() -> None:
    limits = RestartLimits(RestartOptions(pause=4, factor=2, burst=2, interval=1000))
    pauses(limits, 1)
    limits.went_down(50.0)
    limits.started_by_hand()
    assert limits.next_start_at == 0.0
    limits.went_down(60.0)
    assert limits.next_start_at == 64.0
    assert not limits.is_exhausted(64.0)


@given(options, lives)
def test_never_more_than_the_burst_within_the_interval(
    given_options: RestartOptions, all_lives: list[tuple[float, float]]
) -> None:
    limits, now, starts = RestartLimits(given_options, lambda: 0.0), 0.0, []
    for starting, running in all_lives:
        limits.went_down(now)
        now = max(now, limits.next_start_at)
        if limits.is_exhausted(now):
            break
        limits.restarted(now)
        starts.append(now)
        limits.entered_running(now + starting)
        now += starting + running
    interval = given_options.interval
    for start in starts:
        within = [other for other in starts if start <= other < start + interval]
        assert given_options.burst == 0 or len(within) <= given_options.burst


def test_the_start_after_the_burst_is_refused_until_the_interval_is_over() -> None:
    limits = RestartLimits(RestartOptions(burst=3, interval=10))
    for now in (0.0, 1.0, 2.0):
        assert not limits.is_exhausted(now)
        limits.restarted(now)
    assert limits.is_exhausted(9.9)
    assert not limits.is_exhausted(10.0)
    assert limits.exhausted_text() == "restarted 3 times in 10 seconds (startlimit_burst)"


@pytest.mark.parametrize(
    ("given_options", "reachable"),
    [
        (RestartOptions(burst=0), True),
        (RestartOptions(burst=3, interval=10), True),
        (RestartOptions(burst=3, interval=10, pause=3), True),
        (RestartOptions(burst=3, interval=10, pause=4), False),
        (RestartOptions(burst=3, interval=10, pause=1, factor=4), False),
        (RestartOptions(burst=3, interval=10, pause=60, max_backoff=2), True),
    ],
    ids=str,
)
def test_whether_a_limit_can_be_reached(*, given_options: RestartOptions, reachable: bool) -> None:
    assert given_options.can_reach_limit is reachable


@given(options, lives)
def test_restored_limits_go_on_as_the_saved_ones(
    given_options: RestartOptions, all_lives: list[tuple[float, float]]
) -> None:
    limits, now = RestartLimits(given_options, lambda: 0.25), 0.0
    for starting, running in all_lives:
        limits.restarted(now)
        limits.entered_running(now + starting)
        now += starting + running
        limits.went_down(now)
    other = RestartLimits(given_options, lambda: 0.25)
    other.restore(json.loads(json.dumps({**limits.snapshot(), "unknown": 1})))
    assert other.snapshot() == limits.snapshot()
    for each in (limits, other):
        each.restarted(now)
        each.went_down(now)
    assert other.next_start_at == limits.next_start_at
    assert other.is_exhausted(now) == limits.is_exhausted(now)
