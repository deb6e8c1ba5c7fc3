"""A queue for starts, which are the longest single steps that the daemon takes.

Starting a child takes about a millisecond, and a boot or `start all` may start a thousand.  The
queue runs them in order, for a bounded time in each iteration of the loop.  In between, the loop
serves everything else: clients, output, deaths of other children.

A work item is a generator, each step of which is one start.  A start by itself is a generator with
one step; a group start has one step for each process and collects their results.
"""

from __future__ import annotations

from collections import deque
from contextvars import Context, copy_context
from functools import partial

from supervisor.engine.deferred import Later, Notifier

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from supervisor.engine.loop import Loop

MAX_SECONDS = 0.01
"""Time for starts, or for a long sequence of calls, in one iteration of the loop, in seconds.

A step in progress is completed.
"""


class Pace:
    """Bounds the time of a sequence of calls in one iteration of the loop.

    The calls of a sequence follow one another, so a pace measures the time that they have taken
    since the last pause, in whichever iterations.  All run in the caller's context.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._used_seconds = 0.0

    def take(self, call: Callable[[], Any]) -> Any:
        """Return the value of a call, or a deferred function if it has to wait for a pause."""
        if self._used_seconds < MAX_SECONDS:
            return self._measured(call)
        self._used_seconds = 0.0
        later = Later(lambda: self._measured(call))
        self._loop.call_soon(partial(copy_context().run, later.make))
        return later.function

    def run(self, steps: Generator[object, None, None]) -> None:
        """Run a generator to its end, with pauses; its exceptions are raised or logged."""
        while self._used_seconds < MAX_SECONDS:
            try:
                self._measured(steps.__next__)
            except StopIteration:
                return
        self._used_seconds = 0.0
        self._loop.call_soon(partial(copy_context().run, self.run, steps))

    def _measured(self, call: Callable[[], Any]) -> Any:
        began_at = self._loop.clock.monotonic()
        try:
            return call()
        finally:
            self._used_seconds += self._loop.clock.monotonic() - began_at


class StartQueue:
    """Generators that are advanced one after the other, within the time of each loop iteration."""

    def __init__(self, loop: Loop) -> None:
        self.drained = Notifier()
        """Notified when the queue is empty again."""
        self._loop = loop
        self._items: deque[tuple[Generator[object, None, None], Context]] = deque()
        self._used_seconds = 0.0
        self._is_armed = False
        self._is_running = False

    def __len__(self) -> int:
        return len(self._items)

    @property
    def has_waiting(self) -> bool:
        """Whether there are steps behind the one in progress."""
        return len(self._items) > self._is_running

    def put(self, steps: Generator[object, None, None]) -> None:
        """Run steps after those in the queue; at once if it is empty and there is time left.

        They run in a copy of the caller's context.

        An exception ends the generator.  It is raised here if the step runs at once, else the
        loop reports it.
        """
        self._items.append((steps, copy_context()))
        if len(self._items) == 1 and not self._is_running and self._used_seconds < MAX_SECONDS:
            self._run()
        else:
            self._arm()

    def in_turn(self, start: Callable[[], Any]) -> Any:
        """Return the value of a start, or a deferred function if there are others before it.

        The start is made in any case, also if the function is not polled.  Its exception is raised
        here, or by the function.
        """
        later = Later(start)
        self.put(_steps(later))
        return later.value() if later.is_made else later.function

    def _run(self) -> None:
        """Advance the generators until the time of this iteration of the loop is used."""
        clock = self._loop.clock
        began_at = clock.monotonic() - self._used_seconds
        self._is_running = True
        try:
            while self._items and self._used_seconds < MAX_SECONDS:
                self._advance()
                self._used_seconds = clock.monotonic() - began_at
        finally:
            self._is_running = False
            self._arm()
        if not self._items:
            self.drained.notify()

    def _advance(self) -> None:
        steps, context = self._items[0]
        try:
            context.run(next, steps)
        except StopIteration:
            self._items.popleft()

    def _arm(self) -> None:
        if not self._is_armed:
            self._is_armed = True
            self._loop.call_soon(self._end_iteration)

    def _end_iteration(self) -> None:
        """Go on in the next iteration of the loop: this one may have used its time already."""
        self._is_armed = False
        self._used_seconds = 0.0
        if self._items:
            self._is_armed = True
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._is_armed = False
        self._run()


def _steps(later: Later) -> Generator[None, None, None]:
    later.make()
    yield
