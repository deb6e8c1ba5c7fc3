"""One client connection; `server` accepts it and adds it to the loop.

The way of a request: bytes go to `reception`, which returns a request with its handler; an
`exchange` gets the response of the handler and sends it through the connection.  One request is
served at a time; the next one waits in the reception.  `phases` has the table of what
a connection reads and how long it waits, in each phase.

A client that does not read its response costs `HIGH_WATER` bytes beyond the response that is being
sent, and is dropped once it has read nothing for a while.  A client that has closed its side
receives the responses to the requests that it has sent (see `hangup`).
"""

from __future__ import annotations

import socket
import sys

from supervisor.http import phases
from supervisor.http.exchange import Exchange, log_failure
from supervisor.http.framing import BadRequest
from supervisor.http.hangup import HangupWatch
from supervisor.http.ledger import MIN_COUNTED_BYTES
from supervisor.http.outbox import Outbox
from supervisor.http.phases import Input, OnEOF, OnTimeout, PhaseMachine
from supervisor.http.reception import Reception
from supervisor.http.response import Response, error_response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from supervisor.http.exchange import Host
    from supervisor.http.ledger import Ledger
    from supervisor.http.peer import Peer
    from supervisor.http.reception import Routes
    from supervisor.http.request import Request

    class Server(Host, Routes, Protocol):
        """The part of a server that its connections use."""

        received: Ledger
        unsent: Ledger

        def connection_closed(self, channel: HTTPChannel) -> None:
            """Remove a closed connection."""


READ_BYTES = 16 * 1024

HIGH_WATER = 64 * 1024
"""Number of unsent bytes at which producing pauses, and of unparsed ones at which reading does."""


