"""Captures: the parts of a child's output that it puts between two tokens.

The splitter is a pure machine, bytes in and parts out.  Its result does not depend on how the
input is split into chunks.
"""

from __future__ import annotations

from supervisor.common.records import record
from supervisor.common.text import bytes_as_text, text_as_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

BEGIN_TOKEN = b"<!--XSUPERVISOR:BEGIN-->"
END_TOKEN = b"<!--XSUPERVISOR:END-->"

CAPTURE_FLOOR = 1024 * 1024
"""Captures up to this size are not truncated, even if `capture_maxbytes` is smaller.

Supervisor 4.3 never truncates captures; this limit bounds the memory that a child can use.
"""


@record(frozen=True)
class Captured:
    """Output of a child between the two tokens."""

    data: bytes


class CaptureSplitter:
    """Splitter of plain output and captures (between `BEGIN_TOKEN` and `END_TOKEN`).

    A capture that exceeds `maxbytes` (and `CAPTURE_FLOOR`) keeps only its last bytes.
    A `BEGIN_TOKEN` within a capture and an `END_TOKEN` outside of one are plain text.
    """

    def __init__(self, maxbytes: int) -> None:
        self._limit = max(maxbytes, CAPTURE_FLOOR)
        self._held = b""
        self._capture: bytearray | None = None

    def feed(self, data: bytes) -> list[bytes | Captured]:
        """Return plain output and captures, in order; the start of a token is held back."""
        parts: list[bytes | Captured] = []
        data, self._held = self._held + data, b""
        start = 0
        while True:
            token = BEGIN_TOKEN if self._capture is None else END_TOKEN
            end = data.find(token, start)
            if end < 0:
                break
            self._take(data[start:end], parts)
            self._toggle(parts)
            start = end + len(token)
        end = len(data) - _length_of_token_start(data, token, start)
        self._take(data[start:end], parts)
        self._held = data[end:]
        return parts

    def flush(self) -> list[bytes | Captured]:
        """Return the bytes held back, as plain output, at the end of the stream.

        They include an unterminated capture: it is not a message, but it must not get lost.
        """
        held, self._held = self._held, b""
        if self._capture is not None:
            held = BEGIN_TOKEN + bytes(self._capture) + held
            self._capture = None
        return [held] if held else []

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        capture = None if self._capture is None else bytes_as_text(self._capture)
        return {"held": bytes_as_text(self._held), "capture": capture}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self._held = text_as_bytes(saved.get("held"))
        capture = saved.get("capture")
        self._capture = None if capture is None else bytearray(text_as_bytes(capture))

    def _take(self, data: bytes, parts: list[bytes | Captured]) -> None:
        if self._capture is not None:
            self._capture += data
            del self._capture[: -self._limit]
        elif data:
            parts.append(data)

    def _toggle(self, parts: list[bytes | Captured]) -> None:
        if self._capture is None:
            self._capture = bytearray()
        else:
            parts.append(Captured(bytes(self._capture)))
            self._capture = None


def _length_of_token_start(data: bytes, token: bytes, start: int) -> int:
    """Return the number of bytes at the end of `data` that may start a token.

    The first byte of a token does not occur again in it, so only the last such byte in `data`
    can start one.
    """
    at = data.rfind(token[:1], max(start, len(data) - len(token) + 1))
    return len(data) - at if at >= 0 and token.startswith(data[at:]) else 0
