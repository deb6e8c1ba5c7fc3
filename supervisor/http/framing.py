"""Limits of a request, and bodies in chunks: pure (floor 5).

`wire.RequestParser` finds the head of a request and leaves a body whose length is not known before
to a `ChunkDecoder`.  Such a body is a sequence of chunks (RFC 9112, 7.1):

    5;name=value CRLF      the size in hexadecimal digits, and extensions, which are dropped
    hello CRLF
    0 CRLF                 the last chunk
    Name: value CRLF       trailer fields, which are dropped
    CRLF

The decoder takes no other form.  Wherever two servers in a row read chunks differently (a bare line
feed, a blank behind the size, `0x5`), one of them can be made to see a request that the other has
not seen.
"""

from __future__ import annotations

import re

from supervisor.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

MAX_SIZE_LINE_BYTES: Final = 1024
"""Length of a line with the size of a chunk and its extensions."""

MAX_EXTENSION_BYTES: Final = 16 * 1024
"""Length of all extensions of a body: they cost work and mean nothing."""

_CRLF = b"\r\n"

TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"

SINGLE_FIELDS: Final = frozenset({"content-length", "host", "transfer-encoding", "authorization"})
"""Fields that a header has once, and a trailer never: they frame, route or admit the request."""

field_line = re.compile(rb"(%s):[ \t]*([\t\x20-\x7e\x80-\xff]*)" % TOKEN).fullmatch
_size_line = re.compile(
    rb"([0-9A-Fa-f]{1,16})(;[\t\x20-\x7e\x80-\xff]{0,%d})?\r\n" % (MAX_SIZE_LINE_BYTES - 17)
).match


@record(frozen=True)
class Limits:
    """What one request may cost, in bytes; `fields` is a number of header fields."""

    line: int = 8190
    head: int = 32 * 1024
    fields: int = 100
    body: int = 16 * 1024 * 1024


class BadRequest(Exception):
    """What came is no request that we serve: answer `code`, then close."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class ChunkDecoder:
    """Puts one body together; a body has up to `limits.body` bytes, its trailer `limits.head`.

    A client may send a body in chunks of one byte, so the work for each chunk is kept small: a read
    of 16 KB with 2,730 chunks takes 3 ms.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._body = bytearray()
        self._missing = 0  # bytes of the chunk that have not come, with the CRLF behind it
        self._is_in_trailer = False
        self._extension_bytes = 0
        self._trailer_bytes = 0
        self._trailer_fields = 0

    @property
    def held_bytes(self) -> int:
        """Bytes of the body so far."""
        return len(self._body)

    def decode(self, buffer: bytearray) -> bytes | None:
        """Remove from `buffer` all that can be read; return the body once its end has come.

        None means that more bytes are needed.  Raises `BadRequest`.
        """
        data = bytes(buffer)
        position, has_ended = self._take_chunks(data), False
        if self._is_in_trailer:
            position, has_ended = self._take_trailer(data, position)
        del buffer[:position]
        return bytes(self._body) if has_ended else None

    def _take_chunks(self, data: bytes) -> int:
        """Add the data of chunks to the body; return where the first byte is that is left."""
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
        """Take from the chunk that has begun, and the CRLF behind it; return how many bytes."""
        part = data[position : position + self._missing]
        if len(part) == self._missing:
            if not part.endswith(_CRLF):
                raise BadRequest(400, "chunk longer than its size")
        else:  # not the CRLF by halves
            part = part[: self._missing - len(_CRLF)]
        self._body += part[: self._missing - len(_CRLF)]
        self._missing -= len(part)
        return len(part)

    def _count_extension(self, extension: bytes) -> None:
        self._extension_bytes += len(extension)
        if self._extension_bytes > MAX_EXTENSION_BYTES:
            raise BadRequest(400, "chunk extensions too long")

    def _take_trailer(self, data: bytes, position: int) -> tuple[int, bool]:
        """Drop fields; return where the first byte is that is left, and whether this is the end."""
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
    """Raise `BadRequest` unless a line has only not come whole, and still may within `limit`."""
    has_ended = data.find(_CRLF, position, position + limit + 2) >= 0
    if has_ended or len(data) - position >= limit + 2:
        raise BadRequest(400, "malformed line of a body in chunks")
