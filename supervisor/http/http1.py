"""HTTP on the wire: a request parser and a response serialiser, both without I/O.

Bytes in, events out; nothing here owns an fd, a timer or a logger.  `connection` feeds the
parser and sends the bytes that the functions at the end of this file return.

The parser enforces what RFC 9112 requires of senders and uses none of the leniency that it
allows receivers, because each has been a vulnerability somewhere: lines end in CRLF, no blank
precedes a colon, no line is folded, a body has exactly one length.  The exceptions are for old
clients and scripts: an empty line before a request (section 2.2), UTF-8 in a target, and more
than one slash at its beginning.
"""

from __future__ import annotations

import functools
import re
import time

from supervisor.common.records import record
from supervisor.http.framing import (
    SINGLE_FIELDS,
    TOKEN,
    BadRequest,
    ChunkDecoder,
    Limits,
    field_line,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

RESPONSES: Final = {
    100: "Continue",
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    303: "See Other",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Time-out",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    413: "Request Entity Too Large",
    414: "Request-URI Too Large",
    415: "Unsupported Media Type",
    417: "Expectation Failed",
    421: "Misdirected Request",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version not supported",
}
"""Status codes and their reason phrases, as Supervisor 4 sends them."""


@record(frozen=True)
class Head:
    """A request without its body; `fields` has lower-case names, and repeated fields joined.

    `uri` begins with one slash (or is `*`).  If the target was an absolute URL, its host replaces
    the Host field in `fields` (RFC 9112, 3.2.2).
    """

    command: str
    uri: str
    version: str
    lines: tuple[str, ...]
    fields: dict[str, str]
    content_length: int
    keep_alive: bool
    expects_continue: bool
    is_chunked: bool = False


# -- requests ------------------------------------------------------------------

_request_line = re.compile(rb"(%s) ([\x21-\x7e\x80-\xff]+) HTTP/([0-9]\.[0-9])" % TOKEN).fullmatch
_absolute_form = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE).fullmatch
_bare_line_feed = re.compile(rb"(?<!\r)\n").search

_CR, _SPACE = 0x0D, 0x20
MAX_LENGTH_DIGITS: Final = 18
_HEAD_END = b"\r\n\r\n"
_COMMON_HEAD = 1024


class RequestParser:
    """Incremental parser: takes bytes, returns events.

    For each request `next_event` returns a `Head`, then its whole body (`b""` if it has
    none), and None when more bytes are needed.  After `BadRequest` the rest of the stream
    cannot be parsed.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._buffer = bytearray()
        self._searched = 0
        self._skipped_empty_line = False
        self._head: Head | None = None
        self._chunks: ChunkDecoder | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no part of the next request has arrived."""
        return self._head is None and not self._buffer

    @property
    def pending(self) -> int:
        """Number of buffered bytes: of a body, and of the requests after it."""
        return len(self._buffer) + (self._chunks.held_bytes if self._chunks is not None else 0)

    @property
    def awaits_body(self) -> bool:
        """Whether the client has yet to send the body, or the rest of a body with a length."""
        if self._head is None:
            return False
        return (
            not self._buffer if self._head.is_chunked else self.pending < self._head.content_length
        )

    def discard(self) -> None:
        """Free the buffer: the request that it belongs to has been refused."""
        self._chunks = None
        self._buffer = bytearray(b"\0")  # not idle: the client may still be sending

    def feed(self, data: bytes) -> None:
        """Add bytes received from the client."""
        self._buffer += data

    def next_event(self) -> Head | bytes | None:
        """Return the next `Head` or body; raises `BadRequest`."""
        if self._head is None:
            self._head = self._take_head()
            if self._head is not None and self._head.is_chunked:
                self._chunks = ChunkDecoder(self._limits)
            return self._head
        if self._chunks is not None:
            return self._next_chunks(self._chunks)
        length = self._head.content_length
        if len(self._buffer) < length:
            return None
        self._head = None
        return self._take(length) if length else b""

    def _next_chunks(self, chunks: ChunkDecoder) -> bytes | None:
        body = chunks.decode(self._buffer)
        if body is not None:
            self._head = self._chunks = None
        return body

    def _take(self, length: int) -> bytes:
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._searched = 0
        return taken

    def _take_head(self) -> Head | None:
        buffer, limits = self._buffer, self._limits
        if not buffer:
            return None
        if not self._skipped_empty_line and buffer.startswith(b"\r\n"):
            del buffer[:2]
            self._skipped_empty_line = True
        end = buffer.find(_HEAD_END, max(self._searched - 3, 0))
        # The last byte may be the carriage return of a line that just fits.
        if (end if end >= 0 else len(buffer) - 1) > limits.line:
            self._check_sizes(end)
        if end < 0:
            self._check_beginning()
            return None
        raw = self._take(end + 4)[:-4]
        self._skipped_empty_line = False
        head = _parse_common_head(raw) if end <= _COMMON_HEAD else _parse_head(raw)
        if len(head.lines) > limits.fields:
            raise BadRequest(431, "too many header fields")
        if head.content_length > limits.body:
            raise BadRequest(413, "body too large")
        return head

    def _check_sizes(self, end: int) -> None:
        line_end = self._buffer.find(b"\r\n", 0, self._limits.line + 2)
        if line_end < 0:
            raise BadRequest(414, "request line too long")
        if (end if end >= 0 else len(self._buffer) - 3) > self._limits.head:
            raise BadRequest(431, "header too large")

    def _check_beginning(self) -> None:
        """Raise `BadRequest` for bytes that cannot become a head, without waiting for the rest."""
        buffer = self._buffer
        if not buffer:
            return  # only an empty line has arrived
        if buffer[0] <= _SPACE and buffer != b"\r":
            raise BadRequest(400, "not a request line")
        if _bare_line_feed(buffer, self._searched):
            raise BadRequest(400, "line feed without carriage return")
        self._searched = len(buffer)


