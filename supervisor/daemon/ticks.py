"""TICK events on the boundaries of wall-clock time, while they have subscribers."""

from __future__ import annotations

from functools import partial

from supervisor import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from supervisor.engine.loop import Loop, Timer
    from supervisor.process.daemon_protocol import Daemon

SHORTEST_PERIOD = min(event_type.period for event_type in events.TICK_EVENTS)


class Ticker:
    """Wakes at each boundary of the shortest period; sleeps while there are no subscribers."""

    def __init__(self, loop: Loop, supervisord: Daemon) -> None:
        self._loop = loop
        self._supervisord = supervisord
        self._last: dict[int, int] = {}
        self._timer: Timer | None = None
        self.arm()

    def arm(self) -> None:
        """Set the timer if there is a subscriber; called after each change of the subscriptions."""
        events.subscriptions_changed.add(self.arm)
        wanted = any(events.has_subscribers(event_type) for event_type in events.TICK_EVENTS)
        if wanted and self._timer is None:
            self.tick()
        elif not wanted and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def snapshot(self) -> list[list[int]]:
        """Return the last tick of each period as JSON values."""
        return [list(each) for each in self._last.items()]

    def restore(self, saved: Iterable[Iterable[int]]) -> None:
        """Take over a state that `snapshot` has returned: what has begun since then is notified."""
        self._last.update((period, begun) for period, begun in saved)
        if self._timer is not None:
            self._timer.cancel()
            self.tick()

    def stop(self) -> None:
        """Cancel the timer when the daemon exits."""
        events.subscriptions_changed.discard(self.arm)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def tick(self) -> None:
        """Set the timer, then notify of the periods that have begun since the last tick.

        Each event is sent separately, so that the loop logs the errors of its subscribers.
        """
        now = self._loop.clock.time()
        self._timer = self._loop.call_later(SHORTEST_PERIOD - now % SHORTEST_PERIOD, self.tick)
        for event_type in events.TICK_EVENTS:
            period = event_type.period
            begun = int(now - now % period)
            if begun != self._last.setdefault(period, begun):
                self._last[period] = begun
                event = event_type(begun, self._supervisord)
                self._loop.call_soon(partial(events.notify, event))
