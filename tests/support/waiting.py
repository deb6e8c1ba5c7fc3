"""Waiting for something to become true, with a deadline: tests never just sleep."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE_SECONDS = 0.01


class NeverHappenedError(AssertionError):
    """What a test waited for did not become true in time."""


def wait_until(
    predicate: Callable[[], T],
    seconds: float = 10,
    what: str | Callable[[], str] = "",
) -> T:
    """Ask `predicate` every 10 ms until its answer is true; return that answer.

    `what` says what was waited for; a function is called when the wait fails, so that it
    can tell what is there instead.  Raises `NeverHappenedError` after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not (answer := predicate()):
        if time.monotonic() > deadline:
            said = what() if callable(what) else what or _source(predicate)
            raise NeverHappenedError(f"not within {seconds} s: {said} (last answer: {answer!r})")
        time.sleep(PAUSE_SECONDS)
    return answer


def _source(predicate: Callable[[], object]) -> str:
    try:
        return inspect.getsource(predicate).strip()
    except (OSError, TypeError):
        return repr(predicate)
