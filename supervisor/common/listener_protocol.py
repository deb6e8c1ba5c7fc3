"""The protocol of event listeners, as the daemon reads it from their stdout.

The parser is a pure machine, bytes in and messages out.  Its result does not depend on how the
input is split into chunks.
"""

from __future__ import annotations

from supervisor.common.records import record
from supervisor.common.text import as_text, bytes_as_text, text_as_bytes
from supervisor.states import EventListenerStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

READY_LINE = b"READY\n"

ACKNOWLEDGED, BUSY, UNKNOWN = (
    EventListenerStates.ACKNOWLEDGED,
    EventListenerStates.BUSY,
    EventListenerStates.UNKNOWN,
)

MAX_RESULT_LINE = 1024
MAX_RESULT_BYTES = 16 * 1024 * 1024
"""Longer result lines and results violate the protocol; they would be buffered endlessly."""


@record(frozen=True)
class Ready:
    """A listener is ready for the next event."""


READY: Final = Ready()


@record(frozen=True)
class Violation:
    """A protocol violation by a listener; `text` gives details, if there are any."""

    text: str = ""

    def __str__(self) -> str:
        return self.text


Message = Ready | bytes | Violation
"""A message from a listener; bytes are a result."""


class ListenerStream:
    r"""Parser of a listener's messages: `READY\n`, then `RESULT n\n` and n bytes per event.

    As in Supervisor 4.3, the first word of a result line is ignored.  `buffer` holds the bytes
    that are not part of a complete message yet.
    """

    def __init__(self) -> None:
        self.buffer = b""
        self._result_length: int | None = None

    def feed(self, data: bytes) -> None:
        """Add received bytes to the buffer."""
        self.buffer += data

    def next_message(self, state: int) -> Message | None:
        """Return the oldest message, or None if none is complete yet.

        `state` is the listener's current state (`EventListenerStates`).  Pass it again for each
        message, because handling a message changes it: output after a READY is valid only if an
        event has been sent in the meantime.
        """
        buffer = self.buffer
        if not buffer:
            return None
        if state == BUSY:
            return self._next_result(buffer)
        if state == ACKNOWLEDGED:
            if len(buffer) < len(READY_LINE):
                return None
            self.buffer = buffer.removeprefix(READY_LINE)
            if len(self.buffer) < len(buffer):
                return READY
        self.buffer = b""
        return None if state == UNKNOWN else Violation()

    def _next_result(self, buffer: bytes) -> bytes | Violation | None:
        length = self._result_length
        if length is None:
            line, newline, buffer = buffer.partition(b"\n")
            if not newline and len(line) <= MAX_RESULT_LINE:
                return None
            length = _length_in(line) if newline else None
            if length is None:
                self.buffer = b""
                return Violation(f"bad result line: '{as_text(line[:MAX_RESULT_LINE])}'")
        if len(buffer) < length:
            self.buffer, self._result_length = buffer, length
            return None
        self.buffer, self._result_length = buffer[length:], None
        return buffer[:length]

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {"buffer": bytes_as_text(self.buffer), "result_length": self._result_length}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self.buffer = text_as_bytes(saved.get("buffer"))
        self._result_length = saved.get("result_length")


def _length_in(result_line: bytes) -> int | None:
    words = result_line.split()
    try:
        length = int(words[1]) if len(words) == 2 else -1  # noqa: PLR2004 - a word and a number
    except ValueError:
        return None
    return length if 0 <= length <= MAX_RESULT_BYTES else None
