"""One client connection; `server` accepts it and adds it to the loop.

Bytes go to the parser, a request goes to the first handler that matches it, and its response is
sent until the kernel's buffer is full.  One request is served at a time; the next one waits
in the parser.  A client that does not read its response costs `HIGH_WATER` bytes beyond the
response that is being sent, and is dropped once it has read nothing for a while.  A client that
has closed its side receives the responses to the requests that it has sent (see `hangup`).
"""

from __future__ import annotations

import socket
import sys
import time

from supervisor.http import http1
from supervisor.http.bodies import Waiting
from supervisor.http.framing import BadRequest
from supervisor.http.hangup import HangupWatch
from supervisor.http.ledger import MIN_COUNTED_BYTES
from supervisor.http.outbox import Outbox
from supervisor.http.phases import HAS_ENDED, PHASE_TIMEOUTS, Phase
from supervisor.http.request import Request
from supervisor.loggers import LevelsByName, exception_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from supervisor.engine.deferred import Deferred
    from supervisor.engine.loop import Timer
    from supervisor.http.bodies import Stream
    from supervisor.http.peer import Peer
    from supervisor.http.server import HTTPServer

READ_BYTES = 16 * 1024

HIGH_WATER = 64 * 1024
"""Number of unsent bytes at which producing pauses, and of unparsed bytes at which reading does."""

NO_HEAD = http1.Head("-", "-", "1.1", (), {}, 0, keep_alive=False, expects_continue=False)
"""Placeholder for a request that could not be parsed."""


