"""Another user, who has no rights on this machine, for tests that run as root."""

from __future__ import annotations

import contextlib
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

UID = 65534

needs_root = pytest.mark.needs_root
"""For tests that act as another user or in a namespace; see `markers` in pyproject.toml."""


def give_away(*paths: Path) -> None:
    """Make files, directories and symlinks the other user's."""
    for path in paths:
        os.chown(path, UID, UID, follow_symlinks=False)


@contextlib.contextmanager
def acting(act: Callable[[], object], *, repeatedly: bool = False) -> Iterator[int]:
    """Call a function in a process of the other user; it lives until the block ends.

    The block begins when the function has been called once.
    """
    ready, told = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.setgroups([])
            os.setgid(UID)
            os.setuid(UID)
            act()
            os.write(told, b".")
            while repeatedly:
                act()
            signal.pause()
        except BaseException:  # noqa: BLE001 - the process must not run the tests
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(told)
    try:
        assert os.read(ready, 1), "the other user's process has failed"
        yield pid
    finally:
        os.close(ready)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
