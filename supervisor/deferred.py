"""Answers that wait: functions that are asked again until they are done (floor 1).

An RPC method may return a plain function with `.delay` (seconds) instead of a value.
Whoever holds it calls it until it returns something other than `NOT_DONE_YET`.  Plugins
write such functions by hand and poll ours; so ours stay plain functions.  What ours have
in addition is `.wakes_on`: the `Waiters` whose next wake-up makes asking again
worthwhile.  A holder that knows `.wakes_on` never polls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any


class NOT_DONE_YET:  # noqa: N801 - the name that plugins compare with
    """Returned (the class itself) by a deferred function that has no answer yet."""


Question = Callable[[], Any]

POLL_SECONDS = 0.05


class Waiters:
    """Callbacks that wait for the next change of something; each is called once."""

    def __init__(self) -> None:
        self._callbacks: dict[Callable[[], None], None] = {}

    def __bool__(self) -> bool:
        return bool(self._callbacks)

    def add(self, callback: Callable[[], None]) -> None:
        """Call `callback` at the next `wake`, once, however often it was added."""
        self._callbacks[callback] = None

    def discard(self, callback: Callable[[], None]) -> None:
        """Forget a callback that no longer waits; unknown ones are ignored."""
        self._callbacks.pop(callback, None)

    def wake(self) -> None:
        """Call everyone who waits, in the order in which they came."""
        if self._callbacks:
            callbacks, self._callbacks = self._callbacks, {}
            for callback in callbacks:
                callback()


def deferred(
    question: Question, delay: float = POLL_SECONDS, wakes_on: Iterable[Waiters] = ()
) -> Question:
    """Return a plain function that asks `question`, dressed as plugins expect it."""

    def ask() -> Any:
        return question()

    ask.delay = delay  # type: ignore[attr-defined]
    ask.wakes_on = tuple(wakes_on)  # type: ignore[attr-defined]
    return ask


def wakes_of(question: Question) -> tuple[Waiters, ...]:
    """Return the wake-ups of a deferred function; () for one that must be polled."""
    return getattr(question, "wakes_on", ())


def gather(questions: Sequence[Question], combine: Callable[[list[Any]], Any]) -> Question:
    """Ask several deferred functions side by side; `combine` gets all answers in order.

    Only those that were woken since the last time are asked again (and those that have
    no wake-up of their own), so N answers cost N questions and not N squared.
    An exception from a question goes up to whoever asks.
    """
    answers: list[Any] = [NOT_DONE_YET] * len(questions)
    woken = dict.fromkeys(range(len(questions)))
    polled = {i for i, question in enumerate(questions) if not wakes_of(question)}
    pending = set(woken)
    ready = Waiters()

    def waker(index: int) -> Callable[[], None]:
        def wake() -> None:
            woken[index] = None
            ready.wake()

        return wake

    wakers = [waker(i) for i in range(len(questions))]

    def ask() -> Any:
        due = [i for i in (*woken, *(polled - woken.keys())) if i in pending]
        woken.clear()
        for index in due:
            question = questions[index]
            answer = question()
            if answer is NOT_DONE_YET:
                for waiters in wakes_of(question):
                    waiters.add(wakers[index])
            else:
                answers[index] = answer
                pending.discard(index)
        return NOT_DONE_YET if pending else combine(answers)

    delay = min((getattr(q, "delay", POLL_SECONDS) for q in questions), default=POLL_SECONDS)
    return deferred(ask, delay, wakes_on=() if polled else (ready,))


def in_sequence(steps: Sequence[Callable[[], Any]], combine: Callable[[list[Any]], Any]) -> Question:
    """Run steps one after the other; a step may return a value or a deferred function.

    The next step starts only when the one before it has answered.  `combine` gets the
    list of answers.
    """
    answers: list[Any] = []
    waiting: list[Question] = []
    ready = Waiters()

    def ask() -> Any:
        while len(answers) < len(steps):
            if not waiting:
                result = steps[len(answers)]()
                if not callable(result):
                    answers.append(result)
                    continue
                waiting.append(result)
            answer = waiting[0]()
            if answer is NOT_DONE_YET:
                for waiters in wakes_of(waiting[0]):
                    waiters.add(ready.wake)
                polls = not wakes_of(waiting[0])
                asked.wakes_on = () if polls else (ready,)  # type: ignore[attr-defined]
                return NOT_DONE_YET
            waiting.clear()
            answers.append(answer)
        return combine(answers)

    asked = deferred(ask, wakes_on=(ready,))
    return asked
