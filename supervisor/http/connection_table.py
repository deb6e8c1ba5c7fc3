"""Connections of a server, and the choice of the one to close when it is full.

Connections are grouped by origin: the host of a TCP client, the user of one on the unix socket.
When the server is full, the origin with the most connections loses one: the oldest that does no
work for a client that has logged in.  So a flood displaces its own connections, and a client of
another origin is always served.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.http.connection import HTTPChannel


class Connections(dict["HTTPChannel", None]):
    """The connections of one server, oldest first; at most `limit` unless all are busy."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    @property
    def is_full(self) -> bool:
        """Whether a connection must be closed before the next one is accepted."""
        return len(self) >= self._limit

    @property
    def has_excess(self) -> bool:
        """Whether there are more connections than the limit."""
        return len(self) > self._limit

    def dispensable(self) -> HTTPChannel | None:
        """Return the connection to close, None if all are busy."""
        sizes: dict[str, int] = {}
        for channel in self:
            sizes[channel.client.origin] = sizes.get(channel.client.origin, 0) + 1
        candidates = [channel for channel in self if channel.is_dispensable]
        return max(candidates, key=lambda channel: sizes[channel.client.origin], default=None)
