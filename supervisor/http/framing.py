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

TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"

SINGLE_FIELDS: Final = frozenset({"content-length", "host", "transfer-encoding", "authorization"})
"""Fields that a header has once, and a trailer never: they frame, route or admit the request."""

field_line = re.compile(rb"(%s):[ \t]*([\t\x20-\x7e\x80-\xff]*)" % TOKEN).fullmatch
_size_line = re.compile(rb"([0-9A-Fa-f]{1,16})(;[\t\x20-\x7e\x80-\xff]*)?").fullmatch


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
    """Puts one body together; a body has up to `limits.body` bytes, its trailer `limits.head`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._body = bytearray()
        self._missing = 0
        self._is_in_chunk = False
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
        while True:
            if self._is_in_chunk and not self._take_data(buffer):
                return None
            limit = self._limits.line if self._is_in_trailer else MAX_SIZE_LINE_BYTES
            line = _take_line(buffer, limit)
            if line is None:
                return None
            if not self._is_in_trailer:
                self._begin_chunk(line)
            elif line:
                self._drop_field(line)
            else:
                return bytes(self._body)

    def _begin_chunk(self, line: bytes) -> None:
        match = _size_line(line)
        if match is None:
            raise BadRequest(400, "malformed size of a chunk")
        self._missing = int(match[1], 16)
        self._extension_bytes += len(match[2] or b"")
        if self._extension_bytes > MAX_EXTENSION_BYTES:
            raise BadRequest(400, "chunk extensions too long")
        if len(self._body) + self._missing > self._limits.body:
            raise BadRequest(413, "body too large")
        self._is_in_chunk = self._missing > 0
        self._is_in_trailer = not self._is_in_chunk

    def _take_data(self, buffer: bytearray) -> bool:
        """Move data to the body; return whether the chunk has ended."""
        if self._missing:
            part = buffer[: self._missing]
            del buffer[: self._missing]
            self._body += part
            self._missing -= len(part)
        if self._missing or len(buffer) < len(b"\r\n"):
            return False
        if not buffer.startswith(b"\r\n"):
            raise BadRequest(400, "chunk longer than its size")
        del buffer[:2]
        self._is_in_chunk = False
        return True

    def _drop_field(self, line: bytes) -> None:
        self._trailer_bytes += len(line)
        self._trailer_fields += 1
        if self._trailer_bytes > self._limits.head or self._trailer_fields > self._limits.fields:
            raise BadRequest(431, "trailer too large")
        match = field_line(line)
        if match is None or match[1].decode("ascii").lower() in SINGLE_FIELDS:
            raise BadRequest(400, "malformed trailer field")


def _take_line(buffer: bytearray, limit: int) -> bytes | None:
    """Remove a line with its CRLF and return it without; None if its end has not come."""
    end = buffer.find(b"\r\n", 0, limit + 2)
    if end < 0:
        if len(buffer) >= limit + 2:
            raise BadRequest(400, "line of a body in chunks too long")
        return None
    line = bytes(buffer[:end])
    del buffer[: end + 2]
    return line