class HTTPChannel:
    """A client connection that reads requests and sends responses; an error closes it."""

    def __init__(self, server: HTTPServer, connection: socket.socket, client: Peer) -> None:
        self.server = server
        self.client = client
        self.peer = client.name
        self._loop = server.loop
        self._socket = connection
        self._parser = http1.RequestParser(server.limits)
        self._handler: Any = None
        self._request: Request | None = None
        self._has_body = False
        self._waiting: Waiting | None = None
        self._stream: Stream | None = None
        self._outbox = Outbox(connection)
        self._hangup_watch: HangupWatch | None = None
        self._has_half_closed = False
        self._answer_bytes = 0
        self._is_serving = False
        self._is_closed = False
        self._has_been_served = False
        self._close_when_flushed = False
        self._is_lingering = False
        self._has_progressed = False
        self._phase = Phase.NEW
        self._timer: Timer | None = None
        self._told = (True, False)
        self._loop.watch(self)
        self._enter(Phase.NEW)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.peer} {self._phase.name.lower()}>"

    # -- interface to the loop ----------------------------------------------------

    def fileno(self) -> int:
        """Return the connection's fd."""
        return self._socket.fileno()

    def readable(self) -> bool:
        """Whether to read.

        1. A request, or the rest of one, may arrive.
        2. While a response is prepared or unread, the client may disconnect or send the next
           request, up to a limit.
        3. After the last response, further input is discarded (see `_linger`).

        Nothing more can be read from a client that has closed its side.
        """
        if self._has_half_closed:
            return False
        if self._close_when_flushed:
            return self._is_lingering
        is_receiving = self._request is None or not self._has_body
        if is_receiving and self._outbox.unsent_bytes < HIGH_WATER:
            return True
        return self._parser.pending < HIGH_WATER

    def writable(self) -> bool:
        """Whether there are bytes to send."""
        return bool(self._outbox)

    @property
    def is_idle(self) -> bool:
        """Whether no request has begun, so that closing costs the client nothing."""
        return self._phase is Phase.IDLE or self._phase is Phase.NEW

    @property
    def is_new(self) -> bool:
        """Whether the client has not sent anything yet."""
        return self._phase is Phase.NEW

    @property
    def is_in_exchange(self) -> bool:
        """Whether a request is being received, or a complete response being sent."""
        return self._stream is None and self._phase in {Phase.RECEIVING, Phase.SENDING}

    @property
    def is_dispensable(self) -> bool:
        """Whether the connection may be closed to make room for another.

        It is idle, or receiving a request without having logged in.
        """
        if self._phase is Phase.RECEIVING:
            return self._request is None or self._request.admitted_by is None
        return self.is_idle or self._phase is Phase.LINGERING

    # -- reading ------------------------------------------------------------------

    def handle_read_event(self) -> None:
        """Read and parse input, and serve the requests in it."""
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.close()  # the connection was reset
            return
        if not data:
            self._on_eof()
        elif not self._close_when_flushed:
            self._parser.feed(data)
            self._serve()
            if self._phase is Phase.RECEIVING or self._parser.pending >= MIN_COUNTED_BYTES:
                self.server.received.progressed(self, self._parser.pending)
        self._settle()

    def _on_eof(self) -> None:
        """Respond to the requests received so far, then close: the client sends nothing more.

        It may have disconnected.  Unless that is detected, a stream that waits would never end.
        """
        self._has_half_closed = True
        if self._is_lingering or self._waits_for_stream():
            self.close()
        elif self._has_body:
            self._watch_hangup()

    def _waits_for_stream(self) -> bool:
        return self._stream is not None and self._waiting is not None

    def _watch_hangup(self) -> None:
        """Close once the client has disconnected, not only stopped sending."""
        try:
            self._hangup_watch = HangupWatch(self._loop, self._socket, self.close)
        except (AttributeError, OSError):  # no epoll here, or no fd left
            self.close()

    def evict(self) -> None:
        """Refuse the request being received: all requests together are too large."""
        self._parser.discard()
        self._refuse(BadRequest(503, "too many large requests at once"))
        self._settle()

    def _serve(self) -> None:
        """Serve complete requests until one is deferred or its response is not read."""
        if self._is_serving:
            return
        self._is_serving = True
        try:
            while self._may_serve():
                event = self._parser.next_event()
                if event is None:
                    break
                if isinstance(event, bytes):
                    self._body_arrived(event)
                else:
                    self._head_arrived(event)
        except BadRequest as error:
            self._refuse(error)
        finally:
            self._is_serving = False

    def _may_serve(self) -> bool:
        is_behind = self._outbox.unsent_bytes >= HIGH_WATER
        return not (self._close_when_flushed or self._has_body or is_behind)

    def _head_arrived(self, head: http1.Head) -> None:
        """Choose the handler, which may refuse the request before its body is received."""
        self._request = request = Request(self, head)
        try:
            self._handler = self.server.handler_for(request)
            admits = getattr(self._handler, "admits", None)
            is_admitted = admits is None or admits(request)
        except Exception as error:  # noqa: BLE001 - handlers may be a plugin's
            self._fail(error)
            return
        if is_admitted and head.expects_continue and self._parser.awaits_body:
            self._send(http1.CONTINUE)

    def _body_arrived(self, body: bytes) -> None:
        request = self._request
        if request is None:
            return  # refused before its body had arrived
        request.body = body
        self._has_body = True
        try:
            if self._handler is None:
                request.error(404)
            else:
                self._handler.handle_request(request)
        except Exception as error:  # noqa: BLE001 - handlers may be a plugin's
            self._fail(error)
        self._produce()

    def _refuse(self, error: BadRequest) -> None:
        """Send an error response and close; it takes the same path as any other response."""
        self.server.logger.debug(f"{self.peer}: bad request: {error.reason}")
        if self._request is None:
            self._request = Request(self, NO_HEAD)
        self._request.keep_alive = False
        self._request.error(error.code)

    # -- responding ---------------------------------------------------------------

    def reply(self, request: Request) -> None:
        """Send the response to a request; `request.done()` calls this."""
        if request is not self._request or self._stream is not None:
            request.drop_body()  # already answered, or the client has disconnected
            return
        if not self._has_body:
            request.keep_alive = False  # the unread rest of the body follows
        pieces, self._stream = request.take_reply(self.server.date())
        self._answer_bytes = 0
        self._send(*pieces)
        if self._stream is None:
            self._answered()
        if not self._is_serving:  # a plugin responds outside of handle_request()
            self._produce()
            self._go_on()

    def wait_for(
        self,
        question: Deferred,
        answered: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Poll `question` until it returns a value, or until the client disconnects."""
        self._ask(
            Waiting(
                self._loop, question, lambda: question, self._then(answered), self._then(failed)
            )
        )

    def _then(self, act: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return a callback that runs `act` and then serves the next request."""

        def act_and_go_on(outcome: Any) -> None:
            self._waiting = None
            act(outcome)
            self._go_on()

        return act_and_go_on

    def _ask(self, waiting: Waiting) -> None:
        self._waiting = waiting
        waiting.ask()

    def _produce(self) -> None:
        """Poll the stream for more, unless enough bytes are unsent."""
        stream = self._stream
        if stream is not None and self._waiting is None and self._outbox.unsent_bytes < HIGH_WATER:
            self._ask(
                Waiting(
                    self._loop,
                    stream.more,
                    stream.current_part,
                    self._then(self._produced),
                    self._then(self._fail),
                )
            )
            if self._has_half_closed and self._waits_for_stream():
                self.close()

    def _produced(self, data: bytes) -> None:
        if data:
            self._send(data)
            # Not at once: an endless stream must not starve the other channels.
            self._loop.call_soon(self._produce)
        else:
            self._stream = None
            self._answered()

    def _answered(self) -> None:
        """Finish the request: its whole response is in the outbox or sent."""
        request, self._request, self._has_body = self._request, None, False
        if request is None:
            return
        self._has_been_served = True
        self._log_access(request)
        if not request.keep_alive:
            self._close_when_flushed = True
            if not self._outbox:
                self._linger()

    def _log_access(self, request: Request) -> None:
        logger = self.server.logger
        if logger.level <= LevelsByName.TRAC:
            stamp = time.strftime("%d/%b/%Y:%H:%M:%S %z", time.localtime(self._loop.clock.time()))
            line = f'"{request.request}" {request.reply_code} {self._answer_bytes}'
            logger.trace(f"{self.peer} - - [{stamp}] {line}")

    # -- sending ------------------------------------------------------------------

    def _send(self, *pieces: bytes) -> None:
        self._answer_bytes += sum(map(len, pieces))
        outbox = self._outbox
        try:
            outbox.send(*pieces)
        except OSError:
            self.close()  # the client has disconnected
            return
        if outbox and outbox.held_bytes >= MIN_COUNTED_BYTES:
            self.server.unsent.progressed(self, outbox.held_bytes)

    def handle_write_event(self) -> None:
        """Send until the kernel's buffer is full."""
        outbox = self._outbox
        is_counted = outbox.held_bytes >= MIN_COUNTED_BYTES
        try:
            sent = outbox.flush()
        except OSError:
            self.close()  # the client has disconnected
            return
        self._has_progressed |= sent > 0
        if is_counted and sent:
            self.server.unsent.progressed(self, outbox.held_bytes)
        if not outbox and self._close_when_flushed:
            self._linger()
        self._produce()
        self._go_on()

    # -- closing ------------------------------------------------------------------

    def _linger(self) -> None:
        """Close the sending side, and give the client time to read the response.

        Closing a socket that holds unread bytes resets the connection, and the client
        would lose the response that reports the error (RFC 9112, 9.6).
        """
        if self._parser.is_idle or self._has_half_closed:
            self.close()
            return
        self._is_lingering = True
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()

    def _fail(self, _error: Exception) -> None:
        """Log the exception being handled; respond 500, or close if a response has begun."""
        self._log_exception()
        if self._stream is not None:
            self.close()
        elif self._request is not None:
            self._request.error(500)

    def handle_error(self) -> None:
        """Log the exception being handled, and close."""
        self._log_exception()
        self.close()

    def _log_exception(self) -> None:
        kind, value, _ = sys.exc_info()
        self.server.logger.error(f"{self.peer}:Server Error: {kind}, {value}\n{exception_text()}")

    def close(self) -> None:
        """Close the connection and cancel the work in progress for it."""
        if self._is_closed:
            return
        self._is_closed = self._close_when_flushed = True
        self._enter(None)
        if self._waiting is not None:
            self._waiting.cancel()
        if self._stream is not None:
            self._stream.close()
        if self._request is not None:
            self._request.drop_body()
        self._request = self._waiting = self._stream = None
        self._outbox.clear()
        if self._hangup_watch is not None:
            self._hangup_watch.close()
        self._loop.unwatch(self)
        self._socket.close()
        self.server.connection_closed(self)

    # -- phases -------------------------------------------------------------------

    def _go_on(self) -> None:
        """Serve the requests that wait behind the one just answered."""
        self._serve()
        self._settle()

    def _settle(self) -> None:
        """Update the phase, its timer and the loop's interest; every event ends here."""
        if self._is_closed:
            return
        phase = self._current_phase()
        if self._has_half_closed and phase in HAS_ENDED:
            self.close()
            return
        if phase is not self._phase:
            self._enter(phase)
        wants = (self.readable(), self.writable())
        if wants != self._told:
            self._told = wants
            self._loop.interest_changed(self)

    def _current_phase(self) -> Phase:
        if self._is_lingering:
            return Phase.LINGERING
        if self._outbox:
            return Phase.SENDING
        if self._has_body:
            return Phase.ANSWERING
        if self._request is not None or self._parser.pending:
            return Phase.RECEIVING
        return Phase.IDLE if self._has_been_served else Phase.NEW

    def _enter(self, phase: Phase | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if phase is not None:
            self._phase = phase
            self._has_progressed = False
            if phase in PHASE_TIMEOUTS:
                self._timer = self._loop.call_later(PHASE_TIMEOUTS[phase], self._patience_is_over)

    def _patience_is_over(self) -> None:
        if self._phase is Phase.RECEIVING:
            self._refuse(BadRequest(408, "too slow"))
            self._settle()
        elif self._phase is Phase.SENDING and self._has_progressed:
            self._enter(Phase.SENDING)
        else:
            self.close()