def _parse_head(raw: bytes) -> Head:
    """Return the `Head` parsed from a head without its last empty line; raises `BadRequest`."""
    if _bare_line_feed(raw):
        raise BadRequest(400, "line feed without carriage return")
    first, *rest = raw.split(b"\r\n")
    match = _request_line(first)
    if match is None:
        raise BadRequest(400, "malformed request line")
    try:
        command, uri, version = (part.decode() for part in match.groups())
    except UnicodeDecodeError:
        raise BadRequest(400, "malformed request target") from None
    if version not in ("1.0", "1.1"):
        raise BadRequest(505, "HTTP version not supported")
    fields: dict[str, str] = {}
    for line in rest:
        _add_field(fields, line)
    if "host" not in fields and version == "1.1":
        raise BadRequest(400, "no Host")
    length, is_chunked = _body_framing(fields, version)
    tokens = {token.strip().lower() for token in fields.get("connection", "").split(",")}
    return Head(
        command=command,
        uri=_origin_form(uri, fields),
        version=version,
        lines=tuple(line.decode("latin-1") for line in rest),
        fields=fields,
        content_length=length,
        keep_alive="close" not in tokens if version == "1.1" else "keep-alive" in tokens,
        expects_continue=version == "1.1" and fields.get("expect", "").lower() == "100-continue",
        is_chunked=is_chunked,
    )


_parse_common_head = functools.lru_cache(maxsize=32)(_parse_head)
"""A client repeats its head on a persistent connection: 0.1 instead of 7 microseconds."""


def _add_field(fields: dict[str, str], line: bytes) -> None:
    match = field_line(line)
    if match is None:
        raise BadRequest(400, "malformed header field")
    name = match[1].decode("ascii").lower()
    value = match[2].rstrip(b" \t").decode("latin-1")
    if name not in fields:
        fields[name] = value
    elif name in SINGLE_FIELDS:
        raise BadRequest(400, f"more than one {name}")
    else:
        fields[name] = f"{fields[name]}, {value}"


def _origin_form(uri: str, fields: dict[str, str]) -> str:
    """Return a target without scheme, host and extra slashes; put the host into `fields`."""
    match = None if uri.startswith("/") else _absolute_form(uri)
    if match is not None:
        host, uri = match.groups()
        if not host or "@" in host:  # RFC 9110, 4.2.4
            raise BadRequest(400, "malformed request target")
        fields["host"] = host
        uri = f"/{uri}"
    return f"/{uri.lstrip('/')}" if uri.startswith("//") else uri


def _body_framing(fields: dict[str, str], version: str) -> tuple[int, bool]:
    """Return the length of a body in bytes, and whether it is chunked instead."""
    text, coding = fields.get("content-length"), fields.get("transfer-encoding")
    if coding is not None:
        if text is not None or version == "1.0":  # request smuggling (RFC 9112, 6.1)
            raise BadRequest(400, "transfer-encoding beside a length, or in HTTP/1.0")
        if coding.lower() != "chunked":
            raise BadRequest(501, "unknown transfer coding")
        return 0, True
    if text is None:
        return 0, False
    if not (text.isascii() and text.isdigit()):
        raise BadRequest(400, "malformed content-length")
    if len(text) > MAX_LENGTH_DIGITS:
        raise BadRequest(413, "body too large")
    return int(text), False


# -- responses -----------------------------------------------------------------

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@functools.lru_cache(maxsize=4)
def http_date(seconds: int) -> str:
    """Return seconds since the epoch in HTTP's format (RFC 9110, 5.6.7), in any locale."""
    year, month, day, hour, minute, second, weekday, _, _ = time.gmtime(seconds)
    return (
        f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year}"
        f" {hour:02}:{minute:02}:{second:02} GMT"
    )


_CONDITION: Final = (
    r"[a-z]{3}, (\d{1,2}) ([a-z]{3}) (\d{4,9}) (\d\d):(\d\d):(\d\d) gmt(?:; length=(\d{1,18}))?"
)


def is_unmodified(condition: str, modified: int, size: int) -> bool:
    """Whether a client's copy of a file is current, by `If-Modified-Since` (RFC 9110, 13.1.3).

    `modified` is in seconds since the epoch, `size` in bytes.  The date must have the format of
    `http_date`; if a length follows it, as old browsers send, it must equal the size.
    """
    match = re.fullmatch(_CONDITION, condition, re.ASCII | re.IGNORECASE)
    if match is None or match[2].title() not in _MONTHS:
        return False
    day, month, year, *clock, length = match.groups()
    date = (int(year), _MONTHS.index(month.title()) + 1, int(day), *map(int, clock))
    return date >= time.gmtime(modified)[:6] and (length is None or int(length) == size)


def response_head(version: str, code: int, fields: dict[str, str]) -> bytes:
    """Return the status line and header of a response, with the empty line after them."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in fields.items()])
    text = f"HTTP/{version} {code} {RESPONSES.get(code, 'Unknown')}\r\n{lines}\r\n"
    return text.encode("latin-1", "replace")


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body; `data` is not empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)
