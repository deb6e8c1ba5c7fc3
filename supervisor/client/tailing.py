"""Following one log: `tail -f`, `maintail -f`, `fg`.

`LogTail` is used like an `HTTPHandler`.  It goes on at the same byte when a response has ended with
its file (see `common.log_positions`), and when the connection has ended because the daemon has
replaced itself: then the daemon's socket still listens, and the next connection reaches the
successor.  A daemon that has gone refuses it, and that is the end.  Supervisor 4.3 sends no
positions, so its responses are not continued.
"""

from __future__ import annotations

import time

from supervisor.client.transport import OK
from supervisor.common import log_positions
from supervisor.common.log_positions import LogPosition, parse_position
from supervisor.http_client import HTTPHandler, Listener

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable

FIELD = log_positions.FIELD.lower()

SHORT_SECONDS = 1.0
"""Duration below which a response without a byte is followed by a pause."""

RETRY_SECONDS = 0.1
"""First such pause; each further one in succession is longer by it, up to `SHORT_SECONDS`."""

MAX_FAILURES = 5
"""Limit of connections in succession that end without a response."""


class LogTail:
    """Reads one log, and notifies a listener as if it were one response."""

    def __init__(self, listener: Listener, username: str = "", password: str | None = None) -> None:
        self.trusted_uids: Callable[[], frozenset[int]] = frozenset  # see `peers`
        self._listener = listener
        self._credentials = username, password
        self._handler: HTTPHandler | None = None
        self._is_closed = False

    def get(self, serverurl: str, path: str) -> None:
        """Read a log until it ends for good or `close` is called; see `HTTPHandler.get`."""
        url = f"{serverurl}{path}"
        relay = _Relay(self._listener, url)
        try:
            empty = failures = 0
            while failures <= MAX_FAILURES:
                begun = time.monotonic()
                self._read(relay, serverurl, path)
                if self._is_closed:
                    return
                if not relay.may_continue:
                    break
                failures = 0 if relay.has_response else failures + 1
                if relay.has_bytes or time.monotonic() - begun > SHORT_SECONDS:
                    empty = 0
                else:
                    empty += 1
                    time.sleep(min(empty * RETRY_SECONDS, SHORT_SECONDS))
            relay.report_end()
        finally:
            self._listener.close(url)

    def close(self) -> None:
        """Make `get` return; may be called from another thread, and before `get`."""
        self._is_closed = True
        if self._handler is not None:
            self._handler.close()

    def _read(self, relay: _Relay, serverurl: str, path: str) -> None:
        """Read one response."""
        handler = HTTPHandler(relay, *self._credentials)
        handler.trusted_uids = self.trusted_uids
        self._handler = handler
        if self._is_closed:  # between two responses
            handler.close()
        begin = relay.begin(handler)
        handler.get(serverurl, f"{path}?{log_positions.PARAMETER}={begin}")


class _Relay(Listener):
    """A listener that passes several responses on as one, and counts the position."""

    def __init__(self, listener: Listener, url: str) -> None:
        super().__init__()
        self.has_bytes = False
        self._listener = listener
        self._url = url
        self._handler: HTTPHandler | None = None
        self._position: LogPosition | None = None
        self._status: int | None = None
        self._has_begun = False
        self._has_position = False  # in the header of this response
        self._is_continued = False
        self._error: str | None = None
        self._is_done = False

    @property
    def may_continue(self) -> bool:
        """Whether the next position is known, and the server does not refuse a connection."""
        is_there = self._handler is not None and self._handler.has_connected
        if self._position is None:
            return is_there and not self._has_begun
        return is_there and self._status in {None, OK}

    @property
    def has_response(self) -> bool:
        """Whether the server has responded."""
        return self._status is not None

    def begin(self, handler: HTTPHandler) -> str:
        """Prepare for the next response; return the position to request."""
        self._is_continued = self._position is not None
        self._handler = handler
        self._status = None
        self.has_bytes = self._has_position = self._is_done = False
        return "" if self._position is None else str(self._position)

    def report_end(self) -> None:
        """Pass the end of the last response on."""
        if self._error is not None:
            self._listener.error(self._url, self._error)
        if self._is_done:
            self._listener.done(self._url)

    def status(self, _url: str, status: int) -> None:
        """Pass the first status on."""
        self._status = status
        self._has_begun = True
        if not self._is_continued:
            self._error = None  # of connections without a response
            self._listener.status(self._url, status)

    def response_header(self, _url: str, name: str, value: str) -> None:
        """Note the position; pass the other fields of the first response on."""
        if name == FIELD:
            self._begin_at(parse_position(value))
        elif not self._is_continued:
            self._listener.response_header(self._url, name, value)

    def _begin_at(self, position: LogPosition | None) -> None:
        before, self._position = self._position, position
        self._has_position = position is not None
        self._error = None  # of the response that is continued
        if before is not None and position is not None:
            if before.inode == position.inode and before.offset > position.offset:
                self._listener.feed(self._url, log_positions.TRUNCATED)

    def feed(self, _url: str, data: bytes) -> None:
        """Pass bytes on, and count them."""
        if self._is_continued and not self._has_position and self._handler is not None:
            self._position = None  # another kind of server, which repeats the end of the log
            self._handler.close()
            return
        self.has_bytes = True
        self._listener.feed(self._url, data)
        if self._position is not None:
            self._position = self._position.after(len(data))

    def error(self, _url: str, error: str) -> None:
        """Keep an error; that of a lost connection is more telling than that of the next one."""
        if self._error is None or self._status is not None:
            self._error = error

    def done(self, _url: str) -> None:
        """Note the end of a complete response."""
        self._is_done = True

    def close(self, _url: str) -> None:
        """Do nothing: the next response may continue the log."""
