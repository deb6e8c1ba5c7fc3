"""Daemons that listen on TCP too, with a password, as foreign clients want it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.comparison import Pair, ours, reference, temporary_directory
from tests.support.daemon import OURS, Daemon, Implementation
from tests.support.ports import free_port

USER, PASSWORD = "operator", "s3cret"


class GuardedDaemon(Daemon):
    """A daemon with a server on `port` of 127.0.0.1 that wants USER and PASSWORD."""

    def __init__(
        self, directory: Path, config: str = "", *, implementation: Implementation = OURS
    ) -> None:
        self.port = free_port()
        super().__init__(directory, config, implementation=implementation)

    def write_config(self, config: str) -> None:
        """Replace the configuration file; the server on TCP is added."""
        server = f"port=127.0.0.1:{self.port}\nusername={USER}\npassword={PASSWORD}\n"
        super().write_config(f"{config}\n[inet_http_server]\n{server}")


@contextmanager
def guarded_pair(config: str) -> Iterator[Pair]:
    """Start both on a configuration."""
    with ExitStack() as stack:
        daemons = []
        for implementation in (reference(), ours()):
            directory = stack.enter_context(temporary_directory())
            daemons.append(GuardedDaemon(directory, config, implementation=implementation))
            stack.callback(daemons[-1].kill)
        with ThreadPoolExecutor(len(daemons)) as pool:
            list(pool.map(Daemon.start, daemons))
        yield Pair(*daemons)
