"""Connections of a server, and the choice of the one that makes room for the next (floor 5).

Connections are grouped by origin: the host of a TCP client, the user of one on the unix socket.
When the server is full, the origin that has the most of them loses one, the oldest in which
nothing is being done for a client that is known.  So a flood pushes out itself, and one client of
another origin is always served.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.http.channel import HTTPChannel


class Connections(dict["HTTPChannel", None]):
    """The connections of one server, oldest first; at most `limit` if one can make room."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    @property
    def is_full(self) -> bool:
        """Whether a connection has to make room for the next one."""
        return len(self) >= self._limit

    @property
    def has_excess(self) -> bool:
        """Whether there are more than the limit."""
        return len(self) > self._limit

    def dispensable(self) -> HTTPChannel | None:
        """Return the connection to close for the next one, None if all are busy."""
        sizes: dict[str, int] = {}
        for channel in self:
            sizes[channel.client.origin] = sizes.get(channel.client.origin, 0) + 1
        candidates = [channel for channel in self if channel.is_dispensable]
        return max(candidates, key=lambda channel: sizes[channel.client.origin], default=None)
