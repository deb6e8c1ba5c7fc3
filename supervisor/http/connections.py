"""Which connections a server keeps, and which one makes room for the next (floor 5).

Connections are grouped by origin: the host of a TCP client, the user of one on the unix socket.
When the server is full, the origin that has the most of them loses one, the oldest in which
nothing is being done for a client that is known.  So a flood pushes out itself, and one client of
another origin is always served.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from supervisor.http.channel import HTTPChannel


class Connections:
    """The connections of one server; at most `limit` as long as one can make room."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_origin: dict[str, dict[HTTPChannel, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[HTTPChannel]:
        for channels in list(self._by_origin.values()):
            yield from list(channels)

    @property
    def is_full(self) -> bool:
        """Whether a connection has to make room for the next one."""
        return self._count >= self._limit

    @property
    def has_excess(self) -> bool:
        """Whether there are more than the limit."""
        return self._count > self._limit

    def add(self, channel: HTTPChannel) -> None:
        """Take a new connection in."""
        self._by_origin.setdefault(channel.origin, {})[channel] = None
        self._count += 1

    def discard(self, channel: HTTPChannel) -> None:
        """Take note that a connection is closed."""
        channels = self._by_origin.get(channel.origin, {})
        if channel in channels:
            del channels[channel]
            self._count -= 1
            if not channels:
                del self._by_origin[channel.origin]

    def dispensable(self) -> HTTPChannel | None:
        """Return the connection to close for the next one, None if all are busy."""
        groups = sorted(self._by_origin.values(), key=len, reverse=True)
        return next((each for group in groups for each in group if each.is_dispensable), None)
