"""The rule of automatic starts, and the deadlines of a stop: pure, with times passed in."""

from __future__ import annotations

import signal
from typing import Any

from supervisor.config.model import ProcessConfig
from supervisor.datatypes import RestartUnconditionally
from supervisor.process.restarts import RestartPolicy
from supervisor.process.stop_deadline import StopDeadline


def config(**options: Any) -> ProcessConfig:
    return ProcessConfig(name="p", command="/bin/cat", **options)


def test_whether_an_exited_process_is_restarted() -> None:
    exitcodes = [0, 2]
    expected = {
        (RestartUnconditionally, 0): True,
        (RestartUnconditionally, 1): True,
        (True, 0): False,
        (True, 2): False,
        (True, 1): True,
        (True, -1): True,
        (False, 0): False,
        (False, 1): False,
    }
    decided = {
        (autorestart, status): RestartPolicy.wants_restart(
            config(autorestart=autorestart, exitcodes=exitcodes), status
        )
        for autorestart, status in expected
    }
    assert decided == expected


def test_a_process_is_given_up_after_startretries_failures_and_one() -> None:
    retrying = config(startretries=2)
    assert [RestartPolicy.is_exhausted(retrying, count) for count in range(5)] == [
        False,
        False,
        False,
        True,
        True,
    ]


def test_the_pause_grows_with_each_failed_start_in_a_row() -> None:
    """It counts from the failure; two starts are a second apart in any case."""
    policy = RestartPolicy()
    starts = []
    for failures, failed_at in ((1, 10.0), (2, 20.0), (3, 30.0)):
        policy.start_failed(failures, failed_at)
        starts.append(policy.next_start(failed_at - 0.5, failed=True))
    assert starts == [11.0, 22.0, 33.0]
    assert policy.next_start(40.0, failed=True) == 41.0


def test_a_process_that_had_started_is_restarted_without_the_pause_of_a_failure() -> None:
    policy = RestartPolicy()
    policy.start_failed(3, 10.0)
    assert policy.next_start(11.0, failed=False) == 12.0


def test_sigkill_follows_after_stopwaitsecs_and_is_repeated_once_a_second_at_most() -> None:
    expected = {
        (signal.SIGTERM, 10.0): 110.0,
        (signal.SIGTERM, 0.0): 100.0,
        (signal.SIGKILL, 10.0): 110.0,
        (signal.SIGKILL, 0.0): 101.0,
    }
    deadline = StopDeadline()
    kills = {}
    for signum, seconds in expected:
        deadline.signalled(signum, seconds, 100.0)
        kills[signum, seconds] = deadline.kill_at
    assert kills == expected
    assert [deadline.remaining(now) for now in (100.25, 101.0, 102.0)] == [0.75, 0.0, 0.0]


def test_a_stop_is_reported_every_two_seconds_until_the_deadline() -> None:
    deadline = StopDeadline()
    deadline.signalled(signal.SIGTERM, 5.0, 100.0)
    assert [deadline.next_report(last) for last in (0.0, 100.0, 102.0, 103.5)] == [
        None,
        102.0,
        104.0,
        None,
    ]
    assert deadline.report_due(0.0, 100.0)
    assert not deadline.report_due(100.0, 101.9)
    assert deadline.report_due(100.0, 102.0)
