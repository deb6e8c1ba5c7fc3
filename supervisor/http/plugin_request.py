"""A request in the vocabulary of medusa, for the handlers and views of plugins.

They read `command`, `uri`, `header` and `body`, set header fields of the response with
`request["Name"] = value`, `push` the body and end with `done()` or `error(code)`, at once
or later.  The result is a `Response`, so that the HTTP server knows only one kind of handler.
"""

from __future__ import annotations

from supervisor.engine.deferred import NOT_DONE_YET, Notifier, deferred
from supervisor.http import http1
from supervisor.http.bodies import close_part
from supervisor.http.request import Request
from supervisor.http.response import DeferredReply, Response, error_response, field_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from supervisor.config.model import ServerConfig
    from supervisor.http.bodies import Part
    from supervisor.http.peer import Peer
    from supervisor.http.response import Incident, Reply


class RequestChannel:
    """The part of a connection that plugins read: the client and the server's configuration."""

    def __init__(self, client: Peer, server: ServerConfig) -> None:
        self.client = client
        self.peer = client.name
        self.server = server


class PluginRequest(Request):
    """A request, and the response that a plugin makes to it."""

    responses: Final = http1.RESPONSES

    def __init__(self, request: Request) -> None:
        """Copy a request; the response is empty."""
        self.__dict__.update(request.__dict__)
        self.header = list(request.header)
        self.request = request.request_line
        self.channel: Any = RequestChannel(request.peer, request.server)
        self.reply_code = 200
        self.reply_headers: dict[str, str] = {}
        self.outgoing: list[Part] = []
        self._incident: Incident | None = None
        self._reply: Reply | None = None
        self._reply_parts = 0
        self._is_abandoned = False
        self._done = Notifier()

    # -- medusa's interface -------------------------------------------------------

    def __setitem__(self, name: str, value: object) -> None:
        """Set a header field of the response; raises `ValueError` for a value with a line break."""
        self.reply_headers[name] = field_value(name, value)

    def __getitem__(self, name: str) -> str:
        return self.reply_headers[name]

    def has_key(self, name: str) -> bool:
        """Whether a header field of the response has been set."""
        return name in self.reply_headers

    __contains__ = has_key

    def push(self, part: str | Part) -> None:
        """Add to the body: bytes, text (sent as UTF-8) or a producer."""
        self.outgoing.append(part.encode() if isinstance(part, str) else part)

    def error(self, code: int, message: str | None = None) -> None:
        """Respond with an error page; discard the body pushed so far."""
        self._drop_body()
        self.reply_headers.pop("Transfer-Encoding", None)
        self.reply(error_response(code, message, self.reply_headers))

    def done(self) -> None:
        """Respond; without effect if there is a response already, or the client has left."""
        if self.is_done or self._is_abandoned:
            self._close_body()
        else:
            self._set_reply(
                Response(
                    self.reply_code,
                    self.reply_headers.copy(),
                    self.outgoing.copy(),
                    self._incident,
                )
            )

    # -- interface to our handlers ------------------------------------------------

    @property
    def is_done(self) -> bool:
        """Whether there is a response."""
        return self._reply is not None

    def reply(self, reply: Reply) -> None:
        """Respond with what one of our handlers has returned."""
        if isinstance(reply, DeferredReply):
            self._set_reply(reply)
            return
        if "Content-Length" in reply.fields:  # the length of the new body alone
            self._drop_body()
        self.reply_code = reply.status
        self.reply_headers |= reply.fields
        self.outgoing += reply.parts
        self._incident = reply.incident
        self.done()

    def take_reply(self) -> Reply:
        """Return the response, or one that is deferred until `done()` is called."""
        if self._reply is not None:
            return self._reply
        return DeferredReply(
            deferred(self._poll, wake_sources=[self._done]),
            on_result=lambda reply: reply,
            on_error=lambda _error: error_response(500),
            on_cancel=self.abandon,
        )

    def abandon(self) -> None:
        """Close what has been pushed: no response is sent any more."""
        self._is_abandoned = True
        self._reply_parts = 0
        self._close_body()

    def _poll(self) -> Any:
        return NOT_DONE_YET if self._reply is None else self._reply

    def _set_reply(self, reply: Reply) -> None:
        self._reply = reply
        self._reply_parts = len(self.outgoing)
        self._done.notify()

    def _close_body(self) -> None:
        """Close what has been pushed and is not part of the response."""
        for part in self.outgoing[self._reply_parts :]:
            close_part(part)

    def _drop_body(self) -> None:
        self._close_body()
        del self.outgoing[self._reply_parts :]
