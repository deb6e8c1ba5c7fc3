"""Answers that wait: functions that are asked again until they are done (floor 1).

An RPC method may return a plain function with `.delay` (seconds) instead of a value.
Whoever holds it calls it until it returns something other than `NOT_DONE_YET`.  Plugins
write such functions by hand and poll ours; so ours stay plain functions.  What ours have
in addition is `.wakes_on`: the `Waiters` whose next wake-up makes asking again
worthwhile.  A holder that knows `.wakes_on` never polls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias


class NOT_DONE_YET:  # noqa: N801 - the name that plugins compare with
    """Returned (the class itself) by a deferred function that has no answer yet."""


Question: TypeAlias = "Callable[[], Any]"

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


Beginning: TypeAlias = "Callable[[], tuple[list[Any], list[Question]]]"


def side_by_side(begin: Beginning) -> Question:
    """Ask several deferred functions side by side; the answer is the list of their answers.

    `begin` runs when the function is asked for the first time, and returns the answers
    that were there at once and the questions that wait.  Answers stand in the order in
    which they came.  Only the questions that were woken since the last time are asked
    again (and those that have no wake-up of their own), so N answers cost N questions
    and not N squared.
    """
    return _SideBySide(begin).function


class _SideBySide:
    def __init__(self, begin: Beginning) -> None:
        self._begin: Beginning | None = begin
        self._answers: list[Any] = []
        self._pending: dict[int, Question] = {}
        self._polled: set[int] = set()
        self._woken: set[int] = set()
        self._ready = Waiters()
        self.function = deferred(self._ask, wakes_on=[self._ready])

    def _start(self, begin: Beginning) -> None:
        self._answers, questions = begin()
        self._pending = dict(enumerate(questions))
        self._woken = set(self._pending)
        self._polled = {i for i, question in self._pending.items() if not wakes_of(question)}

    def _ask(self) -> Any:
        if self._begin is not None:
            begin, self._begin = self._begin, None
            self._start(begin)
        due, self._woken = sorted(self._woken | self._polled), set()
        for index in due:
            self._ask_one(index)
        if not self._pending:
            return self._answers
        self.function.wakes_on = () if self._polled else (self._ready,)  # type: ignore[attr-defined]
        return NOT_DONE_YET

    def _ask_one(self, index: int) -> None:
        question = self._pending.get(index)
        if question is None:
            return
        answer = question()
        if answer is not NOT_DONE_YET:
            self._answers.append(answer)
            del self._pending[index]
            self._polled.discard(index)
            return

        def wake() -> None:
            self._woken.add(index)
            self._ready.wake()

        for waiters in wakes_of(question):
            waiters.add(wake)


def in_sequence(steps: Sequence[Callable[[], Any]]) -> Question:
    """Run steps one after the other; the answer is the list of what they answer.

    A step may return a value or a deferred function; the next step starts only when the
    one before it has answered.
    """
    return _InSequence(steps).function


class _InSequence:
    def __init__(self, steps: Sequence[Callable[[], Any]]) -> None:
        self._steps = iter(steps)
        self._answers: list[Any] = []
        self._waiting: Question | None = None
        self._ready = Waiters()
        self.function = deferred(self._ask, wakes_on=[self._ready])

    def _ask(self) -> Any:
        while True:
            if self._waiting is None:
                step = next(self._steps, None)
                if step is None:
                    return self._answers
                answer = step()
                if not callable(answer):
                    self._answers.append(answer)
                    continue
                self._waiting = answer
            answer = self._waiting()
            if answer is NOT_DONE_YET:
                wakes = wakes_of(self._waiting)
                for waiters in wakes:
                    waiters.add(self._ready.wake)
                self.function.wakes_on = (self._ready,) if wakes else ()  # type: ignore[attr-defined]
                return NOT_DONE_YET
            self._waiting = None
            self._answers.append(answer)
