"""A child without a process: the test holds its ends of the pipes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from supervisor.process import child
from supervisor.process.plan import Launched

if TYPE_CHECKING:
    import pytest

    from supervisor.process.child import Subprocess
    from supervisor.process.plan import SpawnPlan
    from tests.support.world import World


class Child:
    """A started process whose other ends of the pipes are in the hands of the test."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        self.world = world
        self.fds: dict[str, int] = {}

        def launch(plan: SpawnPlan) -> Launched:
            for name in ("stdin", "stdout", "stderr"):
                self.fds[name] = os.dup(getattr(plan, name))
            return Launched(4711)

        monkeypatch.setattr(child, "launch", launch)
        self.process: Subprocess = world.process(**options)
        self.process.spawn()

    def write(self, data: bytes, channel: str = "stdout") -> None:
        """Write to stdout or stderr, as the child would, and let the daemon read it."""
        os.write(self.fds[channel], data)
        self.world.runtime.loop.run_once(1)

    def close(self) -> None:
        """Close the child's ends."""
        for fd in self.fds.values():
            os.close(fd)
        self.fds = {}

    def die(self) -> None:
        """End the child; the daemon has not yet looked at its last output."""
        self.close()
        self.process.finish(4711, 0)
