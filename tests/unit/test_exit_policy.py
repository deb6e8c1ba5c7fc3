"""The exit of the daemon because of its programs: the status of a run, and the decision."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from supervisor.daemon.exit_policy import (
    Change,
    Decision,
    ExitPolicy,
    LastRun,
    Outlook,
    Verdict,
    first_failure,
    verdict_of,
)
from tests.support.tables import assert_none

if TYPE_CHECKING:
    from collections.abc import Iterable

ACTIVE, HELD, ENDED = Outlook.ACTIVE, Outlook.HELD, Outlook.ENDED

EXIT_3, DUMPED = 3 << 8, signal.SIGSEGV | 0x80
NO_COMMAND = "can't find command '/no/such'"
LATE = "not ready after 1 second"

RUNS = (
    (LastRun(), 0, "never started"),
    (LastRun(0), 0, "exit status 0"),
    (LastRun(EXIT_3), 3, "exit status 3"),
    (LastRun(255 << 8), 255, "exit status 255"),
    (LastRun(signal.SIGKILL), 137, "terminated by SIGKILL"),
    (LastRun(DUMPED), 139, "terminated by SIGSEGV (core dumped)"),
    (LastRun(EXIT_3, gave_up=True), 3, "FATAL, exit status 3"),
    (LastRun(0, gave_up=True), 1, "FATAL, exit status 0"),
    (LastRun(gave_up=True, not_found=True, error=NO_COMMAND), 127, f"FATAL, {NO_COMMAND}"),
    (LastRun(gave_up=True, error="no fork"), 126, "FATAL, no fork"),
    (LastRun(gave_up=True), 126, "FATAL, could not be started"),
    (LastRun(EXIT_3, gave_up=True, not_found=True, error=NO_COMMAND), 3, "FATAL, exit status 3"),
    (LastRun(15, gave_up=True, timed_out=True, error=LATE), 11, f"FATAL, {LATE}"),
)
"""A run, the status of the daemon, and the text."""

SUCCESSES = (
    (LastRun(EXIT_3), [3], [], False),
    (LastRun(EXIT_3), [0], [3], False),
    (LastRun(EXIT_3), [0], [143], True),
    (LastRun(signal.SIGTERM), [0], [143], False),
    (LastRun(signal.SIGTERM), [0], [], True),
    (LastRun(0), [0], [], False),
    (LastRun(0), [3], [], True),
    (LastRun(0, gave_up=True), [0], [0], True),
    (LastRun(), [0], [], False),
)
"""A run, `exitcodes`, `exit_codes_ok`, and whether it has failed."""


def test_the_status_of_a_run() -> None:
    assert_none(
        (run, run.exit_status(), str(run))
        for run, status, text in RUNS
        if (run.exit_status(), str(run)) != (status, text)
    )


def test_statuses_that_count_as_0() -> None:
    for run, status, _ in RUNS:
        if status not in {0, 1}:
            assert run.exit_status([status]) == 0
            assert run.exit_status([status + 1]) == status


def test_failures_and_successes() -> None:
    assert_none(
        row for row in SUCCESSES if row[0].has_failed(list(row[1]), list(row[2])) is not row[3]
    )


def test_the_text_of_a_verdict() -> None:
    assert str(verdict_of("web", LastRun(EXIT_3), [])) == (
        "status 3 because of 'web' (exit status 3)"
    )
    blocked = verdict_of("db", LastRun(0), [], "web")
    assert str(blocked) == "status 1 because of 'db' (exit status 0), which 'web' needs"


def test_the_first_failure_in_order() -> None:
    verdicts = [Verdict(status, str(status)) for status in (0, 4, 3)]
    assert first_failure(verdicts, Verdict(0, "none")).status == 4
    assert first_failure(verdicts[:1], Verdict(0, "none")).reason == "none"


def outcome(policy: ExitPolicy, *changes: Change) -> tuple[Decision, object]:
    decision, change = policy.decide(changes)
    return decision, None if change is None else change.process


def test_an_essential_end_leads_to_an_exit() -> None:
    policy = ExitPolicy(exits_when_all_exited=False)
    assert outcome(policy, Change("a", ACTIVE), Change("b", ACTIVE)) == (Decision.CONTINUE, None)
    assert outcome(policy, Change("a", ENDED)) == (Decision.CONTINUE, None)
    ends = Change("b", ENDED, ends_daemon=True)
    assert outcome(policy, Change("a", ENDED), ends) == (Decision.ESSENTIAL, "b")


def test_of_two_ends_at_once_the_first_counts() -> None:
    policy = ExitPolicy(exits_when_all_exited=True)
    changes = [Change(name, ENDED, ends_daemon=True) for name in ("b", "a")]
    assert outcome(policy, *changes) == (Decision.ESSENTIAL, "b")


def test_a_start_at_the_same_time_prevents_the_exit() -> None:
    policy = ExitPolicy(exits_when_all_exited=True)
    policy.decide([Change("a", ACTIVE)])
    assert outcome(policy, Change("a", ENDED), Change("b", ACTIVE)) == (Decision.CONTINUE, None)


def test_neither_a_stop_nor_a_removal_leads_to_an_exit() -> None:
    policy = ExitPolicy(exits_when_all_exited=True)
    policy.decide([Change("a", ACTIVE), Change("b", ACTIVE), Change("c", ACTIVE)])
    assert outcome(policy, Change("a", HELD)) == (Decision.CONTINUE, None)
    policy.forget("b")
    assert outcome(policy, Change("c", HELD)) == (Decision.CONTINUE, None)
    assert outcome(policy, Change("d", ENDED)) == (Decision.ALL_EXITED, "d")


def test_listeners_do_not_count_unless_they_are_essential() -> None:
    policy = ExitPolicy(exits_when_all_exited=True)
    policy.decide([Change("l", ACTIVE, is_listener=True), Change("a", ACTIVE)])
    assert outcome(policy, Change("l", ENDED, is_listener=True)) == (Decision.CONTINUE, None)
    policy.decide([Change("a", HELD)])
    assert outcome(policy, Change("l", ENDED, is_listener=True)) == (Decision.CONTINUE, None)
    assert outcome(policy, Change("a", ENDED)) == (Decision.ALL_EXITED, "a")
    ends = Change("l", ENDED, is_listener=True, ends_daemon=True)
    assert outcome(policy, ends) == (Decision.ESSENTIAL, "l")


CHANGES = st.builds(
    Change,
    process=st.sampled_from("abcd"),
    outlook=st.sampled_from(Outlook),
    is_listener=st.just(value=False),
    ends_daemon=st.booleans(),
)


@given(st.booleans(), st.lists(st.lists(CHANGES, max_size=4), max_size=12))
def test_the_decision_follows_from_the_present_outlooks(
    exits: bool,  # noqa: FBT001 - given by hypothesis
    batches: list[list[Change]],
) -> None:
    """The policy remembers as much as one that knows the outlooks of all processes."""
    policy = ExitPolicy(exits_when_all_exited=exits)
    outlooks: dict[object, Outlook] = {}
    for batch in batches:
        outlooks |= {each.process: each.outlook for each in batch}
        assert policy.decide(batch)[0] is expected(batch, outlooks.values(), exits=exits)
        assert policy.is_idle is (exits and ACTIVE not in outlooks.values())


def expected(batch: list[Change], outlooks: Iterable[Outlook], *, exits: bool) -> Decision:
    ended = [each for each in batch if each.outlook is ENDED]
    if any(each.ends_daemon for each in ended):
        return Decision.ESSENTIAL
    is_last = exits and bool(ended) and ACTIVE not in outlooks
    return Decision.ALL_EXITED if is_last else Decision.CONTINUE
