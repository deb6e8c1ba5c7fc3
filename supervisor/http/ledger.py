"""Memory that the clients of a server may make it hold all together (floor 5).

Each limit of `framing.Limits` holds for one request.  Clients that open many connections could
reach it on each of them, so what all of them hold has a limit too.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAX_RECEIVED_BYTES = 64 * 1024 * 1024
"""Bodies that are being received."""

MAX_UNSENT_BYTES = 128 * 1024 * 1024
"""Answers that clients have not read yet."""

MIN_COUNTED_BYTES = 128 * 1024
"""A connection that holds less is not counted: the number of connections bounds these."""


class Ledger:
    """Bytes by connection; those that have made no progress for the longest come first.

    When the sum exceeds `max_bytes` they are dropped by `evict`, but never the only one: a
    single answer may be larger.
    """

    def __init__(self, max_bytes: int, evict: Callable[[Any], None]) -> None:
        self._max_bytes = max_bytes
        self._evict = evict
        self._held: dict[Any, int] = {}
        self.total_bytes = 0

    def progressed(self, holder: Any, held_bytes: int) -> None:
        """Take note of what a connection holds now that it has received or sent something."""
        self.total_bytes -= self._held.pop(holder, 0)
        if held_bytes < MIN_COUNTED_BYTES:
            return
        self._held[holder] = held_bytes
        self.total_bytes += held_bytes
        while self.total_bytes > self._max_bytes and len(self._held) > 1:
            stalled = next(iter(self._held))
            self.total_bytes -= self._held.pop(stalled)
            self._evict(stalled)
