"""Turning a real loop until something has happened in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from supervisor.engine.loop import Loop
from tests.support.waiting import wait_until

T = TypeVar("T")


def turn_until(loop: Loop, predicate: Callable[[], T], seconds: float = 10) -> T:
    """Turn the loop until `predicate` is true; return its answer."""

    def reached() -> T:
        loop.run_once(0.01)
        return predicate()

    return wait_until(reached, seconds)


def turn_all(loop: Loop) -> None:
    """Handle what is pending, for sockets and pipes that nothing else writes to."""
    for _ in range(3):
        loop.run_once(0)
