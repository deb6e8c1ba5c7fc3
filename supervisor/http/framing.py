"""Limits of a request, and a decoder of chunked bodies, both without I/O.

`http1.RequestParser` finds the head of a request and leaves a body whose length is not known in
advance to a `ChunkDecoder`.  Such a body is a sequence of chunks (RFC 9112, 7.1):

    5;name=value CRLF      the size in hexadecimal digits, and extensions, which are ignored
    hello CRLF
    0 CRLF                 the last chunk
    Name: value CRLF       trailer fields, which are ignored
    CRLF

The decoder accepts no other form.  Where a proxy and a server parse chunks differently (a bare line
feed, a blank after the size, `0x5`), a client can smuggle in a request that only one of them
sees.
"""

from __future__ import annotations

import re

from supervisor.common.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

MAX_SIZE_LINE_BYTES: Final = 1024
"""Maximum length of a line with the size of a chunk and its extensions."""

MAX_EXTENSION_BYTES: Final = 16 * 1024
"""Maximum length of all extensions of a body: they cost time and have no effect."""

_CRLF = b"\r\n"

TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"

SINGLE_FIELDS: Final = frozenset({"content-length", "host", "transfer-encoding", "authorization"})
"""Fields allowed once in a header and never in a trailer: they frame, route or authenticate."""

field_line = re.compile(rb"(%s):[ \t]*([\t\x20-\x7e\x80-\xff]*)" % TOKEN).fullmatch
_size_line = re.compile(
    rb"([0-9A-Fa-f]{1,16})(;[\t\x20-\x7e\x80-\xff]{0,%d})?\r\n" % (MAX_SIZE_LINE_BYTES - 17)
).match


@record(frozen=True)
class Limits:
    """Limits of one request, in bytes; `fields` is a number of header fields."""

    line: int = 8190
    head: int = 32 * 1024
    fields: int = 100
    body: int = 16 * 1024 * 1024


class BadRequest(Exception):
    """A malformed or unsupported request: respond with `code`, then close."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class ChunkDecoder:
    """Decoder of one chunked body of up to `limits.body` bytes, and `limits.head` in its trailer.

    A client may send a body in chunks of one byte, so the work per chunk is small: a read of 16 KB
    with 2,730 chunks takes 3 ms.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._body = bytearray()
        self._missing = 0  # bytes of the chunk that have not arrived, including its CRLF
        self._is_in_trailer = False
        self._extension_bytes = 0
        self._trailer_bytes = 0
        self._trailer_fields = 0

    @property
    def held_bytes(self) -> int:
        """Number of bytes of the body so far."""
        return len(self._body)

    def decode(self, buffer: bytearray) -> bytes | None:
        """Remove all that can be parsed from `buffer`; return the body once it is complete.

        None means that more bytes are needed.  Raises `BadRequest`.
        """
        data = bytes(buffer)
        position, has_ended = self._take_chunks(data), False
        if self._is_in_trailer:
            position, has_ended = self._take_trailer(data, position)
        del buffer[:position]
        return bytes(self._body) if has_ended else None

    def _take_chunks(self, data: bytes) -> int:
        """Add the data of chunks to the body; return the position of the first unparsed byte."""
        position = 0
        while not self._is_in_trailer:
            if self._missing:
                taken = self._take_data(data, position)
                position += taken
                if self._missing:
                    break
            match = _size_line(data, position)
            if match is None:
                _check_incomplete(data, position, MAX_SIZE_LINE_BYTES)
                break
            position = match.end()
            size = int(match[1], 16)
            if match[2]:
                self._count_extension(match[2])
            if len(self._body) + size > self._limits.body:
                raise BadRequest(413, "body too large")
            if size:
                self._missing = size + len(_CRLF)
            else:
                self._is_in_trailer = True
        return position

    def _take_data(self, data: bytes, position: int) -> int:
        """Take the rest of the current chunk and its CRLF; return the number of bytes taken."""
        part = data[position : position + self._missing]
        if len(part) == self._missing:
            if not part.endswith(_CRLF):
                raise BadRequest(400, "chunk longer than its size")
        else:  # never half of the CRLF
            part = part[: self._missing - len(_CRLF)]
        self._body += part[: self._missing - len(_CRLF)]
        self._missing -= len(part)
        return len(part)

    def _count_extension(self, extension: bytes) -> None:
        self._extension_bytes += len(extension)
        if self._extension_bytes > MAX_EXTENSION_BYTES:
            raise BadRequest(400, "chunk extensions too long")

    def _take_trailer(self, data: bytes, position: int) -> tuple[int, bool]:
        """Skip trailer fields; return the position of the first unparsed byte, and whether done."""
        limit = self._limits.line
        while (end := data.find(_CRLF, position, position + limit + 2)) >= 0:
            line, position = data[position:end], end + len(_CRLF)
            if not line:
                return position, True
            self._check_field(line)
        _check_incomplete(data, position, limit)
        return position, False

    def _check_field(self, line: bytes) -> None:
        self._trailer_bytes += len(line)
        self._trailer_fields += 1
        if self._trailer_bytes > self._limits.head or self._trailer_fields > self._limits.fields:
            raise BadRequest(431, "trailer too large")
        match = field_line(line)
        if match is None or match[1].decode("ascii").lower() in SINGLE_FIELDS:
            raise BadRequest(400, "malformed trailer field")


def _check_incomplete(data: bytes, position: int, limit: int) -> None:
    """Raise `BadRequest` unless a line is merely incomplete and may still end within `limit`."""
    has_ended = data.find(_CRLF, position, position + limit + 2) >= 0
    if has_ended or len(data) - position >= limit + 2:
        raise BadRequest(400, "malformed line of a body in chunks")
