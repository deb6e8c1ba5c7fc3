"""Daemons that listen on TCP too, with a password, as foreign clients want it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from tests.conformance.harness import Pair, ours, reference, temporary_directory
from tests.support.daemon import OURS, Daemon, Implementation

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


def free_port() -> int:
    """Return a TCP port that nobody listens on; the reference cannot choose one itself."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
