"""Handlers: objects that match requests and respond to them.

A server tries its handlers in order until one matches.  Ours are subclasses of `Handler`: they take
a request and return the response.  Those of plugins have medusa's interface: `handle_request` takes
a request, fills it with a response and calls its `done()`, at once or later.  `respond` calls both.
"""

from __future__ import annotations

from supervisor.http.plugin_request import PluginRequest
from supervisor.http.response import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from supervisor.http.request import Request
    from supervisor.http.response import Reply


class FailedAfterReply(Exception):
    """A plugin's handler has raised an exception after it had responded; `reply` is sent."""

    def __init__(self, reply: Reply) -> None:
        super().__init__("the response is sent all the same")
        self.reply = reply


class Handler:
    """A handler that returns responses."""

    def match(self, request: Request) -> bool:
        """Whether this handler serves the request; the body has not arrived yet."""
        raise NotImplementedError

    def respond(self, request: Request) -> Reply:
        """Return the response to a request, or a deferred one."""
        raise NotImplementedError

    def handle_request(self, request: PluginRequest) -> None:
        """Respond in medusa's way; plugins call, override and replace this method."""
        request.reply(self.respond(request))


class Gate(Handler):
    """A handler in front of others, which may refuse a request before its body is received."""

    def admit(self, request: Request) -> Any:
        """Return the handler behind this one, or the `Response` that refuses the request."""
        raise NotImplementedError

    def respond(self, request: Request) -> Reply:
        """Refuse the request, or pass it to the handler behind this one."""
        admitted = self.admit(request)
        return admitted if isinstance(admitted, Response) else respond(admitted, request)


def returns_responses(handler: Any) -> bool:
    """Whether `respond` of a handler is all there is to it: no plugin has changed the handler."""
    if not isinstance(handler, Handler):
        return False
    return getattr(handler.handle_request, "__func__", None) is Handler.handle_request


def admit(gate: Gate, request: Request) -> Any:
    """Return the handler that gets the request, or the `Response` that refuses it.

    A gate whose `handle_request` a plugin has changed gets the request itself.
    """
    admitted = gate.admit(request)
    return admitted if isinstance(admitted, Response) or returns_responses(gate) else gate


def respond(handler: Any, request: Request) -> Reply:
    """Return the response of a handler, ours or a plugin's, or a deferred one.

    Raises any exception of the handler, or `FailedAfterReply`.
    """
    if returns_responses(handler):
        reply: Reply = handler.respond(request)
        return reply
    filled = PluginRequest(request)
    try:
        handler.handle_request(filled)
    except Exception as error:
        if not filled.is_done:
            filled.abandon()
            raise
        raise FailedAfterReply(filled.take_reply()) from error
    return filled.take_reply()
