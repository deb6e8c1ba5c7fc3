"""Follows a log over HTTP: `tail -f`, `maintail -f` and `fg` (client floor).

`HTTPHandler(listener).get(serverurl, path)` reads an answer until it ends and tells a
`Listener` of each piece as it comes.  Both names are those of Supervisor 4.
"""

from __future__ import annotations

import socket
import sys
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPException
from urllib.parse import quote

from supervisor.output import write_encodable
from supervisor.terminal import HarmlessStream, harmless, is_terminal
from supervisor.transport import (
    RECV_BYTES,
    AnswerParser,
    authorization,
    check_peer,
    connect,
    host_header,
)

OK = 200


class Listener:
    """What becomes of an answer: this one prints the body to stdout, errors to stderr."""

    def __init__(self) -> None:
        # A chunk may end inside a character.
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._harmless = HarmlessStream()

    def status(self, url: str, status: int) -> None:
        """The HTTP status has come."""

    def error(self, url: str, error: str) -> None:
        """Nothing can be read."""
        line = f"{url} {error}\n"
        sys.stderr.write(harmless(line) if is_terminal(sys.stderr) else line)

    def response_header(self, url: str, name: str, value: str) -> None:
        """A field of the answer's head has come; its name is in lower case."""

    def feed(self, url: str, data: bytes) -> None:  # noqa: ARG002 - other listeners use it
        """Bytes of the body have come."""
        text = self._decoder.decode(data)
        if is_terminal(sys.stdout):
            text = self._harmless.feed(text)
        write_encodable(sys.stdout, text)
        sys.stdout.flush()

    def done(self, url: str) -> None:
        """The answer is complete."""

    def close(self, url: str) -> None:
        """The connection is closed, whatever the reason."""


class HTTPHandler:
    """Reads one answer and tells a listener."""

    def __init__(self, listener: Listener, username: str = "", password: str | None = None) -> None:
        self.listener = listener
        self.username = username
        self.password = password
        self.trusted_uids: Callable[[], frozenset[int]] = frozenset  # see `peers`
        self.url = ""
        self._connection: socket.socket | None = None
        self._closed = False

    def get(self, serverurl: str, path: str = "") -> None:
        """Read `path` until the answer ends or `close` is called.

        What goes wrong is the listener's `error`.  Raises ValueError for a `serverurl` that
        is none, and whatever the listener raises.
        """
        self.url = f"{serverurl}{path}"
        parser = AnswerParser()
        head_is_told = False
        try:
            for body in self._receive(parser, serverurl, path):
                if parser.status is not None and not head_is_told:
                    head_is_told = True
                    self._tell_head(parser)
                if body and parser.status == OK:
                    self.listener.feed(self.url, body)
            if parser.done:
                self.listener.done(self.url)
        finally:
            self.close()
            self.listener.close(self.url)

    def close(self) -> None:
        """End `get`, also from another thread, or before it has begun."""
        self._closed = True
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):  # the other side was first
                connection.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits in recv
            connection.close()

    def _receive(self, parser: AnswerParser, serverurl: str, path: str) -> Iterator[bytes]:
        """Ask for `path` and yield what comes of the body, also when nothing comes of it."""
        try:
            connection = self._connection = connect(serverurl)
            if self.username:
                check_peer(connection, serverurl, self.trusted_uids)
            connection.sendall(self._request(serverurl, path))
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

    def _request(self, serverurl: str, path: str) -> bytes:
        return (
            f"GET {quote(path, safe='/:?=&%')} HTTP/1.1\r\nHost: {host_header(serverurl)}\r\n"
            "Accept: */*\r\nUser-Agent: supervisor\r\n"
            f"{authorization(self.username, self.password)}\r\n"
        ).encode("latin-1", "replace")

    def _tell_head(self, parser: AnswerParser) -> None:
        status = parser.status or 0
        self.listener.status(self.url, status)
        if status != OK:
            self.listener.error(self.url, f"Cannot read, status code {status}")
            self._closed = True  # the body of an error is of no use to anybody
            return
        for name, value in parser.headers.items():
            self.listener.response_header(self.url, name, value)
