"""Deferred results: functions that are polled until they return a result.

An RPC method may return a plain function with `.delay` (seconds) instead of a value.  The
caller polls it until it returns something other than `NOT_DONE_YET`.  Plugins write such
functions by hand and poll the daemon's, so the daemon's stay plain functions.  They have one
more attribute, `.wake_sources`: the notifiers that wake the caller when the next poll is
worthwhile.  A caller that uses `.wake_sources` needs no timer.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from supervisor.engine.loop import Loop


class NOT_DONE_YET:  # noqa: N801 - the name that plugins compare with
    """Returned (the class itself) by a deferred function that has no result yet."""


Deferred: TypeAlias = "Callable[[], Any]"

POLL_SECONDS = 0.05


class Notifier:
    """Callbacks waiting for the next change of something; each is called once."""

    def __init__(self) -> None:
        self._callbacks: dict[Callable[[], None], None] = {}

    def __bool__(self) -> bool:
        return bool(self._callbacks)

    def add(self, callback: Callable[[], None]) -> None:
        """Call `callback` once at the next `notify`, even if it was added more than once."""
        self._callbacks[callback] = None

    def discard(self, callback: Callable[[], None]) -> None:
        """Remove a callback; unknown ones are ignored."""
        self._callbacks.pop(callback, None)

    def notify(self) -> None:
        """Call all waiting callbacks, in the order in which they were added."""
        if self._callbacks:
            callbacks, self._callbacks = self._callbacks, {}
            for callback in callbacks:
                callback()


def deferred(
    poll: Deferred, delay: float = POLL_SECONDS, wake_sources: Iterable[Notifier] = ()
) -> Deferred:
    """Return a plain function that calls `poll`, with the attributes that plugins expect."""

    def function() -> Any:
        return poll()

    function.delay = delay  # type: ignore[attr-defined]
    function.wake_sources = tuple(wake_sources)  # type: ignore[attr-defined]
    return function


def wake_sources_of(function: Deferred) -> tuple[Notifier, ...]:
    """Return the wake-up sources of a deferred function; () for one that needs a timer."""
    return getattr(function, "wake_sources", ())


def delay_of(function: Deferred) -> float:
    """Return the poll interval of a deferred function without wake-up sources, in seconds."""
    return getattr(function, "delay", POLL_SECONDS)


def derived(source: Deferred, poll: Deferred) -> Deferred:
    """Return `poll`, which polls `source`, as a deferred function that is woken like `source`."""

    def follow() -> Any:
        result = poll()
        function.wake_sources = wake_sources_of(source)  # type: ignore[attr-defined]
        return result

    function = deferred(follow, delay_of(source), wake_sources_of(source))
    return function


class Later:
    """A call that is made later.

    `function` is a deferred function for its value, or for the result of the deferred function
    that the call has returned.  It raises the exceptions of the call.
    """

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._value: Any = None
        self._error: Exception | None = None
        self._made = Notifier()
        self.is_made = False
        self.function = deferred(self._poll, wake_sources=[self._made])

    def make(self) -> None:
        """Make the call; its value or exception is kept."""
        try:
            self._value = self._call()
        except Exception as error:  # noqa: BLE001 - raised to the caller that waits
            self._error = error
        self.is_made = True
        self._made.notify()

    def value(self) -> Any:
        """Return the value of a call that has been made; raises its exception."""
        if self._error is not None:
            raise self._error
        return self._value

    def _poll(self) -> Any:
        if not self.is_made:
            return NOT_DONE_YET
        value = self.value()
        if not callable(value):
            return value
        result = value()
        if result is NOT_DONE_YET:
            self.function.delay = delay_of(value)  # type: ignore[attr-defined]
            self.function.wake_sources = wake_sources_of(value)  # type: ignore[attr-defined]
        return result


def run_at_once(steps: Generator[object, None, None]) -> None:
    """Run a generator to its end."""
    for _ in steps:
        pass


def gather(
    source: Iterable[Any], run: Callable[[Generator[None, None, None]], None] = run_at_once
) -> Deferred:
    """Run several steps and deferred functions; the result is the list of their results.

    Each item of `source` is a result or a deferred function.  They are taken from the first poll
    on, by `run`, which may spread them over many iterations of the loop.  Results are in the order
    of completion.  Only functions that were woken since the last poll are polled again (and those
    without a wake-up source), so N results cost N calls and not N squared.
    """
    return _Gather(source, run).function


class _Gather:
    def __init__(
        self, source: Iterable[Any], run: Callable[[Generator[None, None, None]], None]
    ) -> None:
        self._source = source
        self._run = run
        self._has_begun = False
        self._is_complete = False
        self._error: Exception | None = None
        self._results: list[Any] = []
        self._pending: dict[int, Deferred] = {}
        self._wakers: dict[int, Callable[[], None]] = {}  # one each: notifiers ignore repeats
        self._timed: set[int] = set()
        self._woken: set[int] = set()
        self._ready = Notifier()
        self.function = deferred(self._poll, wake_sources=[self._ready])

    def _take_all(self) -> Generator[None, None, None]:
        """Take the items of the source, one in each step."""
        try:
            for index, item in enumerate(self._source):
                self._take(index, item)
                yield
        except Exception as error:  # noqa: BLE001 - raised by the next poll, the caller waits
            self._error = error
        self._is_complete = True
        self._ready.notify()

    def _take(self, index: int, item: Any) -> None:
        if callable(item):
            self._pending[index] = item
            self._wakers[index] = partial(self._wake, index)
            self._wake(index)
        else:
            self._results.append(item)

    def _poll(self) -> Any:
        if not self._has_begun:
            self._has_begun = True
            self._run(self._take_all())
        if self._error is not None:
            raise self._error
        due, self._woken = sorted(self._woken | self._timed), set()
        for index in due:
            self._poll_one(index)
        if self._is_complete and not self._pending:
            return self._results
        self.function.wake_sources = () if self._timed else (self._ready,)  # type: ignore[attr-defined]
        return NOT_DONE_YET

    def _poll_one(self, index: int) -> None:
        function = self._pending.get(index)
        if function is None:
            return
        result = function()
        if result is not NOT_DONE_YET:
            self._results.append(result)
            del self._pending[index]
            self._timed.discard(index)
            return
        sources = wake_sources_of(function)
        for notifier in sources:
            notifier.add(self._wakers[index])
        (self._timed.discard if sources else self._timed.add)(index)

    def _wake(self, index: int) -> None:
        self._woken.add(index)
        self._ready.notify()


def detached(function: Deferred, loop: Loop) -> Deferred:
    """Poll a deferred function from the loop; return one that waits for its result.

    So the work goes on when the client that has requested it is gone.
    """
    return _Detached(function, loop).function


class _Detached:
    def __init__(self, polled: Deferred, loop: Loop) -> None:
        self._polled = polled
        self._loop = loop
        self._result: Any = NOT_DONE_YET
        self._error: Exception | None = None
        self._is_scheduled = False
        self._done = Notifier()
        self.function = deferred(self._poll_result, wake_sources=[self._done])
        self._poll()

    def _poll(self) -> None:
        self._is_scheduled = False
        try:
            self._result = self._polled()
        except Exception as error:  # noqa: BLE001 - raised again where the result is polled
            self._error = error
        if self._is_over:
            self._done.notify()
            return
        sources = wake_sources_of(self._polled)
        for source in sources:
            source.add(self._schedule)
        if not sources:
            self._loop.call_later(delay_of(self._polled), self._poll)

    @property
    def _is_over(self) -> bool:
        return self._error is not None or self._result is not NOT_DONE_YET

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._poll)

    def _poll_result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._result


def in_sequence(steps: Sequence[Callable[[], Any]]) -> Deferred:
    """Run steps one after the other; the result is the list of their results.

    A step may return a value or a deferred function; the next step starts only when the
    previous one has returned its result.
    """
    return _InSequence(steps).function


def then(function: Deferred, use: Callable[[Any], Any]) -> Deferred:
    """Return a deferred function with the result of `use`, which gets the result of `function`.

    `use` may return a value or a deferred function.
    """
    found: list[Any] = []

    def keep() -> Any:
        result = function()
        if result is not NOT_DONE_YET:
            found.append(result)
        return result

    both = in_sequence([lambda: derived(function, keep), lambda: use(found[0])])

    def poll() -> Any:
        results = both()
        return results if results is NOT_DONE_YET else results[-1]

    return derived(both, poll)


class _InSequence:
    def __init__(self, steps: Sequence[Callable[[], Any]]) -> None:
        self._steps = iter(steps)
        self._results: list[Any] = []
        self._pending: Deferred | None = None
        self._ready = Notifier()
        self.function = deferred(self._poll, wake_sources=[self._ready])

    def _poll(self) -> Any:
        while True:
            if self._pending is None:
                step = next(self._steps, None)
                if step is None:
                    return self._results
                result = step()
                if not callable(result):
                    self._results.append(result)
                    continue
                self._pending = result
            result = self._pending()
            if result is NOT_DONE_YET:
                sources = wake_sources_of(self._pending)
                for notifier in sources:
                    notifier.add(self._ready.notify)
                self.function.wake_sources = (self._ready,) if sources else ()  # type: ignore[attr-defined]
                return NOT_DONE_YET
            self._pending = None
            self._results.append(result)
