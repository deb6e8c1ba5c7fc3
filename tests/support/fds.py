"""Fds of the test process: what a test opens, it closes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def open_fds() -> list[str]:
    """Return the numbers of the open fds, the one of this listing included."""
    return sorted(os.listdir("/proc/self/fd"))


@contextmanager
def nothing_left_open() -> Iterator[None]:
    """Check that the block leaves the fds as they were."""
    before = open_fds()
    yield
    assert open_fds() == before
