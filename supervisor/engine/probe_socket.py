"""A probe of a known address, by a non-blocking socket in the loop.

`tcp` and `unix` probes succeed when they are connected, `http` probes when the response has a
good status.  The result is reported at once; after it, the rest of a response is still read and
discarded for a moment, because a server that writes to a closed connection logs an error.
"""

from __future__ import annotations

import enum
import errno
import os
import socket

from supervisor.common.probes import (
    NO_RESPONSE,
    StatusReader,
    failure_reason,
    failure_text,
    judge_status,
    timeout_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisor.common.addresses import TcpAddress
    from supervisor.common.probes import Probe
    from supervisor.engine.loop import Loop

RECV_BYTES = 16384
"""Upper bound of one read, and there is one read per wake-up."""

LINGER_SECONDS = 1.0
MAX_LINGER_BYTES = 256 * 1024
"""Bounds of the rest of a response that is read."""


class Phase(enum.Enum):
    """Phase of a probe; the socket is open in all but the last one."""

    CONNECTING = enum.auto()
    RECEIVING = enum.auto()
    LINGERING = enum.auto()
    CLOSED = enum.auto()


def is_connected_to_itself(connection: socket.socket) -> bool:
    """Whether both ends of a TCP connection are the same socket.

    If no server listens on a port of the range from which the kernel takes local ports, a client
    on the same host may get that very port, and connects to itself (simultaneous open, RFC 9293,
    3.5).  One of 28,000 attempts does.
    """
    if connection.family == socket.AF_UNIX:
        return False
    try:
        return bool(connection.getsockname() == connection.getpeername())
    except OSError:  # reset by a server that has accepted it
        return False


class ProbeSocket:
    """One probe of a unix socket or of the first known address that accepts a connection.

    It is a channel of the loop, with one socket after the other.
    `on_result` is called once, from the loop, with None for success or the reason of the failure
    (see `NotRun`), at the latest after `timeout` seconds; not at all after `close`.
    """

    def __init__(
        self, probe: Probe, timeout: float, loop: Loop, on_result: Callable[[str | None], object]
    ) -> None:
        self.phase = Phase.CLOSED
        self._loop = loop
        self._on_result: Callable[[str | None], object] | None = on_result
        self._unsent = probe.request
        self._reader = StatusReader()
        self._discarded = 0
        self._timer = loop.call_later(timeout, lambda: self._finish(timeout_text(timeout)))
        self._untried = list(probe.known_addresses)
        self._failure: OSError | None = None
        self._connect(probe.path)

    def fileno(self) -> int:
        """Return the fd of the socket."""
        return self._socket.fileno()

    def readable(self) -> bool:
        """Whether a response, or the rest of one, is expected."""
        return self.phase in {Phase.RECEIVING, Phase.LINGERING}

    def writable(self) -> bool:
        """Whether the connection, or a part of the request, is pending."""
        return self.phase is Phase.CONNECTING or bool(self._unsent)

    def handle_write_event(self) -> None:
        """Check the connection, and send the request."""
        try:
            if self.phase is Phase.CONNECTING:
                self._check_connection()
                self.phase = Phase.RECEIVING
                if not self._unsent:
                    self._finish(None)
                    return
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError as error:
            if self.phase is Phase.CONNECTING:
                self._connection_failed(error)
            else:
                self._finish(failure_text(error))
            return
        self._loop.interest_changed(self)

    def handle_read_event(self) -> None:
        """Read a part of the response."""
        try:
            data = self._socket.recv(RECV_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._finish(failure_text(error))
            return
        if self.phase is Phase.LINGERING:
            self._discarded += len(data)
            if not data or self._discarded > MAX_LINGER_BYTES:
                self.close()
        elif data:
            self._judge(data)
        else:
            self._finish(NO_RESPONSE)

    def handle_error(self) -> None:
        """Report an unexpected exception as a failure; the loop logs it."""
        self._finish("internal error")
        raise  # noqa: PLE0704 - called while the exception is being handled

    def close(self) -> None:
        """End the probe without a result, and close the socket."""
        self._on_result = None
        self._timer.cancel()
        self._close_socket()

    def _close_socket(self) -> None:
        if self.phase is not Phase.CLOSED:
            self.phase = Phase.CLOSED
            self._loop.unwatch(self)
            self._socket.close()

    def _connect(self, path: str = "") -> None:
        """Connect to the next address, or to the socket at `path`."""
        while path or self._untried:
            where = path or self._untried.pop(0)
            path = ""
            try:
                self._socket = _start_connecting(where)
            except OSError as error:
                self._failure = self._failure or error
            else:
                self.phase = Phase.CONNECTING
                self._loop.watch(self)
                return
        reason = failure_reason(self._failure or OSError())
        self._loop.call_soon(lambda: self._finish(reason))

    def _connection_failed(self, error: OSError) -> None:
        """Try the next address; the first failure is the one to report."""
        self._failure = self._failure or error
        self._close_socket()
        self._connect()

    def _check_connection(self) -> None:
        """Raise `OSError` if the connection has failed."""
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not error and is_connected_to_itself(self._socket):
            error = errno.ECONNREFUSED
        if error:
            raise OSError(error, os.strerror(error))

    def _judge(self, data: bytes) -> None:
        try:
            status = self._reader.feed(data)
        except ValueError as error:
            self._finish(str(error))
            return
        if status is not None:
            self.phase = Phase.LINGERING
            self._unsent = b""
            self._timer.cancel()
            self._timer = self._loop.call_later(LINGER_SECONDS, self.close)
            self._report(judge_status(status))

    def _finish(self, failure: str | None) -> None:
        """Close the socket, and report the result unless it has been reported."""
        report, self._on_result = self._on_result, None
        self.close()
        self._on_result = report
        self._report(failure)

    def _report(self, failure: str | None) -> None:
        report, self._on_result = self._on_result, None
        if report is not None:
            report(failure)


def _start_connecting(where: TcpAddress | str) -> socket.socket:
    """Return a socket that is connecting to an address or a path; raises `OSError`."""
    family, target = (
        (socket.AF_UNIX, where)
        if isinstance(where, str)
        else (where.family, (where.host, where.port))
    )
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        error = connection.connect_ex(target)
    except BaseException:
        connection.close()
        raise
    if error in {0, errno.EINPROGRESS}:
        return connection
    connection.close()
    is_full = error == errno.EAGAIN  # of a unix socket: connect(2)
    raise OSError(error, "the queue of connections is full" if is_full else os.strerror(error))
