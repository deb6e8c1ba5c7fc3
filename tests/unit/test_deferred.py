"""Answers that wait: who is asked, when, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from supervisor.engine.deferred import (
    NOT_DONE_YET,
    POLL_SECONDS,
    Deferred,
    Notifier,
    deferred,
    delay_of,
    derived,
    gather,
    in_sequence,
    wake_sources_of,
)


class Slow:
    """Something that has an answer once it is told so, and counts the questions."""

    def __init__(self, name: str, *, polled: bool = False) -> None:
        self.name = name
        self.asked = 0
        self.done = False
        self.changed = Notifier()
        self.question = deferred(self._ask, wake_sources=() if polled else [self.changed])

    def _ask(self) -> Any:
        self.asked += 1
        return self.name if self.done else NOT_DONE_YET

    def finish(self) -> None:
        self.done = True
        self.changed.notify()


def gathered(*slow: Slow, at_once: tuple[str, ...] = ()) -> Deferred:
    return gather([*at_once, *(each.question for each in slow)])


def test_a_deferred_function_is_a_plain_function_with_a_delay() -> None:
    question = deferred(lambda: 5, delay=0.2)
    assert type(question) is type(gathered)
    assert question.delay == 0.2  # type: ignore[attr-defined]
    assert question() == 5


def test_notifiers_call_each_callback_once() -> None:
    notifier, calls = Notifier(), []

    def callback() -> None:
        calls.append(1)

    notifier.add(callback)
    notifier.add(callback)
    notifier.notify()
    notifier.notify()
    assert calls == [1]


def test_discarded_waiters_are_not_called() -> None:
    notifier, calls = Notifier(), []

    def callback() -> None:
        calls.append(1)

    notifier.add(callback)
    notifier.discard(callback)
    notifier.discard(callback)
    notifier.notify()
    assert calls == []


def test_side_by_side_answers_in_the_order_of_completion() -> None:
    first, second = Slow("first"), Slow("second")
    question = gathered(first, second, at_once=("there",))
    assert question() is NOT_DONE_YET
    second.finish()
    assert question() is NOT_DONE_YET
    first.finish()
    assert question() == ["there", "second", "first"]


def test_side_by_side_does_nothing_before_it_is_asked() -> None:
    begun: list[int] = []

    def source() -> Iterator[int]:
        begun.append(1)
        yield from ()

    question = gather(source())
    assert begun == []
    assert question() == []
    assert begun == [1]


def test_gather_takes_its_items_as_the_runner_lets_it() -> None:
    """Results keep their order, and the holder is woken when more has been taken."""
    slow, woken, runs = Slow("slow"), [], []

    def wake() -> None:
        woken.append(1)

    question = gather(iter(["first", slow.question, "last"]), runs.append)
    assert question() is NOT_DONE_YET
    (steps,) = runs
    slow.finish()
    for _ in range(3):
        for notifier in wake_sources_of(question):
            notifier.add(wake)
        next(steps)
        assert question() is NOT_DONE_YET
    assert woken == [1]  # for the deferred item; results need no poll
    assert list(steps) == []
    assert question() == ["first", "slow", "last"]


def test_side_by_side_asks_only_those_that_were_woken() -> None:
    slow = [Slow(str(number)) for number in range(50)]
    question = gathered(*slow)
    question()
    for each in slow:
        each.finish()
        question()
    assert [each.asked for each in slow] == [2] * 50


def test_side_by_side_wakes_its_holder() -> None:
    slow = Slow("slow")
    question = gathered(slow)
    woken: list[int] = []
    question()
    for notifier in wake_sources_of(question):
        notifier.add(lambda: woken.append(1))
    slow.finish()
    assert woken == [1]


def test_side_by_side_with_a_polled_question_is_polled() -> None:
    polled, woken = Slow("polled", polled=True), Slow("woken")
    question = gathered(polled, woken)
    question()
    assert wake_sources_of(question) == ()
    polled.done = True
    question()
    woken.finish()
    assert question() == ["polled", "woken"]
    assert polled.asked == 2


@pytest.mark.parametrize("polled", [False, True])
def test_in_sequence_starts_a_step_when_the_one_before_has_answered(*, polled: bool) -> None:
    slow, order = Slow("slow", polled=polled), []

    def begin() -> Deferred:
        order.append("first")
        return slow.question

    def follow() -> str:
        order.append("second")
        return "fast"

    question = in_sequence([begin, follow])
    assert question() is NOT_DONE_YET
    assert order == ["first"]
    assert bool(wake_sources_of(question)) is not polled
    slow.finish()
    assert question() == ["slow", "fast"]
    assert order == ["first", "second"]


class Moving:
    """A deferred function whose wake sources change with each poll."""

    def __init__(self, *sources: Notifier | None) -> None:
        self.polls = 0
        self._later = list(sources)
        self.function = deferred(self._poll, wake_sources=self._next_sources())

    def _next_sources(self) -> list[Notifier]:
        source = self._later.pop(0)
        return [] if source is None else [source]

    def _poll(self) -> Any:
        self.polls += 1
        if not self._later:
            return "done"
        self.function.wake_sources = tuple(self._next_sources())  # type: ignore[attr-defined]
        return NOT_DONE_YET


def test_a_derived_function_has_the_wake_sources_of_its_source() -> None:
    first, second = Notifier(), Notifier()
    source = Moving(first, second).function
    function = derived(source, source)
    assert wake_sources_of(function) == (first,)
    assert function() is NOT_DONE_YET
    assert wake_sources_of(function) == (second,)
    assert function() == "done"


def test_a_derived_function_has_the_delay_of_its_source() -> None:
    source = deferred(lambda: NOT_DONE_YET, delay=0.5)
    assert delay_of(derived(source, source)) == 0.5
    assert delay_of(derived(lambda: NOT_DONE_YET, source)) == POLL_SECONDS


def test_gather_polls_a_function_that_has_lost_its_wake_sources() -> None:
    moving = Moving(Notifier(), None, None)
    function = gather([moving.function])
    assert function() is NOT_DONE_YET
    assert wake_sources_of(function) == ()
    assert function() is NOT_DONE_YET
    assert function() == ["done"]


def test_gather_waits_for_a_function_that_has_gained_a_wake_source() -> None:
    gained = Notifier()
    moving = Moving(None, gained, gained)
    function = gather([moving.function])
    assert function() is NOT_DONE_YET
    assert wake_sources_of(function) != ()
    assert function() is NOT_DONE_YET
    assert moving.polls == 1
    gained.notify()
    assert function() is NOT_DONE_YET
    assert moving.polls == 2


def test_gather_leaves_one_callback_in_each_wake_source() -> None:
    busy, quiet = Notifier(), Notifier()
    function = gather([deferred(lambda: NOT_DONE_YET, wake_sources=[busy, quiet])])
    for _ in range(5):
        function()
        busy.notify()
    assert len(quiet._callbacks) == 1


def test_in_sequence_of_nothing_is_an_empty_list() -> None:
    assert in_sequence([])() == []
