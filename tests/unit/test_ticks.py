"""TICK events: on the boundaries of wall time, and only while there is a subscriber."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from supervisor import events
from supervisor.daemon.ticks import Ticker
from tests.support.world import World

if TYPE_CHECKING:
    pass


@pytest.fixture(autouse=True)
def boundary(world: World) -> None:
    """Begin on a boundary of 5 seconds that is none of 60."""
    world.clock.set_wall(1_700_000_000.0)


def listen(event_type: type) -> list[Any]:
    heard: list[Any] = []
    events.subscribe(event_type, lambda event: heard.append(event.when))
    return heard


def test_boundaries_of_five_seconds(world: World) -> None:
    world.pass_time(2.5)
    heard = listen(events.Tick5Event)
    ticker = Ticker(world.runtime.loop, object())  # type: ignore[arg-type]
    for _ in range(10):
        world.pass_time(1)
    assert heard == [1_700_000_005, 1_700_000_010]
    ticker.stop()
    world.pass_time(10)
    assert len(heard) == 2


def test_a_minute_ticks_only_at_its_own_boundary(world: World) -> None:
    heard = listen(events.Tick60Event)
    ticker = Ticker(world.runtime.loop, object())  # type: ignore[arg-type]
    for _ in range(60):
        world.pass_time(1)
    assert heard == [1_700_000_040]
    ticker.stop()


def test_without_a_subscriber_nothing_is_due(world: World) -> None:
    ticker = Ticker(world.runtime.loop, object())  # type: ignore[arg-type]
    assert world.runtime.loop._poll_timeout(None) is None
    heard = listen(events.TickEvent)
    assert world.runtime.loop._poll_timeout(None) is not None
    world.pass_time(5)
    assert heard == [1_700_000_005]
    events.clear()
    assert world.runtime.loop._poll_timeout(None) is None
    ticker.stop()


def test_a_subscriber_that_raises_ends_no_ticks(world: World) -> None:
    """Neither the next ones, nor those of the other periods at the same moment."""

    def fail(event: object) -> None:
        raise RuntimeError(event)

    events.subscribe(events.Tick5Event, fail)
    heard = listen(events.TickEvent)
    ticker = Ticker(world.runtime.loop, object())  # type: ignore[arg-type]
    for _ in range(45):
        with contextlib.suppress(RuntimeError):  # what the daemon's loop logs
            world.pass_time(1)
    fives = [1_700_000_000 + seconds for seconds in range(5, 50, 5)]
    assert sorted(heard) == sorted([*fives, 1_700_000_040])
    ticker.stop()


def test_a_subscriber_may_leave_at_a_tick(world: World) -> None:
    """After the last one has, nothing is due."""
    heard = []

    def hear_once(event: Any) -> None:
        heard.append(event.when)
        events.unsubscribe(events.Tick5Event, hear_once)

    events.subscribe(events.Tick5Event, hear_once)
    ticker = Ticker(world.runtime.loop, object())  # type: ignore[arg-type]
    world.pass_time(5)
    assert heard == [1_700_000_005]
    assert world.runtime.loop._poll_timeout(None) is None
    ticker.stop()
