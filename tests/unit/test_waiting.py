"""The tools of the tests themselves: a clock, and waiting with a deadline."""

from __future__ import annotations

import pytest

from tests.support.clock import FakeClock
from tests.support.waiting import NeverHappenedError, wait_until


def test_both_times_of_the_clock_advance_together() -> None:
    clock = FakeClock(time=1000, monotonic=50)
    clock.advance(2.5)
    assert (clock.time(), clock.monotonic()) == (1002.5, 52.5)


def test_setting_the_clock_back_lets_no_time_pass() -> None:
    clock = FakeClock(time=1000, monotonic=50)
    clock.set_wall(10)
    assert (clock.time(), clock.monotonic()) == (10, 50)


def test_time_does_not_go_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        FakeClock().advance(-1)


def test_waiting_ends_with_the_result() -> None:
    answers = iter([None, 0, "", "yes"])
    assert wait_until(lambda: next(answers)) == "yes"


def test_waiting_in_vain_reports_what_was_missing() -> None:
    with pytest.raises(NeverHappenedError, match=r"the moon.*last answer: 0"):
        wait_until(lambda: 0, seconds=0.02, what=lambda: "the moon")
