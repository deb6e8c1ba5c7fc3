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

from supervisor.engine.deferred import Notifier

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from supervisor.engine.loop import Loop

MAX_SECONDS = 0.01
"""Time for starts in one iteration of the loop, in seconds; a step in progress is completed."""


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
