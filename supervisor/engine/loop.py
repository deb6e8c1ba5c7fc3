"""The event loop: fds, timers, signals and a queue of actions to run soon.

It knows nothing about supervision.  Channels notify it when their interest in an fd has changed,
and one function updates the poller.  Deadlines are timers in a heap.  An idle loop sleeps without
a timeout and makes no system call at all.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import signal
import socket
import time as _time
from collections import deque
from collections.abc import Callable

from supervisor.poller import BOTH, ERROR_MASK, READ, WRITE, best_poller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from supervisor.poller import Poller

    class Channel(Protocol):
        """One fd in the loop, in asyncore's vocabulary (see docs/development.md)."""

        def fileno(self) -> int:
            """Return the fd; it stays the same from `watch` to `unwatch`."""

        def readable(self) -> bool:
            """Whether the channel wants to read now."""

        def writable(self) -> bool:
            """Whether the channel wants to write now."""

        def handle_read_event(self) -> None:
            """Read the available bytes; the fd may not be ready after all."""

        def handle_write_event(self) -> None:
            """Write as much as the fd accepts."""

        def handle_error(self) -> None:
            """Log the exception being handled and close this channel only."""

        def close(self) -> None:
            """Remove the channel from the loop and close the fd; closing twice is harmless."""


Action = Callable[[], object]

LONGEST_WAIT = 86_400.0
"""Upper bound of one wait: a poller's milliseconds must fit into 32 bits.  In seconds."""

MAX_CANCELLED_TIMERS = 64
"""Cancelled timers, beyond the number of active ones, that may be in the heap."""


class Clock:
    """The only place that reads time.

    `time` is for display and follows the system's clock.  `monotonic` is for every deadline, so
    that setting the clock back does not stall anything.  Both are in seconds.
    """

    time = staticmethod(_time.time)
    monotonic = staticmethod(_time.monotonic)


class Timer:
    """A deadline on the monotonic clock; made by `Loop.call_later`."""

    __slots__ = ("action", "when")

    def __init__(self, when: float, action: Action) -> None:
        self.when = when
        self.action: Action | None = action

    def cancel(self) -> None:
        """Never call the action; cancelling twice, or too late, is harmless."""
        self.action = None


