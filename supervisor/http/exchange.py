"""One request and its response, from the handler to the last byte.

The response is a value; an exchange frames it, sends it, and polls what is not known yet: the
response itself if it is deferred, and then the next part of a body that is produced step by
step.
"""

from __future__ import annotations

import time
from functools import partial

from supervisor.common.requester import context_of
from supervisor.http.handling import FailedAfterReply, respond
from supervisor.http.polling import Poller
from supervisor.http.response import DeferredReply, Response, error_response, frame
from supervisor.loggers import LevelsByName, exception_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from supervisor.engine.loop import Loop
    from supervisor.http.bodies import Stream
    from supervisor.http.peer import Peer
    from supervisor.http.request import Request
    from supervisor.http.response import Incident, Reply
    from supervisor.loggers import Logger

    class Host(Protocol):
        """The part of a server that exchanges use."""

        loop: Loop
        logger: Logger

        error_page: Callable[[Request, Response], Response] | None

        def date(self) -> str:
            """Return the current time in HTTP's format."""

        def log_incident(self, origin: str, incident: Incident) -> None:
            """Log a line that a client of an origin has caused, within a rate limit."""

    class Line(Protocol):
        """The part of a connection that exchanges use."""

        @property
        def is_congested(self) -> bool:
            """Whether so much is unsent that no more should be produced."""

        def send(self, *pieces: bytes) -> None:
            """Send bytes, now or when the client has read enough."""

        def finish(self, exchange: Exchange) -> None:
            """End the exchange: its whole response has been sent or queued."""

        def proceed(self) -> None:
            """Serve the requests that follow, if the exchange has ended."""

        def close(self) -> None:
            """Close the connection."""


class Exchange:
    """One request and its response; an error closes the connection."""

    def __init__(self, line: Line, host: Host, request: Request, *, keep_alive: bool) -> None:
        """Begin; `keep_alive` is whether the connection may serve further requests."""
        self._line = line
        self._host = host
        self._request = request
        self._poller: Poller | None = None
        self._deferred: DeferredReply | None = None
        self._stream: Stream | None = None
        self._status = 0
        self.keep_alive = keep_alive
        self._sent_bytes = 0
        self._context = context_of(lambda: request.client)

    @property
    def is_streaming(self) -> bool:
        """Whether the body is being produced step by step."""
        return self._stream is not None

    @property
    def awaits_stream(self) -> bool:
        """Whether the body has no more bytes to send for now."""
        return self._stream is not None and self._poller is not None

    # -- the response -------------------------------------------------------------

    def serve(self, handler: Any) -> None:
        """Send the response of a handler; 404 if there is none."""
        try:
            reply = self._context.run(self._respond, handler)
        except FailedAfterReply as failure:
            log_failure(self._host.logger, self._request.peer, failure.__cause__ or failure)
            reply = failure.reply
        except Exception as error:  # noqa: BLE001 - handlers may be a plugin's
            self.fail(error)
            return
        self.reply(reply)

    def _respond(self, handler: Any) -> Reply:
        return error_response(404) if handler is None else respond(handler, self._request)

    def fail(self, error: Exception) -> None:
        """Log the exception being handled; respond 500, or close if a response has begun."""
        log_failure(self._host.logger, self._request.peer, error)
        if self._stream is not None:
            self._line.close()
        else:
            self.reply(error_response(500))

    def reply(self, reply: Reply) -> None:
        """Send a response, or poll a deferred one."""
        if isinstance(reply, Response):
            self._send(reply)
            return
        self._deferred = reply
        on_result, on_error = reply.on_result, reply.on_error
        self._poll(
            Poller(
                self._host.loop,
                partial(self._context.run, reply.poll),
                wait_spec=lambda: reply.poll,
                on_result=lambda result: self._reply_later(on_result(result)),
                on_error=lambda error: self._reply_later(on_error(error)),
                resume=self._line.proceed,
            )
        )

    def _reply_later(self, reply: Reply) -> None:
        self._poller = self._deferred = None
        self.reply(reply)

    def _poll(self, poller: Poller) -> None:
        self._poller = poller
        poller.start()

    def _send(self, response: Response) -> None:
        if response.incident is not None:
            self._host.log_incident(self._request.peer.origin, response.incident)
        if response.error is not None and self._host.error_page is not None:
            response = self._host.error_page(self._request, response)
        self._status = response.status
        pieces, self._stream, self.keep_alive = frame(
            self._request, response, self._host.date(), keep_alive=self.keep_alive
        )
        self._send_bytes(*pieces)
        if self._stream is None:
            self._line.finish(self)
        else:
            self.produce()

    def _send_bytes(self, *pieces: bytes) -> None:
        self._sent_bytes += sum(map(len, pieces))
        self._line.send(*pieces)

    # -- the body, step by step ---------------------------------------------------

    def produce(self) -> None:
        """Send the next part of the body, unless enough bytes are unsent."""
        stream = self._stream
        if stream is not None and self._poller is None and not self._line.is_congested:
            self._poll(
                Poller(
                    self._host.loop,
                    stream.more,
                    wait_spec=stream.current_part,
                    on_result=self._on_part,
                    on_error=self._on_stream_error,
                    resume=self._line.proceed,
                )
            )

    def _on_part(self, data: bytes) -> None:
        self._poller = None
        if data:
            self._send_bytes(data)
            # Not at once: an endless stream must not starve the other channels.
            self._host.loop.call_soon(self._produce_next)
        else:
            self._stream = None
            self._line.finish(self)

    def _on_stream_error(self, error: Exception) -> None:
        self._poller = None
        self.fail(error)

    def _produce_next(self) -> None:
        if self._stream is not None:
            self.produce()
            self._line.proceed()

    # -- the end ------------------------------------------------------------------

    def close(self) -> None:
        """Cancel what is in progress: the connection is closed."""
        if self._poller is not None:
            self._poller.cancel()
        if self._stream is not None:
            self._stream.close()
        if self._deferred is not None and self._deferred.on_cancel is not None:
            self._deferred.on_cancel()
        self._poller = self._stream = self._deferred = None

    def log_access(self) -> None:
        """Log the request at level trace."""
        logger = self._host.logger
        if logger.level <= LevelsByName.TRAC:
            now = time.localtime(self._host.loop.clock.time())
            stamp = time.strftime("%d/%b/%Y:%H:%M:%S %z", now)
            line = f'"{self._request.request_line}" {self._status} {self._sent_bytes}'
            logger.trace(f"{self._request.peer.name} - - [{stamp}] {line}")


def log_failure(logger: Logger, peer: Peer, error: BaseException) -> None:
    """Log the exception being handled, which a client's request has caused."""
    logger.error(f"{peer.name}:Server Error: {type(error)}, {error}\n{exception_text()}")
