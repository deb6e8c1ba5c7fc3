"""Deferred results: functions that are polled until they return a result.

An RPC method may return a plain function with `.delay` (seconds) instead of a value.  The
caller calls it until it returns something other than `NOT_DONE_YET`.  Plugins write such
functions by hand and poll the daemon's, so the daemon's stay plain functions.  They have one
more attribute, `.wakes_on`: the `Waiters` that wake the caller when calling again is
worthwhile.  A caller that uses `.wakes_on` never polls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias


class NOT_DONE_YET:  # noqa: N801 - the name that plugins compare with
    """Returned (the class itself) by a deferred function that has no result yet."""


Question: TypeAlias = "Callable[[], Any]"

POLL_SECONDS = 0.05


class Waiters:
    """Callbacks waiting for the next change of something; each is called once."""

    def __init__(self) -> None:
        self._callbacks: dict[Callable[[], None], None] = {}

    def __bool__(self) -> bool:
        return bool(self._callbacks)

    def add(self, callback: Callable[[], None]) -> None:
        """Call `callback` once at the next `wake`, even if it was added more than once."""
        self._callbacks[callback] = None

    def discard(self, callback: Callable[[], None]) -> None:
        """Remove a callback; unknown ones are ignored."""
        self._callbacks.pop(callback, None)

    def wake(self) -> None:
        """Call all waiting callbacks, in the order in which they were added."""
        if self._callbacks:
            callbacks, self._callbacks = self._callbacks, {}
            for callback in callbacks:
                callback()


def deferred(
    question: Question, delay: float = POLL_SECONDS, wakes_on: Iterable[Waiters] = ()
) -> Question:
    """Return a plain function that polls `question`, with the attributes that plugins expect."""

    def ask() -> Any:
        return question()

    ask.delay = delay  # type: ignore[attr-defined]
    ask.wakes_on = tuple(wakes_on)  # type: ignore[attr-defined]
    return ask


def wakes_of(question: Question) -> tuple[Waiters, ...]:
    """Return the wake-up sources of a deferred function; () for one that must be polled."""
    return getattr(question, "wakes_on", ())


Beginning: TypeAlias = "Callable[[], tuple[list[Any], list[Question]]]"


def side_by_side(begin: Beginning) -> Question:
    """Run several deferred functions concurrently; the result is the list of their results.

    `begin` runs at the first call.  It returns the results that are available at once and the
    functions that are pending.  Results are in the order of completion.  Only functions that
    were woken since the last call are polled again (and those without a wake-up source), so
    N results cost N calls and not N squared.
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
    """Run steps one after the other; the result is the list of their results.

    A step may return a value or a deferred function; the next step starts only when the
    previous one has returned its result.
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