class Loop:
    """Runs channels, timers, signals and the soon-queue in one thread."""

    def __init__(
        self,
        clock: Clock | None = None,
        poller: Poller | None = None,
        on_error: Callable[[str], None] | None = None,
        signals: deque[int] | None = None,
    ) -> None:
        """Create a loop; `signals` is the queue of caught signals, if it outlives the loop."""
        self.clock = clock or Clock()
        self.on_error = on_error or _reraise
        self.on_signals: Action = lambda: None
        self._poller = poller or best_poller()
        self._channels: dict[int, Channel] = {}
        self._interest: dict[int, int] = {}
        self._changed: dict[int, None] = {}
        self._added_this_turn: set[int] = set()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._max_timers = MAX_CANCELLED_TIMERS
        self._soon: deque[Action] = deque()
        self._signals: deque[int] = deque() if signals is None else signals
        self._asleep = False
        self._wakeup = _Wakeup()
        self.watch(self._wakeup)

    # -- channels -------------------------------------------------------------

    def watch(self, channel: Channel) -> None:
        """Add a channel and query its interest."""
        fd = channel.fileno()
        self._channels[fd] = channel
        self._added_this_turn.add(fd)
        self._changed[fd] = None
        self._wake_if_asleep()

    def interest_changed(self, channel: Channel) -> None:
        """Query the channel's interest again before the next wait."""
        self._changed[channel.fileno()] = None
        self._wake_if_asleep()

    def unwatch(self, channel: Channel) -> None:
        """Remove a channel; call this before its fd is closed."""
        fd = channel.fileno()
        if self._channels.get(fd) is channel:
            del self._channels[fd]
            self._changed.pop(fd, None)
            if self._interest.pop(fd, 0):
                self._poller.set(fd, 0)

    def _sync_interest(self) -> None:
        """Update the poller to the interest of the channels."""
        while self._changed:
            fd, _ = self._changed.popitem()
            channel = self._channels.get(fd)
            if channel is None:
                continue
            try:
                interest = (READ if channel.readable() else 0) | (
                    WRITE if channel.writable() else 0
                )
                self._poller.set(fd, interest)
                self._interest[fd] = interest
            except Exception:  # noqa: BLE001 - one broken channel must not end the loop
                self._on_channel_error(channel)

    # -- timers and the soon-queue --------------------------------------------

    def call_soon(self, action: Action) -> None:
        """Run `action` at the end of this iteration; an action that calls this, of the next one."""
        self._soon.append(action)
        self._wake_if_asleep()

    def call_later(self, seconds: float, action: Action) -> Timer:
        """Run `action` once, `seconds` from now (at once if that is not positive)."""
        return self.call_at(self.clock.monotonic() + seconds, action)

    def call_at(self, when: float, action: Action) -> Timer:
        """Run `action` once, at a time of the monotonic clock (at once if it is past)."""
        timer = Timer(when, action)
        heapq.heappush(self._timers, (timer.when, next(self._order), timer))
        self._wake_if_asleep()
        return timer

    @property
    def is_settled(self) -> bool:
        """Whether nothing is due in the next iteration that the loop knows of."""
        return not self._soon and not self._signals

    def _drop_cancelled(self) -> None:
        """Drop cancelled timers: each connection leaves one that would be due much later.

        Timers that another thread pushes meanwhile are kept, because the list is never replaced.
        """
        timers = self._timers
        entries = [heapq.heappop(timers) for _ in range(len(timers))]
        for entry in entries:
            if entry[2].action is not None:
                heapq.heappush(timers, entry)
        self._max_timers = 2 * len(timers) + MAX_CANCELLED_TIMERS

    def _run_timers(self) -> None:
        """Run the timers that are due now; timers armed by them wait for the next iteration.

        Otherwise a timer that rearms itself for a time in the past would starve the channels.
        """
        timers, due = self._timers, []
        now = self.clock.monotonic()
        while timers and timers[0][0] <= now:
            due.append(heapq.heappop(timers)[2])
        for timer in due:
            if timer.action is not None:  # else cancelled, perhaps by another timer
                action, timer.action = timer.action, None
                self._do(action)

    def _run_soon(self) -> None:
        for _ in range(len(self._soon)):
            self._do(self._soon.popleft())

    def _do(self, action: Action) -> None:
        try:
            action()
        except Exception:  # noqa: BLE001 - one failing action must not end the loop
            self.on_error(f"uncaptured python exception in {action!r}")

    # -- signals --------------------------------------------------------------

    def catch_signals(self, *signals: int) -> None:
        """Queue these signals for `next_signal`; the next iteration calls `on_signals`."""
        signal.set_wakeup_fd(self._wakeup.sender.fileno(), warn_on_full_buffer=False)
        for signum in signals:
            signal.signal(signum, lambda caught, _frame: self._signals.append(caught))

    def next_signal(self) -> int | None:
        """Take the oldest signal from the queue; return None if there is none."""
        return self._signals.popleft() if self._signals else None

    def _wake_if_asleep(self) -> None:
        """Wake the loop if another thread calls, as plugins do: the loop may be asleep then."""
        if self._asleep:
            self._wakeup.wake()

    # -- running --------------------------------------------------------------

    def run_once(self, longest: float | None = None) -> None:
        """Wait once, for at most `longest` seconds, then run everything that is due.

        I/O is handled before signals: the last output of a dead child is read before its death is
        reported.
        """
        if self._changed:
            self._sync_interest()
        if self._added_this_turn:
            self._added_this_turn.clear()
        self._asleep = True
        try:
            ready = self._poller.poll(self._poll_timeout(longest))
        finally:
            self._asleep = False
        for fd, mask in ready:
            if fd not in self._added_this_turn:
                self._dispatch(fd, mask)
        if self._signals:
            self._do(self.on_signals)
        if self._timers and self._timers[0][0] <= self.clock.monotonic():
            self._run_timers()
        if self._soon:
            self._run_soon()

    def _poll_timeout(self, longest: float | None) -> float | None:
        if self._soon or self._signals:
            return 0
        timers = self._timers
        if len(timers) > self._max_timers:
            self._drop_cancelled()
        while timers and timers[0][2].action is None:
            heapq.heappop(timers)
        if not timers:
            return longest
        remaining = timers[0][0] - self.clock.monotonic()
        if longest is None or longest > LONGEST_WAIT:
            longest = LONGEST_WAIT
        return longest if remaining > longest else max(remaining, 0)

    def _dispatch(self, fd: int, mask: int) -> None:
        channel = self._channels.get(fd)
        if channel is None:
            return
        if mask & ERROR_MASK:
            mask = BOTH
        mask &= self._interest.get(fd, 0)
        try:
            if mask & READ:
                channel.handle_read_event()
            if mask & WRITE and self._channels.get(fd) is channel:
                channel.handle_write_event()
        except Exception:  # noqa: BLE001 - one failing channel must not end the loop
            self._on_channel_error(channel)

    def _on_channel_error(self, channel: Channel) -> None:
        try:
            channel.handle_error()
        except Exception:  # noqa: BLE001 - `handle_error` itself may fail
            self.on_error(f"uncaptured python exception in {channel!r}")
            self.unwatch(channel)

    def close(self) -> None:
        """Release all resources; channels are removed, not closed."""
        signal.set_wakeup_fd(-1)
        self.unwatch(self._wakeup)
        self._wakeup.close()
        self._poller.close()


class _Wakeup:
    """The socket pair by which a signal or another thread ends a wait."""

    def __init__(self) -> None:
        self._receiver, self.sender = socket.socketpair()
        self._receiver.setblocking(False)
        self.sender.setblocking(False)

    def fileno(self) -> int:
        return self._receiver.fileno()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: the loop is about to wake up anyway
            self.sender.send(b"\0")

    def handle_read_event(self) -> None:
        with contextlib.suppress(BlockingIOError):  # an earlier iteration has emptied it
            self._receiver.recv(4096)

    def handle_write_event(self) -> None:
        raise AssertionError("the wakeup channel never writes")

    def handle_error(self) -> None:
        raise  # noqa: PLE0704 - called while the exception is being handled

    def close(self) -> None:
        self._receiver.close()
        self.sender.close()


def _reraise(_message: str) -> None:
    raise  # noqa: PLE0704 - called while the exception is being handled
