"""HTTP client for a supervisord, over a unix socket or TCP.

`SupervisorTransport` carries XML-RPC, for the proxy of `proxy` and for that of
`xmlrpc.client`; scripts and plugins create their own.  `http_client`, which follows logs,
also uses `connect` and `ResponseParser`.

Importing http.client takes 15 ms.  It is therefore imported only to raise one of its
exceptions, which callers catch.  Source: RFC 9112.
"""

from __future__ import annotations

import errno
import os
import socket
import sys

from supervisor.client.proxy import loads

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable
    from typing import Any

UNIX, HTTP = "unix://", "http://"

RECV_BYTES = 1 << 16
MAX_LINE_BYTES = 1 << 16  # limit of a response head, and of a chunk's size line

MAX_DIGITS = 16  # of a length field or a chunk size
HEX_DIGITS = b"0123456789abcdefABCDEF"

MAX_RESPONSE_BYTES = 256 * 1024 * 1024
"""Limit of an XML-RPC response, so that an endless one cannot exhaust the memory."""

OK = 200

NO_BODY = (204, 304)  # statuses that never have a body, even with a Content-Length


# -- addresses ------------------------------------------------------------------------


def check_serverurl(serverurl: str | None) -> str:
    """Return the URL of a server; raises ValueError if it is neither unix:// nor http://."""
    if not serverurl or not serverurl.startswith((UNIX, HTTP)):
        raise ValueError(f"Unknown protocol for serverurl {serverurl}")
    return serverurl


def host_header(serverurl: str) -> str:
    """Return the value of the Host field for a server's URL."""
    if serverurl.startswith(UNIX):
        return "localhost"
    return serverurl.removeprefix(HTTP).partition("/")[0].rpartition("@")[2]


def _host_and_port(serverurl: str) -> tuple[str, int]:
    """Return host and port of `http://host[:port][/path]`; raises ValueError."""
    netloc = host_header(serverurl)
    host, colon, port = netloc.rpartition(":")
    if not colon or port.endswith("]"):  # no port, or a colon inside [::1]
        host, port = netloc, "80"
    if not port.isdecimal():
        raise ValueError(f"nonnumeric port in {serverurl}: {port!r}")
    return host.strip("[]"), int(port)


def connect(serverurl: str, timeout: float | None = None) -> socket.socket:
    """Return a connected socket; `timeout` is in seconds.  Raises OSError or ValueError."""
    if serverurl.startswith(UNIX):
        return _connect_unix(serverurl.removeprefix(UNIX), timeout)
    # create_connection tries all addresses: `localhost` may resolve to ::1 first.
    return socket.create_connection(_host_and_port(serverurl), timeout)


def _connect_unix(path: str, timeout: float | None) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


def check_peer(
    connection: socket.socket, serverurl: str, trusted_uids: Callable[[], frozenset[int]]
) -> None:
    """Check that the process listening on a unix socket may receive a password.

    It must run as root, as our own user, or as a user that `peers.check` accepts.  Raises
    `peers.UntrustedPeerError`, an OSError.
    """
    option = getattr(socket, "SO_PEERCRED", None)  # Linux: unix(7)
    if option is None or not serverurl.startswith(UNIX):
        return
    # struct ucred: pid, uid, gid
    credentials = connection.getsockopt(socket.SOL_SOCKET, option, 12)
    uid = int.from_bytes(credentials[4:8], sys.byteorder)
    if uid not in {0, os.geteuid()}:
        from supervisor.client import peers

        peers.check(uid, serverurl.removeprefix(UNIX), trusted_uids())


def authorization(username: str | None, password: str | None) -> str:
    """Return the Authorization field for Basic authentication, or '' without a user name."""
    if not username:
        return ""
    from binascii import b2a_base64

    credentials = f"{username}:{password or ''}".encode()
    return f"Authorization: Basic {b2a_base64(credentials, newline=False).decode('ascii')}\r\n"


def get_request(
    serverurl: str, path: str, username: str | None = None, password: str | None = None
) -> bytes:
    """Return a GET request for a path, whose special characters are quoted here."""
    from urllib.parse import quote

    return (
        f"GET {quote(path, safe='/:?=&%')} HTTP/1.1\r\nHost: {host_header(serverurl)}\r\n"
        f"Accept: */*\r\nUser-Agent: supervisor\r\n{authorization(username, password)}\r\n"
    ).encode("latin-1", "replace")