class HTTPChannel:
    """A client connection that reads requests and sends responses; an error closes it."""

    def __init__(self, server: Server, connection: socket.socket, client: Peer) -> None:
        self.client = client
        self._server = server
        self._loop = server.loop
        self._socket = connection
        self._reception = Reception(server, client)
        self._exchange: Exchange | None = None
        self._outbox = Outbox(connection)
        self._hangup_watch: HangupWatch | None = None
        self._machine = PhaseMachine(server.loop, self._on_timeout)
        self._rest = phases.NEW  # the phase between two requests
        self._last_interest = (True, False)
        self._loop.watch(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.client.name} {self.phase.name}>"

    # -- interface to the server ----------------------------------------------------

    @property
    def phase(self) -> phases.Phase:
        """The current phase."""
        return self._machine.phase

    @property
    def is_in_exchange(self) -> bool:
        """Whether a request is being received, or a complete response being sent."""
        if self._exchange is not None and self._exchange.is_streaming:
            return False
        return self.phase in (phases.RECEIVING, phases.SENDING, phases.CLOSING)

    @property
    def is_dispensable(self) -> bool:
        """Whether the connection may be closed to make room for another.

        No request has begun, or the client has not logged in for it, or the last response is sent.
        """
        if self.phase is phases.RECEIVING:
            return not self._reception.is_admitted
        return self.phase in (phases.NEW, phases.IDLE, phases.LINGERING)

    # -- interface to the loop ------------------------------------------------------

    def fileno(self) -> int:
        """Return the connection's fd."""
        return self._socket.fileno()

    def readable(self) -> bool:
        """Whether to read.

        While a request would be served as soon as it is complete, there is no limit but those of a
        request; else a client that goes on sending must wait.
        """
        wanted = self._machine.phase.input
        if self._reception.has_ended or wanted is Input.NONE:
            return False
        if wanted is not Input.AHEAD or self._reception.pending_bytes < HIGH_WATER:
            return True
        return self._exchange is None and not self.is_congested

    def writable(self) -> bool:
        """Whether there are bytes to send."""
        return self._machine.phase.writes

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
        elif self._machine.phase.serves:
            self._reception.feed(data)
        self.proceed()

    def handle_write_event(self) -> None:
        """Send until the kernel's buffer is full."""
        outbox = self._outbox
        is_counted = outbox.held_bytes >= MIN_COUNTED_BYTES
        try:
            sent = outbox.flush()
        except OSError:
            self.close()  # the client has disconnected
            return
        if sent:
            self._machine.progressed()
            if is_counted:
                self._server.unsent.progressed(self, outbox.held_bytes)
        if not outbox and self.phase is phases.CLOSING:
            self._linger()
        if self._exchange is not None:
            self._exchange.produce()
        self.proceed()

    def handle_error(self) -> None:
        """Log the exception being handled, and close."""
        error = sys.exc_info()[1]
        if error is not None:
            log_failure(self._server.logger, self.client, error)
        self.close()

    # -- requests -------------------------------------------------------------------

    def proceed(self) -> None:
        """Serve the requests that have arrived, until one has to wait; every event ends here."""
        machine = self._machine
        while self._exchange is None and machine.phase.serves and not self.is_congested:
            try:
                arrival = self._reception.next_request(self.send)
            except BadRequest as error:
                self._refuse(error)
                break
            except Exception as error:  # noqa: BLE001 - handlers may be a plugin's
                self._begin(self._reception.take_partial(), keep_alive=False).fail(error)
                break
            if arrival is None:
                break
            request, handler = arrival
            if isinstance(handler, Response):  # the unread rest of the body follows
                self._begin(request, keep_alive=False).reply(handler)
            else:
                self._begin(request, keep_alive=request.keep_alive).serve(handler)
        self._update_phase()
        if machine.phase is not phases.CLOSED:
            self._update_interest()

    def _begin(self, request: Request, *, keep_alive: bool) -> Exchange:
        exchange = Exchange(self, self._server, request, keep_alive=keep_alive)
        self._exchange = exchange
        return exchange

    def _refuse(self, error: BadRequest) -> None:
        """Send an error response and close; it takes the same path as any other response."""
        self._server.logger.debug(f"{self.client.name}: bad request: {error.reason}")
        request = self._reception.take_partial()
        self._begin(request, keep_alive=False).reply(error_response(error.code))

    def evict(self) -> None:
        """Refuse the request being received: all requests together are too large."""
        if self._exchange is not None or not self.phase.serves:
            self.close()
            return
        self._reception.discard()
        self._refuse(BadRequest(503, "too many large requests at once"))
        self.proceed()

    def _on_eof(self) -> None:
        """Complete the responses in progress, then close: the client sends nothing more.

        It may have disconnected.  Unless that is detected, a deferred response would be waited for
        in vain.
        """
        self._reception.has_ended = True
        if self.phase.on_eof is OnEOF.CLOSE:
            self.close()
        elif self._exchange is not None and not self._exchange.awaits_stream:
            try:
                self._hangup_watch = HangupWatch(self._loop, self._socket, self.close)
            except (AttributeError, OSError):  # no epoll here, or no fd left
                self.close()

    # -- responses ------------------------------------------------------------------

    @property
    def is_congested(self) -> bool:
        """Whether so much is unsent that no more should be produced."""
        return self._outbox.unsent_bytes >= HIGH_WATER

    def send(self, *pieces: bytes) -> None:
        """Send as much as the kernel accepts now, and the rest when the client has read enough."""
        outbox = self._outbox
        try:
            outbox.send(*pieces)
        except OSError:
            self.close()  # the client has disconnected
            return
        if outbox:
            self._machine.enter(phases.SENDING)
            if outbox.held_bytes >= MIN_COUNTED_BYTES:
                self._server.unsent.progressed(self, outbox.held_bytes)

    def finish(self, exchange: Exchange) -> None:
        """End an exchange: its whole response is in the outbox or sent."""
        if exchange is not self._exchange:
            return  # the connection has been closed
        self._exchange = None
        self._rest = phases.IDLE
        exchange.log_access()
        if not exchange.keep_alive:
            if self._outbox:
                self._machine.enter(phases.CLOSING)
            else:
                self._linger()

    # -- the end of an event, and of the connection ---------------------------------

    def _update_phase(self) -> None:
        """Enter the phase of what is waited for next: a response, or a request."""
        machine, reception, exchange = self._machine, self._reception, self._exchange
        if machine.phase.serves and not self._outbox:
            if exchange is not None:
                machine.enter(phases.RESPONDING)
            else:
                machine.enter(phases.RECEIVING if reception.has_begun else self._rest)
        if reception.has_ended and (
            machine.phase.on_eof is OnEOF.CLOSE or (exchange is not None and exchange.awaits_stream)
        ):
            self.close()

    def _update_interest(self) -> None:
        pending, received = self._reception.pending_bytes, self._server.received
        if pending >= MIN_COUNTED_BYTES or received.total_bytes:
            received.progressed(self, pending)
        interest = (self.readable(), self.writable())
        if interest != self._last_interest:
            self._last_interest = interest
            self._loop.interest_changed(self)

    def _on_timeout(self) -> None:
        if self.phase.on_timeout is OnTimeout.REFUSE:
            self._refuse(BadRequest(408, "too slow"))
            self.proceed()
        else:
            self.close()

    def _linger(self) -> None:
        """Close the sending side, and give the client time to read the response.

        Closing a socket that holds unread bytes resets the connection, and the client
        would lose the response that reports the error (RFC 9112, 9.6).
        """
        if self._reception.is_idle or self._reception.has_ended:
            self.close()
            return
        self._machine.enter(phases.LINGERING)
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()

    def close(self) -> None:
        """Close the connection and cancel the work in progress for it."""
        if self.phase is phases.CLOSED:
            return
        self._machine.close()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.close()
        self._outbox.clear()
        if self._hangup_watch is not None:
            self._hangup_watch.close()
            self._hangup_watch = None
        self._loop.unwatch(self)
        self._socket.close()
        self._server.connection_closed(self)
