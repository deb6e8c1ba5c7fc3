"""The lines in a child's output.

The splitter is a pure machine, bytes in and lines out.  Its result does not depend on how the
input is split into chunks.
"""

from __future__ import annotations

MAX_LINE_BYTES = 64 * 1024
"""Length at which a line is cut; it bounds the memory for a child that writes no newline."""

MAX_CONTINUATION_BYTES = 3
"""Bytes of a character after its first one, at most (RFC 3629)."""


class PartialLine(bytes):
    """The first part of a line that has been cut, or one of those between it and the last."""

    __slots__ = ()


class LineSplitter:
    r"""Splitter of output into lines, without their ends: `\n`, or `\r\n`.

    A line of more than `MAX_LINE_BYTES` is cut, not within a character of UTF-8.  All its parts
    but the last are a `PartialLine`.  `held` is the line that is not complete yet.
    """

    def __init__(self) -> None:
        self.held = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete, and the parts of those that are too long."""
        if self.held:
            data = self.held + data
        lines = data.replace(b"\r\n", b"\n").split(b"\n")
        self.held = lines.pop()
        if len(data) > MAX_LINE_BYTES:
            lines = [part for line in lines for part in _parts(line)]
            # A carriage return may belong to the end of the line, so it is not cut off.
            end = b"\r" if self.held.endswith(b"\r") else b""
            *parts, rest = _parts(self.held.removesuffix(end))
            lines += parts
            self.held = rest + end
        return lines

    def flush(self) -> list[bytes]:
        """Return the last line if it has no newline, at the end of the stream."""
        held, self.held = self.held, b""
        return _parts(held) if held else []


def _parts(line: bytes) -> list[bytes]:
    """Return the parts of a line, or the line alone if it is short enough."""
    parts: list[bytes] = []
    while len(line) > MAX_LINE_BYTES:
        end = _cut_position(line)
        parts.append(PartialLine(line[:end]))
        line = line[end:]
    parts.append(line)
    return parts


def _cut_position(line: bytes) -> int:
    """Return the end of the last whole character within the limit, or the limit in other data."""
    for end in range(MAX_LINE_BYTES, MAX_LINE_BYTES - MAX_CONTINUATION_BYTES - 1, -1):
        if line[end] & 0xC0 != 0x80:  # noqa: PLR2004 - 10xxxxxx is a continuation byte
            return end
    return MAX_LINE_BYTES


class WholeLines:
    """Formatter that leaves the output as it is, but holds back a line until it is complete.

    A line of more than `MAX_LINE_BYTES` is not held back any longer.  `held` is the line that is
    not complete yet.
    """

    def __init__(self) -> None:
        self.held = b""

    def feed(self, data: bytes) -> bytes:
        """Return the lines that are complete."""
        data = self.held + data
        end = data.rfind(b"\n") + 1
        if len(data) - end > MAX_LINE_BYTES:
            end = len(data)
        self.held = data[end:]
        return data[:end]

    def flush(self) -> bytes:
        """Return the last line if it has no newline, at the end of the stream."""
        held, self.held = self.held, b""
        return held
