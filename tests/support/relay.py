"""A relay between clients and a daemon that ends connections as a daemon does that executes itself.

Its own socket listens all the time, so the next connection is accepted at once.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Relay:
    """Accepts connections at one unix socket and passes their bytes to another."""

    def __init__(self, path: Path, target: Path) -> None:
        self.connections = 0
        self._target = str(target)
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen(100)
        self._copying: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def close(self) -> None:
        """End all connections and threads."""
        _shut(self._listening)
        self._accepting.join()
        self.cut()
        for thread in self._copying:
            thread.join()
        for each in (self._listening, *self._sockets):
            each.close()

    def cut(self) -> None:
        """End all connections."""
        with self._lock:
            for each in self._sockets:
                _shut(each)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                with self._lock:
                    self._sockets += [client, server]
                    self.connections += 1
                for pair in ((client, server), (server, client)):
                    thread = threading.Thread(target=_copy, args=pair)
                    thread.start()
                    self._copying.append(thread)


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Pass bytes on until one of the connections ends; then end both."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    _shut(source)
    _shut(target)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def relaying(path: Path, target: Path) -> Iterator[Relay]:
    """Relay from one unix socket to another until the block ends."""
    relay = Relay(path, target)
    try:
        yield relay
    finally:
        relay.close()