# -- responses: a pure machine ---------------------------------------------------------


def _bad_response(line: bytes) -> Exception:
    from http.client import BadStatusLine

    return BadStatusLine(repr(line.decode("latin-1")))


class ResponseParser:
    """An incremental parser of one HTTP response; `feed` returns the bytes of the body.

    `status` is None until the head is complete.  `done` becomes true at the end of the
    response; then `keeps_connection` is whether the connection can carry another request.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.reason = ""
        self.headers: dict[str, str] = {}  # names in lower case
        self.done = False
        self.keeps_connection = False
        self._buffer = b""  # an incomplete line
        self._left: int | None = None  # remaining bytes of body or chunk; None: up to EOF
        self._read = self._read_head

    def feed(self, data: bytes) -> bytes:
        """Parse bytes from the server; return those of the body.

        Raises `http.client.BadStatusLine` if the response is not valid HTTP.
        """
        body = []
        self._buffer += data
        while not self.done:
            part = self._read()
            if part is None:  # more bytes are needed
                break
            body.append(part)
        return b"".join(body)

    def end(self) -> None:
        """Handle the end of the connection; raises if the response is incomplete.

        Raises `http.client.RemoteDisconnected` if nothing was received, else `IncompleteRead`.
        """
        if self.status is not None and self._read == self._read_sized and self._left is None:
            self.done = True
        if self.done:
            return
        from http.client import IncompleteRead, RemoteDisconnected

        if self.status is None and not self._buffer:
            raise RemoteDisconnected("Remote end closed connection without response")
        raise IncompleteRead(self._buffer, self._left)

    def _line(self) -> bytes | None:
        line, newline, rest = self._buffer.partition(b"\n")
        if not newline:
            if len(line) > MAX_LINE_BYTES:
                raise _bad_response(line[:80])
            return None
        self._buffer = rest
        return line.rstrip(b"\r")

    def _read_head(self) -> bytes | None:
        head, blank, rest = self._buffer.partition(b"\r\n\r\n")
        if not blank:
            first_line = self._buffer[:80]
            is_http = first_line[:5] == b"HTTP/"[: len(first_line)]
            if not is_http or len(self._buffer) > MAX_LINE_BYTES:
                raise _bad_response(first_line)
            return None
        self._buffer = rest
        status_line, *fields = head.decode("latin-1").split("\r\n")
        self._take_status(status_line)
        for field in fields:
            name, _, value = field.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        self._prepare_body()
        return b""

    def _take_status(self, line: str) -> None:
        version, _, rest = line.partition(" ")
        status, _, self.reason = rest.partition(" ")
        if not version.startswith("HTTP/1.") or not (len(status) == 3 and status.isdecimal()):  # noqa: PLR2004 - RFC 9112, 4
            raise _bad_response(line.encode("latin-1"))
        self.status = int(status)
        self.keeps_connection = version == "HTTP/1.1"

    def _prepare_body(self) -> None:
        if self.headers.get("connection", "").lower() == "close":
            self.keeps_connection = False
        length = self.headers.get("content-length", "")
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            self._read = self._read_chunk_size
            return
        self._read = self._read_sized
        if self.status in NO_BODY:
            self._left = 0
        elif length.isdecimal() and len(length) <= MAX_DIGITS:
            self._left = int(length)
        else:
            self.keeps_connection = False
        self.done = self._left == 0

    def _take(self) -> bytes | None:
        """Return the received bytes of the body or chunk, or None if there are none."""
        data = self._buffer[: self._left]
        self._buffer = self._buffer[len(data) :]
        if self._left is not None:
            self._left -= len(data)
        return data or None

    def _read_sized(self) -> bytes | None:
        data = self._take()
        self.done = self._left == 0
        return data

    def _read_chunk_size(self) -> bytes | None:
        line = self._line()
        if line is None:
            return None
        size = line.partition(b";")[0].strip()
        if not size or len(size) > MAX_DIGITS or size.strip(HEX_DIGITS):
            raise _bad_response(line)
        self._left = int(size, 16)
        self._read = self._read_chunk if self._left else self._read_trailer
        return b""

    def _read_chunk(self) -> bytes | None:
        data = self._take()
        if self._left == 0:
            self._read = self._read_chunk_end
        return data

    def _read_chunk_end(self) -> bytes | None:
        line = self._line()
        if line is None:
            return None
        if line:
            raise _bad_response(line)
        self._read = self._read_chunk_size
        return b""

    def _read_trailer(self) -> bytes | None:
        line = self._line()
        if line is None:
            return None
        self.done = line == b""
        return b""


# -- XML-RPC ---------------------------------------------------------------------------


class SupervisorTransport:
    """XML-RPC transport to `unix://path` or `http://host[:port]`, on a persistent connection.

    For `xmlrpc.client.ServerProxy("http://127.0.0.1", transport=SupervisorTransport(user,
    password, serverurl))`; the proxy's own address is ignored.  `timeout` is the timeout of
    each send and receive in seconds, None for no timeout.  Raises ValueError for another kind
    of address.
    """

    def __init__(
        self,
        username: str | None = None,
        password: str | None = None,
        serverurl: str | None = None,
    ) -> None:
        self.serverurl = check_serverurl(serverurl)
        self.username = username or ""
        self.password = password or ""
        self.timeout: float | None = None
        self.verbose = False
        self.trusted_uids: Callable[[], frozenset[int]] = frozenset  # see `peers`
        self.connection: socket.socket | None = None

    def __del__(self) -> None:
        # If __init__ has rejected the address, there is no `connection` attribute.
        if getattr(self, "connection", None) is not None:
            self.close()

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def request(
        self,
        host: str,
        handler: str,
        request_body: bytes | str,
        verbose: bool = False,  # noqa: FBT001, FBT002 - the signature that xmlrpc.client calls
    ) -> Any:
        """Return a tuple with the value of the response, as `xmlrpc.client` expects it.

        Raises `xmlrpc.client.Fault`, `ProtocolError` for an HTTP status other than 200, OSError,
        `http.client.HTTPException` for invalid HTTP, and the exceptions of `proxy.loads`.
        """
        self.verbose = verbose
        body = request_body.encode() if isinstance(request_body, str) else request_body
        parser, response = self._exchange(self._head(handler, len(body)) + body)
        if parser.status != OK:
            from xmlrpc.client import ProtocolError

            raise ProtocolError(host + handler, parser.status or 0, parser.reason, parser.headers)
        return (loads(response),)

    def _head(self, path: str, length: int) -> bytes:
        return (
            f"POST {path} HTTP/1.1\r\nHost: {host_header(self.serverurl)}\r\n"
            "User-Agent: supervisor\r\nAccept: text/xml\r\nContent-Type: text/xml\r\n"
            f"{authorization(self.username, self.password)}Content-Length: {length}\r\n\r\n"
        ).encode("latin-1", "replace")

    def _exchange(self, request: bytes) -> tuple[ResponseParser, bytes]:
        """Send a request and return the response; reuse the connection if it is still open."""
        if self.connection is not None:
            try:
                return self._send_and_receive(self.connection, request)
            except ConnectionError:
                # The server has closed it in the meantime (RemoteDisconnected is a
                # ConnectionError, too): retry on a new connection.
                self.close()
        self.connection = connect(self.serverurl, self.timeout)
        if self.username:
            try:
                check_peer(self.connection, self.serverurl, self.trusted_uids)
            except OSError:
                self.close()
                raise
        return self._send_and_receive(self.connection, request)

    def _send_and_receive(
        self, connection: socket.socket, request: bytes
    ) -> tuple[ResponseParser, bytes]:
        parser, parts, received_bytes = ResponseParser(), [], 0
        try:
            connection.settimeout(self.timeout)
            connection.sendall(request)
            while not parser.done:
                data = connection.recv(RECV_BYTES)
                received_bytes += len(data)
                _check_size(received_bytes)
                if data:
                    parts.append(parser.feed(data))
                else:
                    parser.end()
        except BaseException:
            # Also on Ctrl-C: the rest of this response must not be read as the next one.
            self.close()
            raise
        if not parser.keeps_connection:
            self.close()
        return parser, b"".join(parts)


def _check_size(received_bytes: int) -> None:
    if received_bytes > MAX_RESPONSE_BYTES:
        raise OSError(errno.EMSGSIZE, f"sent a response of more than {MAX_RESPONSE_BYTES >> 20} MB")
