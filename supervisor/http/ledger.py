"""Limit of the memory that all connections of a server hold together.

The limits of `framing.Limits` apply to one request.  A client that opens many connections could
reach them on each, so the total is limited too.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAX_RECEIVED_BYTES = 64 * 1024 * 1024
"""Limit of the bodies that are being received."""

MAX_UNSENT_BYTES = 128 * 1024 * 1024
"""Limit of the responses that clients have not read yet."""

MIN_COUNTED_BYTES = 128 * 1024
"""A connection that holds less is not counted: the number of connections bounds their sum."""


class Ledger:
    """Bytes held by each connection, in the order of their latest progress, oldest first.

    When the sum exceeds `max_bytes`, `evict` drops the oldest, but never the only one: a
    single response may be larger.
    """

    def __init__(self, max_bytes: int, evict: Callable[[Any], None]) -> None:
        self._max_bytes = max_bytes
        self._evict = evict
        self._held: dict[Any, int] = {}
        self.total_bytes = 0

    def progressed(self, holder: Any, held_bytes: int) -> None:
        """Record the bytes that a connection holds after it has received or sent something."""
        self.total_bytes -= self._held.pop(holder, 0)
        if held_bytes < MIN_COUNTED_BYTES:
            return
        self._held[holder] = held_bytes
        self.total_bytes += held_bytes
        while self.total_bytes > self._max_bytes and len(self._held) > 1:
            stalled = next(iter(self._held))
            self.total_bytes -= self._held.pop(stalled)
            self._evict(stalled)
