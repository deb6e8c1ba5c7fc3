"""A listener of a followed log that records its callbacks."""

# ruff: noqa: ARG002 - a listener gets the URL each time

from __future__ import annotations

import threading
from collections.abc import Callable

from supervisor.http_client import Listener


class Recorder(Listener):
    """Records its callbacks; sets `fed` at the first bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[object, ...]] = []
        self._parts: list[bytes] = []
        self.fed = threading.Event()
        self.on_feed: Callable[[], object] = lambda: None

    @property
    def data(self) -> bytes:
        """All bytes of the body."""
        return b"".join(self._parts)

    def status(self, url: str, status: int) -> None:
        self.told.append(("status", status))

    def error(self, url: str, error: str) -> None:
        self.told.append(("error", url, error))

    def response_header(self, url: str, name: str, value: str) -> None:
        self.told.append(("header", name, value))

    def feed(self, url: str, data: bytes) -> None:
        self.told.append(("feed", data))
        self._parts.append(data)
        self.fed.set()
        self.on_feed()

    def done(self, url: str) -> None:
        self.told.append(("done",))

    def close(self, url: str) -> None:
        self.told.append(("close",))
