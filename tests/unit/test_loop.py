"""The loop: timers, the soon-queue, channels, signals, containment of failures."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest

from supervisor.engine.loop import LONGEST_WAIT, Loop
from supervisor.poller import BOTH, READ, EpollPoller, PollPoller, SelectPoller
from tests.support.clock import FakeClock
from tests.support.world import StillPoller

if TYPE_CHECKING:
    from supervisor.poller import Poller


class Reader:
    """A channel that collects what it reads."""

    def __init__(self, loop: Loop, sock: socket.socket) -> None:
        self.loop = loop
        self.sock = sock
        self.wants = True
        self.got = b""
        self.errors = 0
        self.on_read: Callable[[], None] = lambda: None

    def fileno(self) -> int:
        return self.sock.fileno()

    def readable(self) -> bool:
        return self.wants

    def writable(self) -> bool:
        return False

    def handle_read_event(self) -> None:
        self.got += self.sock.recv(100)
        self.on_read()

    def handle_write_event(self) -> None:
        raise AssertionError("never writable")

    def handle_error(self) -> None:
        self.errors += 1
        self.close()

    def close(self) -> None:
        self.loop.unwatch(self)
        self.sock.close()


class RememberingPoller(StillPoller):
    """Remembers how long each wait was to last."""

    def __init__(self) -> None:
        self.waits: list[float | None] = []

    def poll(self, seconds: float | None) -> list[tuple[int, int]]:
        self.waits.append(seconds)
        return super().poll(seconds)


Still = tuple[Loop, FakeClock, RememberingPoller]


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def still() -> Iterator[Still]:
    """A loop whose clock is stopped, with nothing ever ready."""
    clock, poller = FakeClock(), RememberingPoller()
    made = Loop(clock, poller)
    yield made, clock, poller
    made.close()


def test_an_idle_loop_waits_without_a_timeout(still: Still) -> None:
    loop, _, poller = still
    loop.run_once()
    assert poller.waits == [None]


def test_a_timer_bounds_the_wait_and_fires_once_it_is_due(still: Still) -> None:
    loop, clock, poller = still
    fired: list[str] = []
    loop.call_later(0.05, lambda: fired.append("fired"))
    loop.run_once()
    assert poller.waits == [pytest.approx(0.05)]
    assert fired == []
    clock.advance(0.05)
    loop.run_once()
    loop.run_once()
    assert fired == ["fired"]
    assert poller.waits == [pytest.approx(0.05), 0, None]


def test_timers_fire_in_the_order_of_their_deadlines(still: Still) -> None:
    loop, clock, _ = still
    fired: list[int] = []
    for seconds in (3, 1, 2, 1):
        loop.call_later(seconds, lambda seconds=seconds: fired.append(seconds))  # type: ignore[misc]
    clock.advance(10)
    loop.run_once()
    assert fired == [1, 1, 2, 3]


def test_a_cancelled_timer_neither_fires_nor_bounds_the_wait(still: Still) -> None:
    loop, clock, poller = still
    fired: list[int] = []
    timer = loop.call_later(1, lambda: fired.append(1))
    timer.cancel()
    timer.cancel()
    loop.run_once()
    clock.advance(2)
    loop.run_once()
    assert fired == []
    assert poller.waits == [None, None]


def test_a_deadline_in_a_hundred_years_does_not_overflow(loop: Loop) -> None:
    loop.call_later(100 * 365 * 86_400, lambda: None)
    loop.call_later(float("inf"), lambda: None)
    loop.call_soon(lambda: None)
    loop.run_once()
    assert loop._poll_timeout(None) == LONGEST_WAIT


def test_an_infinite_deadline_is_waited_for_like_others(loop: Loop) -> None:
    loop.call_later(float("inf"), lambda: None)
    assert loop._poll_timeout(None) == LONGEST_WAIT


def test_a_long_wait_is_one_wait(still: Still) -> None:
    loop, clock, poller = still
    fired: list[int] = []
    loop.call_later(3600, lambda: fired.append(1))
    loop.run_once()
    assert poller.waits == [pytest.approx(3600)]
    clock.advance(3600)
    loop.run_once()
    assert fired == [1]


def test_a_timer_that_is_armed_again_while_timers_run_waits_for_the_next_turn(
    still: Still,
) -> None:
    """A deadline in the past, armed again and again, must not keep the loop from its channels."""
    loop, clock, _ = still
    fired: list[str] = []

    def again() -> None:
        fired.append("again")
        if len(fired) < 100:
            loop.call_at(clock.monotonic() - 6, again)

    loop.call_later(0, again)
    loop.call_later(0, lambda: fired.append("other"))
    loop.run_once()
    assert fired == ["again", "other"]
    loop.run_once()
    assert fired == ["again", "other", "again"]


def test_a_timer_that_is_cancelled_by_one_that_is_due_with_it_does_not_fire(still: Still) -> None:
    loop, clock, _ = still
    fired: list[int] = []
    later = loop.call_later(2, lambda: fired.append(2))
    loop.call_later(1, later.cancel)
    clock.advance(3)
    loop.run_once()
    assert fired == []


def test_cancelled_timers_do_not_pile_up_and_the_others_keep_their_order(still: Still) -> None:
    loop, clock, _ = still
    fired: list[int] = []
    for number in range(2000):
        loop.call_later(1000 - number % 10, lambda: fired.append(-1)).cancel()
        if number % 100 == 0:
            loop.call_later(100 - number / 100, lambda number=number: fired.append(number))  # type: ignore[misc]
        loop.run_once()
    assert len(loop._timers) < 200
    clock.advance(1000)
    loop.run_once()
    assert fired == list(range(1900, -1, -100))


def test_the_wall_clock_does_not_move_timers(still: Still) -> None:
    loop, clock, _ = still
    fired: list[int] = []
    loop.call_later(1, lambda: fired.append(1))
    clock.set_wall(clock.time() + 10_000)
    loop.run_once()
    assert fired == []


def test_what_is_queued_from_the_soon_queue_runs_on_the_next_turn(still: Still) -> None:
    loop, _, poller = still
    done: list[str] = []

    def first() -> None:
        done.append("first")
        loop.call_soon(lambda: done.append("second"))

    loop.call_soon(first)
    loop.run_once()
    assert done == ["first"]
    loop.run_once()
    assert done == ["first", "second"]
    assert poller.waits == [0, 0]


def test_a_failing_action_is_reported_and_the_others_run(loop: Loop) -> None:
    reported: list[str] = []
    loop.on_error = reported.append
    done: list[int] = []
    loop.call_soon(lambda: 1 // 0)
    loop.call_soon(lambda: done.append(1))
    loop.run_once()
    assert done == [1]
    assert len(reported) == 1


def test_a_channel_reads_what_arrives(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    reader = Reader(loop, pair[0])
    loop.watch(reader)
    pair[1].send(b"hello")
    loop.run_once(5)
    assert reader.got == b"hello"


def test_a_channel_that_is_not_readable_gets_no_event(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    reader = Reader(loop, pair[0])
    reader.wants = False
    loop.watch(reader)
    pair[1].send(b"hello")
    loop.run_once(0)
    assert reader.got == b""
    reader.wants = True
    loop.interest_changed(reader)
    loop.run_once(5)
    assert reader.got == b"hello"


def test_a_hung_up_channel_without_interest_does_not_spin(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    reader = Reader(loop, pair[0])
    reader.wants = False
    loop.watch(reader)
    pair[1].close()
    done: list[int] = []
    loop.call_later(0.02, lambda: done.append(1))
    turns = 0
    while not done:
        loop.run_once()
        turns += 1
    assert turns <= 3


def test_an_exception_closes_that_channel_only(loop: Loop) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    readers = [Reader(loop, ours) for ours, _ in pairs]
    readers[0].on_read = lambda: 1 // 0  # type: ignore[assignment, return-value]
    for reader, (_, theirs) in zip(readers, pairs, strict=True):
        loop.watch(reader)
        theirs.send(b"x")
    loop.run_once(5)
    assert readers[0].errors == 1
    assert readers[0].sock.fileno() == -1
    assert readers[1].got == b"x"
    for _, theirs in pairs:
        theirs.close()
    readers[1].close()


def test_an_fd_that_is_taken_over_within_a_turn_gets_no_stale_event(loop: Loop) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    readers = [Reader(loop, ours) for ours, _ in pairs]
    for reader, (_, theirs) in zip(readers, pairs, strict=True):
        loop.watch(reader)
        theirs.send(b"x")
    newcomers: list[Reader] = []

    def replace(me: int, other: int) -> Callable[[], None]:
        def action() -> None:
            if readers[other].sock.fileno() != -1:
                number = readers[other].fileno()
                readers[other].close()
                ours, theirs = socket.socketpair()
                if ours.fileno() != number:
                    os.dup2(ours.fileno(), number, inheritable=False)
                    ours.close()
                    ours = socket.socket(fileno=number)
                pairs.append((ours, theirs))
                newcomer = Reader(loop, ours)
                newcomers.append(newcomer)
                loop.watch(newcomer)
            readers[me].close()

        return action

    readers[0].on_read = replace(0, 1)
    readers[1].on_read = replace(1, 0)
    loop.run_once(5)
    assert len(newcomers) == 1
    assert newcomers[0].errors == 0
    assert newcomers[0].got == b""
    newcomers[0].close()
    for _, theirs in pairs:
        theirs.close()


def test_a_signal_ends_the_wait_and_is_handled_after_io(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    order: list[str] = []
    reader = Reader(loop, pair[0])
    reader.on_read = lambda: order.append("io")
    loop.watch(reader)
    loop.on_signals = lambda: order.append(f"signal {loop.next_signal()}")
    before = signal.getsignal(signal.SIGUSR1)
    try:
        loop.catch_signals(signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
        pair[1].send(b"x")
        loop.run_once(5)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert order == ["io", f"signal {int(signal.SIGUSR1)}"]
    assert loop.next_signal() is None


def test_another_thread_can_wake_the_loop(loop: Loop) -> None:
    done: list[int] = []
    asleep = threading.Event()

    def call() -> None:
        asleep.wait(5)
        loop.call_soon(lambda: done.append(1))

    thread = threading.Thread(target=call)
    thread.start()
    loop.call_soon(asleep.set)
    loop.run_once(5)
    while not done:
        loop.run_once(5)
    thread.join()
    assert done == [1]


@pytest.mark.parametrize("make", [EpollPoller, PollPoller, SelectPoller])
class TestPollers:
    """All pollers agree."""

    def test_readiness(self, make: Callable[[], Poller]) -> None:
        poller = make()
        read_end, write_end = os.pipe()
        try:
            poller.set(read_end, READ)
            assert poller.poll(0) == []
            os.write(write_end, b"x")
            assert poller.poll(5) == [(read_end, READ)]
            poller.set(read_end, 0)
            assert poller.poll(0) == []
            poller.set(read_end, READ)
            os.close(write_end)
            ready = dict(poller.poll(5))
            assert ready[read_end] & READ
        finally:
            os.close(read_end)
            poller.close()

    def test_a_hang_up_is_read(self, make: Callable[[], Poller]) -> None:
        loop, said = Loop(poller=make()), []
        read_end, write_end = os.pipe()
        reader = Mock(fileno=lambda: read_end, writable=lambda: False)
        reader.handle_read_event = lambda: said.append(os.read(read_end, 1))
        loop.watch(reader)
        os.close(write_end)
        loop.run_once(5)
        assert said == [b""]
        loop.unwatch(reader)
        os.close(read_end)
        loop.close()

    def test_both_directions(self, make: Callable[[], Poller]) -> None:
        poller = make()
        ours, theirs = socket.socketpair()
        try:
            poller.set(ours.fileno(), BOTH)
            theirs.send(b"x")
            assert poller.poll(5) == [(ours.fileno(), BOTH)]
        finally:
            ours.close()
            theirs.close()
            poller.close()
