"""A pytest plugin for third parties' own tests: dummies of the original, for ours.

Those tests import dummies from `supervisor.tests.base`, a module of the original's test suite
that we do not ship.  It is taken from the environment of the reference: REFERENCE_DUMMIES names
the directory that holds it.  What the dummies fake in the original, which forks and looks for
commands through its options, is faked here where ours does it.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from functools import cache
from types import SimpleNamespace
from typing import Any

import supervisor
from supervisor.engine.posix import NotFound
from supervisor.options import ServerOptions
from supervisor.process import child, event_pools
from supervisor.process.plan import Launched
from supervisor.process.restarts import RestartPolicy
from supervisor.process.start_origin import StartOrigin

supervisor.__path__.append(os.environ["REFERENCE_DUMMIES"])

from supervisor.tests.base import DummyOptions, DummyProcess  # noqa: E402

pids = itertools.count(100_000)


@cache
def runtime() -> Any:
    """Return a loop that nobody turns, and what belongs to it."""
    return ServerOptions().runtime


class Buffer(deque[Any]):
    """A pool's buffer, which is a list in the original."""

    def pop(self, index: int = -1) -> Any:  # type: ignore[override]
        """Remove and return the first or the last event."""
        return super().pop() if index else self.popleft()


def resolve_command(config: Any) -> tuple[str, list[str]]:
    """Find every command but one, as the options' dummy does."""
    argv = config.command.split()
    if argv[0] == "/bad/filename":
        raise NotFound("bad filename")
    return argv[0], argv


for dummy in (DummyOptions, DummyProcess):
    dummy.runtime = property(lambda _: runtime())
DummyProcess.awaits_start = False
DummyProcess.is_plain = True
DummyProcess.starts = SimpleNamespace(
    held_by="",
    gate=None,
    is_waiting=False,
    is_queued=False,
    has_closed_gate=False,
    restarts=RestartPolicy(),
    origin=StartOrigin(),
)
child.launch = lambda _plan: Launched(next(pids))
child.resolve_command = resolve_command
event_pools.deque = Buffer
