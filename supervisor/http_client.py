"""Streaming HTTP client that follows a log: `tail -f`, `maintail -f`, `fg`.

`HTTPHandler(listener).get(serverurl, path)` reads a response until it ends and passes each
part to a `Listener` as it arrives.  Both names are those of Supervisor 4.
"""

from __future__ import annotations

import socket
import sys
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPException

from supervisor.client.terminal import TerminalSanitizer, is_terminal, sanitize
from supervisor.client.transport import (
    OK,
    RECV_BYTES,
    ResponseParser,
    check_peer,
    connect,
    get_request,
)
from supervisor.common.stdio import write_encodable


class Listener:
    """Callbacks for a response; this class prints the body to stdout, errors to stderr."""

    def __init__(self) -> None:
        # A chunk may end in the middle of a character.
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._sanitizer = TerminalSanitizer()

    def status(self, url: str, status: int) -> None:
        """Handle the HTTP status."""

    def error(self, url: str, error: str) -> None:
        """Handle an error: nothing more can be read."""
        line = f"{url} {error}\n"
        sys.stderr.write(sanitize(line) if is_terminal(sys.stderr) else line)

    def response_header(self, url: str, name: str, value: str) -> None:
        """Handle a header field; its name is in lower case."""

    def feed(self, url: str, data: bytes) -> None:  # noqa: ARG002 - other listeners use it
        """Handle bytes of the body."""
        text = self._decoder.decode(data)
        if is_terminal(sys.stdout):
            text = self._sanitizer.feed(text)
        write_encodable(sys.stdout, text)
        sys.stdout.flush()

    def done(self, url: str) -> None:
        """Handle the end of a complete response."""

    def close(self, url: str) -> None:
        """Handle the end of the connection, after a complete response or an error."""


class HTTPHandler:
    """Reads one response and notifies a listener."""

    def __init__(self, listener: Listener, username: str = "", password: str | None = None) -> None:
        self.listener = listener
        self.username = username
        self.password = password
        self.trusted_uids: Callable[[], frozenset[int]] = frozenset  # see `peers`
        self.url = ""
        self.has_connected = False
        self._connection: socket.socket | None = None
        self._closed = False

    def get(self, serverurl: str, path: str = "") -> None:
        """Read `path` until the response ends or `close` is called.

        Connection errors go to the listener's `error`.  Raises ValueError for an invalid
        `serverurl`, and any exception of the listener.
        """
        self.url = f"{serverurl}{path}"
        parser = ResponseParser()
        head_is_reported = False
        try:
            for body in self._receive(parser, serverurl, path):
                if parser.status is not None and not head_is_reported:
                    head_is_reported = True
                    self._report_head(parser)
                if body and parser.status == OK:
                    self.listener.feed(self.url, body)
            if parser.done:
                self.listener.done(self.url)
        finally:
            self.close()
            self.listener.close(self.url)

    def close(self) -> None:
        """Make `get` return; may be called from another thread, and before `get`."""
        self._closed = True
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):  # the server has already closed it
                connection.shutdown(socket.SHUT_RDWR)  # wakes a thread blocked in recv
            connection.close()

    def _receive(self, parser: ResponseParser, serverurl: str, path: str) -> Iterator[bytes]:
        """Request `path` and yield the body; yields b"" for data that contains none of it."""
        try:
            connection = self._connection = connect(serverurl)
            self.has_connected = True
            if self.username:
                check_peer(connection, serverurl, self.trusted_uids)
            connection.sendall(get_request(serverurl, path, self.username, self.password))
            while not self._closed and not parser.done:
                data = connection.recv(RECV_BYTES)
                if not data:
                    parser.end()
                yield parser.feed(data)
        except (OSError, HTTPException) as error:
            if self._closed:
                return
            problem = "Cannot connect" if parser.status is None else "Connection lost"
            self.listener.error(self.url, f"{problem}, error: {error}")

    def _report_head(self, parser: ResponseParser) -> None:
        status = parser.status or 0
        self.listener.status(self.url, status)
        if status != OK:
            self.listener.error(self.url, f"Cannot read, status code {status}")
            self._closed = True  # the body of an error page is not shown
            return
        for name, value in parser.headers.items():
            self.listener.response_header(self.url, name, value)
