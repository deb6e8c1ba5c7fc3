"""Deferred functions: which are polled, when, and how often."""

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
    detached,
    gather,
    in_sequence,
    run_at_once,
    then,
    wake_sources_of,
)
from supervisor.engine.loop import Loop
from tests.support.clock import FakeClock
from tests.support.world import StillPoller


class Slow:
    """A deferred function that returns its name once it is finished, and counts the polls."""

    def __init__(self, name: str, *, polled: bool = False) -> None:
        self.name = name
        self.polls = 0
        self.done = False
        self.changed = Notifier()
        self.function = deferred(self._poll, wake_sources=() if polled else [self.changed])

    def _poll(self) -> Any:
        self.polls += 1
        return self.name if self.done else NOT_DONE_YET

    def finish(self) -> None:
        self.done = True
        self.changed.notify()


def gathered(*slow: Slow, at_once: tuple[str, ...] = ()) -> Deferred:
    return gather([*at_once, *(each.function for each in slow)])


def test_a_deferred_function_is_a_plain_function_with_a_delay() -> None:
    function = deferred(lambda: 5, delay=0.2)
    assert type(function) is type(gathered)
    assert function.delay == 0.2  # type: ignore[attr-defined]
    assert function() == 5


def test_notifiers_call_each_callback_once() -> None:
    notifier, calls = Notifier(), []

    def callback() -> None:
        calls.append(1)

    notifier.add(callback)
    notifier.add(callback)
    notifier.notify()
    notifier.notify()
    assert calls == [1]


def test_discarded_callbacks_are_not_called() -> None:
    notifier, calls = Notifier(), []

    def callback() -> None:
        calls.append(1)

    notifier.add(callback)
    notifier.discard(callback)
    notifier.discard(callback)
    notifier.notify()
    assert calls == []


def test_gather_returns_results_in_the_order_of_completion() -> None:
    first, second = Slow("first"), Slow("second")
    function = gathered(first, second, at_once=("there",))
    assert function() is NOT_DONE_YET
    second.finish()
    assert function() is NOT_DONE_YET
    first.finish()
    assert function() == ["there", "second", "first"]


def test_gather_does_nothing_before_its_first_poll() -> None:
    begun: list[int] = []

    def source() -> Iterator[int]:
        begun.append(1)
        yield from ()

    function = gather(source())
    assert begun == []
    assert function() == []
    assert begun == [1]


def test_gather_takes_its_items_as_the_runner_lets_it() -> None:
    """Results keep their order, and the holder is woken when more has been taken."""
    slow, woken, runs = Slow("slow"), [], []

    def wake() -> None:
        woken.append(1)

    function = gather(iter(["first", slow.function, "last"]), runs.append)
    assert function() is NOT_DONE_YET
    (steps,) = runs
    slow.finish()
    for _ in range(3):
        for notifier in wake_sources_of(function):
            notifier.add(wake)
        next(steps)
        assert function() is NOT_DONE_YET
    assert woken == [1]  # for the deferred item; results need no poll
    assert list(steps) == []
    assert function() == ["first", "slow", "last"]


def test_gather_polls_only_functions_that_were_woken() -> None:
    slow = [Slow(str(number)) for number in range(50)]
    function = gathered(*slow)
    function()
    for each in slow:
        each.finish()
        function()
    assert [each.polls for each in slow] == [2] * 50


def test_gather_wakes_its_caller() -> None:
    slow = Slow("slow")
    function = gathered(slow)
    woken: list[int] = []
    function()
    for notifier in wake_sources_of(function):
        notifier.add(lambda: woken.append(1))
    slow.finish()
    assert woken == [1]


def test_gather_with_a_polled_function_is_polled() -> None:
    polled, woken = Slow("polled", polled=True), Slow("woken")
    function = gathered(polled, woken)
    function()
    assert wake_sources_of(function) == ()
    polled.done = True
    function()
    woken.finish()
    assert function() == ["polled", "woken"]
    assert polled.polls == 2


@pytest.mark.parametrize("polled", [False, True])
def test_in_sequence_starts_a_step_after_the_result_of_the_previous_one(*, polled: bool) -> None:
    slow, order = Slow("slow", polled=polled), []

    def begin() -> Deferred:
        order.append("first")
        return slow.function

    def follow() -> str:
        order.append("second")
        return "fast"

    function = in_sequence([begin, follow])
    assert function() is NOT_DONE_YET
    assert order == ["first"]
    assert bool(wake_sources_of(function)) is not polled
    slow.finish()
    assert function() == ["slow", "fast"]
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


def test_a_failure_of_a_later_step_fails_the_whole() -> None:
    """Though it is no poll that takes the step."""

    def source() -> Iterator[Any]:
        yield 1
        raise ValueError("broken")

    taken: list[Any] = []
    function = gather(source(), taken.append)
    assert function() is NOT_DONE_YET
    [ready] = wake_sources_of(function)
    woken: list[bool] = []
    ready.add(lambda: woken.append(True))
    run_at_once(taken[0])
    assert woken
    with pytest.raises(ValueError, match="broken"):
        function()


def test_then_uses_the_result_of_a_deferred_function() -> None:
    first, second = iter([NOT_DONE_YET, 3]), iter([NOT_DONE_YET, 4])
    used: list[int] = []

    def use(result: int) -> Deferred:
        used.append(result)
        return deferred(lambda: next(second))

    function = then(deferred(lambda: next(first)), use)
    assert [function() for _ in range(3)] == [NOT_DONE_YET, NOT_DONE_YET, 4]
    assert used == [3]


def test_a_detached_function_is_polled_by_the_loop() -> None:
    """With notifiers and without; the result, or the exception, is kept for the caller."""
    clock = FakeClock()
    loop = Loop(clock, StillPoller())
    wake = Notifier()
    results = iter([NOT_DONE_YET, NOT_DONE_YET, "done"])
    woken = detached(deferred(lambda: next(results), wake_sources=[wake]), loop)
    for _ in range(2):
        assert woken() is NOT_DONE_YET
        wake.notify()
        loop.run_once(0)
    assert [woken(), woken()] == ["done", "done"]
    failures = iter([NOT_DONE_YET, ValueError("failed")])

    def fail() -> object:
        result = next(failures)
        if isinstance(result, ValueError):
            raise result
        return result

    failed = detached(deferred(fail), loop)
    clock.advance(1)
    loop.run_once(0)
    with pytest.raises(ValueError, match="failed"):
        failed()
    loop.close()
