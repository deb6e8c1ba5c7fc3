"""Helpers and probes in a real loop, with real children that the test reaps."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from supervisor.engine import paths
from supervisor.engine.loop import Loop
from supervisor.process.helper_child import HelperChild
from tests.support.fds import nothing_left_open
from tests.support.turning import turn_until

SUCCESS = "success"


class Site:
    """A loop, a reaper, and the results that have been reported."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.results: list[str] = []
        self.children: dict[int, HelperChild] = {}
        self.environment = dict(os.environ)

    def spawn(self, argv: Sequence[str]) -> tuple[int, int]:
        """Start a child in a process group of its own; return its pid and output."""
        reader, writer = os.pipe()
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                process_group=0,
                env=self.environment,
            )
        except OSError:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        child.returncode = 0  # `reap` waits for it
        return child.pid, reader

    def register(self, pid: int, helper: HelperChild) -> None:
        """Reap a child."""
        self.children[pid] = helper

    def on_result(self, failure: str | None) -> None:
        """Take a result."""
        self.results.append(failure or SUCCESS)

    def reap(self) -> None:
        """Reap the children that have exited."""
        for pid in list(self.children):
            reaped, status = os.waitpid(pid, os.WNOHANG)
            if reaped:
                self.children.pop(pid).finish(pid, status)

    def turn_until(self, predicate: Callable[[], object]) -> None:
        """Turn the loop, and reap, until something is true."""

        def reached() -> object:
            self.reap()
            return predicate()

        turn_until(self.loop, reached)

    def wait(self) -> str:
        """Return the result that is reported next."""
        self.turn_until(lambda: self.results)
        return self.results.pop(0)

    def close(self) -> None:
        """Leave nothing."""
        for helper in self.children.values():
            helper.cancel()
        self.turn_until(lambda: not self.children)
        self.loop.close()


@contextmanager
def probing() -> Iterator[Site]:
    """A site; no descriptor and no child is left of it."""
    paths.mounts.slow_points()  # its fd stays open
    with nothing_left_open():
        site = Site()
        yield site
        site.close()
