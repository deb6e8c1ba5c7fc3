"""The queue of starts: order, bounded time in each loop iteration, nothing left behind."""

from __future__ import annotations

from collections.abc import Generator
from contextvars import ContextVar, copy_context

import pytest

from supervisor.common.requester import context_of, requester
from supervisor.engine.deferred import NOT_DONE_YET, Notifier, deferred
from supervisor.engine.loop import Loop
from supervisor.engine.start_queue import MAX_SECONDS, Pace, StartQueue
from tests.support.clock import FakeClock
from tests.support.world import StillPoller

STEP_SECONDS = 0.004


class Starts:
    """A queue whose steps take 4 ms each and record their names."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.errors: list[str] = []
        self.loop = Loop(self.clock, StillPoller(), self.errors.append)
        self.queue = StartQueue(self.loop)
        self.done: list[str] = []

    def steps(self, *names: str) -> Generator[None]:
        for name in names:
            self.clock.advance(STEP_SECONDS)
            self.done.append(name)
            yield

    def start(self, name: str) -> str:
        """Start one program, as a client requests it."""
        next(self.steps(name))
        return name

    def each_iteration(self) -> list[list[str]]:
        """Run the loop until the queue is empty; return the steps of each iteration."""
        iterations = []
        while self.queue or self.loop._soon:
            before = len(self.done)
            self.loop.run_once(0)
            iterations.append(self.done[before:])
        return [each for each in iterations if each]


@pytest.fixture
def starts() -> Generator[Starts]:
    made = Starts()
    yield made
    made.loop.close()


def test_a_start_on_an_empty_queue_is_made_at_once(starts: Starts) -> None:
    starts.queue.put(starts.steps("a"))
    starts.queue.put(starts.steps("b"))
    assert starts.done == ["a", "b"]
    assert not starts.queue


def test_steps_run_for_the_client_that_has_put_them(starts: Starts) -> None:
    def names(count: int) -> Generator[None]:
        for _ in range(count):
            starts.clock.advance(STEP_SECONDS)
            starts.done.append(requester())
            yield

    for client in ("ann", "bob"):
        context_of(lambda name=client: name).run(starts.queue.put, names(4))  # type: ignore[misc]
    starts.queue.put(names(1))
    starts.each_iteration()
    assert starts.done == [*["ann"] * 4, *["bob"] * 4, ""]


def test_the_time_of_an_iteration_is_bounded(starts: Starts) -> None:
    starts.queue.put(starts.steps(*"abcdefgh"))
    assert starts.done == ["a", "b", "c"]  # the third begins before 10 ms are over
    assert starts.each_iteration() == [["d", "e", "f"], ["g", "h"]]


def test_what_is_put_later_in_an_iteration_shares_its_time(starts: Starts) -> None:
    for name in "abcde":
        starts.queue.put(starts.steps(name))
    assert starts.done == ["a", "b", "c"]
    assert starts.each_iteration() == [["d", "e"]]


def test_order_is_kept_over_iterations(starts: Starts) -> None:
    starts.queue.put(starts.steps("a", "b", "c", "d"))
    starts.queue.put(starts.steps("e"))
    starts.each_iteration()
    assert starts.done == ["a", "b", "c", "d", "e"]


def test_a_step_that_puts_another_does_not_run_it_inside(starts: Starts) -> None:
    def outer() -> Generator[None]:
        starts.queue.put(starts.steps("inner"))
        starts.done.append("outer")
        yield

    starts.queue.put(outer())
    starts.each_iteration()
    assert starts.done == ["outer", "inner"]


def test_channels_are_served_between_the_iterations_of_a_long_queue(starts: Starts) -> None:
    starts.queue.put(starts.steps(*"abcdefgh"))
    starts.loop.call_later(0.0, lambda: starts.done.append("timer"))
    starts.each_iteration()
    assert starts.done.index("timer") < starts.done.index("e")


def test_a_failing_step_does_not_hold_up_the_queue(starts: Starts) -> None:
    def failing() -> Generator[None]:
        raise ValueError("broken")
        yield

    starts.queue.put(starts.steps("a", "b", "c", "d"))
    starts.queue.put(failing())
    starts.queue.put(starts.steps("e"))
    starts.each_iteration()
    assert starts.done == ["a", "b", "c", "d", "e"]
    assert len(starts.errors) == 1


def test_a_failure_at_once_is_the_callers(starts: Starts) -> None:
    def failing() -> Generator[None]:
        raise ValueError("broken")
        yield

    with pytest.raises(ValueError, match="broken"):
        starts.queue.put(failing())
    starts.each_iteration()
    assert not starts.queue


def test_an_idle_queue_leaves_the_loop_asleep(starts: Starts) -> None:
    starts.queue.put(starts.steps("a"))
    starts.loop.run_once(0)
    assert starts.loop._poll_timeout(None) is None


def test_a_slow_step_uses_the_time_of_its_iteration_alone(starts: Starts) -> None:
    def slow() -> Generator[None]:
        starts.clock.advance(10 * MAX_SECONDS)
        yield

    starts.queue.put(slow())
    starts.queue.put(starts.steps("a", "b"))
    assert starts.done == []
    assert starts.each_iteration() == [["a", "b"]]


# -- requests, which take turns ---------------------------------------------------------


def test_a_request_is_served_at_once_if_there_is_time(starts: Starts) -> None:
    assert starts.queue.in_turn(lambda: starts.start("a")) == "a"
    with pytest.raises(ValueError, match="broken"):
        starts.queue.in_turn(_fail)


def _fail() -> None:
    raise ValueError("broken")


def test_many_requests_are_spread_over_iterations_in_their_order(starts: Starts) -> None:
    results = [starts.queue.in_turn(lambda name=name: starts.start(name)) for name in "abcdefgh"]
    assert results[:3] == ["a", "b", "c"]
    waiting = results[3:]
    assert [poll() for poll in waiting] == [NOT_DONE_YET] * 5
    woken: list[int] = []
    for poll in waiting:
        [ready] = poll.wake_sources
        ready.add(lambda: woken.append(1))
    assert starts.each_iteration() == [["d", "e", "f"], ["g", "h"]]  # though none is polled
    assert len(woken) == 5
    assert [poll() for poll in waiting] == ["d", "e", "f", "g", "h"]


def test_a_request_comes_after_the_starts_before_it(starts: Starts) -> None:
    starts.queue.put(starts.steps(*"abcd"))
    poll = starts.queue.in_turn(lambda: starts.start("e"))
    assert poll() is NOT_DONE_YET
    starts.each_iteration()
    assert starts.done == ["a", "b", "c", "d", "e"]
    assert poll() == "e"


def test_a_request_that_fails_in_its_turn_fails_for_its_client(starts: Starts) -> None:
    starts.queue.put(starts.steps(*"abcd"))
    poll = starts.queue.in_turn(_fail)
    starts.each_iteration()
    assert not starts.errors
    with pytest.raises(ValueError, match="broken"):
        poll()


def test_a_request_in_its_turn_may_have_to_wait_further(starts: Starts) -> None:
    changed, answers = Notifier(), [NOT_DONE_YET, "ready"]
    starts.queue.put(starts.steps(*"abcd"))
    poll = starts.queue.in_turn(
        lambda: deferred(lambda: answers.pop(0), delay=0.5, wake_sources=[changed])
    )
    starts.each_iteration()
    assert poll() is NOT_DONE_YET
    assert poll.wake_sources == (changed,)
    assert poll.delay == 0.5
    assert poll() == "ready"


# -- sequences --------------------------------------------------------------------------


def test_a_sequence_of_calls_pauses_after_its_time(starts: Starts) -> None:
    pace = Pace(starts.loop)
    assert [pace.take(lambda name=name: starts.start(name)) for name in "abc"] == ["a", "b", "c"]
    poll = pace.take(lambda: starts.start("d"))
    assert starts.done == ["a", "b", "c"]
    assert poll() is NOT_DONE_YET
    starts.loop.run_once(0)
    assert poll() == "d"
    assert pace.take(lambda: starts.start("e")) == "e"  # 4 ms after the pause


def test_a_pause_keeps_the_context(starts: Starts) -> None:
    client = ContextVar("client", default="")

    def names() -> Generator[None]:
        for _ in range(4):
            starts.clock.advance(STEP_SECONDS)
            starts.done.append(client.get())
            yield

    def request() -> None:
        client.set("ann")
        Pace(starts.loop).run(names())
        pace = Pace(starts.loop)
        pace.take(lambda: starts.clock.advance(MAX_SECONDS))
        pace.take(lambda: starts.done.append(client.get()))

    copy_context().run(request)
    starts.each_iteration()
    starts.loop.run_once(0)
    assert starts.done == ["ann"] * 5


def test_a_short_sequence_leaves_the_loop_asleep(starts: Starts) -> None:
    pace = Pace(starts.loop)
    for _ in range(1000):
        pace.take(lambda: None)
    assert starts.loop._poll_timeout(None) is None


def test_a_generator_runs_to_its_end_with_pauses(starts: Starts) -> None:
    Pace(starts.loop).run(starts.steps(*"abcdefgh"))
    assert starts.done == ["a", "b", "c"]
    assert starts.each_iteration() == [["d", "e", "f"], ["g", "h"]]
    assert starts.loop._poll_timeout(None) is None
