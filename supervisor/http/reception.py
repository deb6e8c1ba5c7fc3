"""Input of one connection: bytes in, requests out, each with the handler that serves it.

The handler is chosen when the header has arrived, so that a request can be refused before its
body is received.
"""

from __future__ import annotations

from supervisor.http import http1
from supervisor.http.handling import Gate, admit
from supervisor.http.request import Request
from supervisor.http.response import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from supervisor.config.model import ServerConfig
    from supervisor.http.framing import Limits
    from supervisor.http.peer import Peer

    class Routes(Protocol):
        """The part of a server that chooses handlers."""

        config: ServerConfig
        limits: Limits

        def handler_for(self, request: Request) -> Any:
            """Return the first handler that matches a request, or None."""


NO_HEAD = http1.Head("-", "-", "1.1", (), {}, 0, keep_alive=False, expects_continue=False)
"""Placeholder for a request that could not be parsed."""


class Reception:
    """Parser of one connection, and the request that is being received."""

    def __init__(self, routes: Routes, peer: Peer) -> None:
        self._routes = routes
        self._peer = peer
        self._parser = http1.RequestParser(routes.limits)
        self._request: Request | None = None
        self._handler: Any = None
        self.is_admitted = False
        """Whether a gate has let the request being received pass: the client has logged in."""
        self.has_ended = False
        """Whether the client has closed its side of the connection."""

    @property
    def pending_bytes(self) -> int:
        """Number of bytes that have arrived and have not become a request."""
        return self._parser.pending

    @property
    def is_idle(self) -> bool:
        """Whether the client is not in the middle of a request."""
        return self._parser.is_idle

    @property
    def has_begun(self) -> bool:
        """Whether part of a request has arrived."""
        return self._request is not None or self._parser.pending > 0

    def feed(self, data: bytes) -> None:
        """Add bytes that have arrived."""
        self._parser.feed(data)

    def discard(self) -> None:
        """Free the buffer: its request has been refused."""
        self._parser.discard()

    def next_request(self, send: Callable[[bytes], None]) -> tuple[Request, Any] | None:
        """Return the next request, and its handler or the `Response` that refuses it.

        None means that more bytes are needed.  `send` sends "100 Continue" to a client that waits
        for it.  Raises `BadRequest`, and any exception of a handler; then `take_partial` returns
        the request.
        """
        while (event := self._parser.next_event()) is not None:
            if isinstance(event, bytes):
                request = self.take_partial()
                request.body = event
                return request, self._handler
            handler = self._choose(event)
            if isinstance(handler, Response):
                return self.take_partial(), handler
            self._handler = handler
            if event.expects_continue and self._parser.awaits_body:
                send(http1.CONTINUE)
        return None

    def _choose(self, head: http1.Head) -> Any:
        self._request = request = Request(head, self._peer, self._routes.config)
        handler = self._routes.handler_for(request)
        self.is_admitted = isinstance(handler, Gate)
        return admit(handler, request) if self.is_admitted else handler

    def take_partial(self) -> Request:
        """Return the request being received, or a placeholder, and forget it."""
        request, self._request = self._request, None
        return request or Request(NO_HEAD, self._peer, self._routes.config)
