"""State machines for the output of children: bytes in, events out (floor 0).

They own no fd, process or logger; the dispatchers feed them.  The result of each machine does
not depend on how its input is split into chunks.
"""

from __future__ import annotations

import re

from supervisor.records import record
from supervisor.states import EventListenerStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

BEGIN_TOKEN = b"<!--XSUPERVISOR:BEGIN-->"
END_TOKEN = b"<!--XSUPERVISOR:END-->"

CAPTURE_FLOOR = 1024 * 1024
"""Captures up to this size are not truncated, even if `capture_maxbytes` is smaller.

Supervisor 4.3 never truncates captures; this limit bounds the memory that a child can use.
"""

READY_LINE = b"READY\n"

ACKNOWLEDGED, BUSY, UNKNOWN = (
    EventListenerStates.ACKNOWLEDGED,
    EventListenerStates.BUSY,
    EventListenerStates.UNKNOWN,
)

MAX_RESULT_LINE = 1024
MAX_RESULT_BYTES = 16 * 1024 * 1024
"""Longer result lines and results violate the protocol; they would be buffered endlessly."""


class AnsiStripper:
    """Filter that removes control sequences (ECMA-48 5.4: ESC [ ... final byte).

    A sequence ends at its final byte, or before the first invalid byte, so that the text after
    a malformed sequence is kept.
    """

    _sequence = rb"\x1b\[[ -?]*[@-~]?"
    _rest_of_sequence = rb"[ -?]*[@-~]?"
    _unfinished = rb"\x1b(?:\[[ -?]*)?\Z"

    def __init__(self) -> None:
        self._inside = False
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return `data` without sequences; an ESC at its end is held back."""
        if self._inside:
            data = self._leave_sequence(data)
        elif self._held:
            data, self._held = self._held + data, b""
        if b"\x1b" not in data:
            return data
        last = data.rfind(b"\x1b")
        unfinished = re.match(self._unfinished, data[last:])
        if unfinished:
            data = data[:last]
            self._inside = len(unfinished[0]) > 1
            self._held = b"" if self._inside else unfinished[0]
        return re.sub(self._sequence, b"", data)

    def _leave_sequence(self, data: bytes) -> bytes:
        rest = re.match(self._rest_of_sequence, data)
        length = rest.end() if rest else 0
        is_final = length > 0 and data[length - 1] >= ord("@")
        self._inside = length == len(data) and not is_final
        return data[length:]

    def flush(self) -> bytes:
        """Return the bytes held back, at the end of the stream."""
        held, self._held, self._inside = self._held, b"", False
        return held


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


def _length_in(result_line: bytes) -> int | None:
    words = result_line.split()
    try:
        length = int(words[1]) if len(words) == 2 else -1  # noqa: PLR2004 - a word and a number
    except ValueError:
        return None
    return length if 0 <= length <= MAX_RESULT_BYTES else None


def as_text(data: bytes | str) -> str:
    """Return the output of a child as text for payloads and the activity log."""
    if isinstance(data, str):
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"Undecodable: {data!r}"


# -- batching of reads ---------------------------------------------------------

REST_SECONDS = 0.02
"""Maximum delay of a read from a busy stream, in seconds."""

SHORT_REST_SECONDS = 0.001
"""Pause after a read once the pipe has been enlarged, in seconds."""

BUSY_READS = 8
"""Number of reads in quick succession after which a stream counts as busy."""

SMALL_BYTES = 16 * 1024
"""Average size of a read below which the call costs more than the data."""

PIPE_BYTES = 64 * 1024
"""Default capacity of a pipe (Linux pipe(7))."""

LARGE_PIPE_BYTES = 1024 * 1024
"""Maximum capacity of a pipe without privileges; it buffers small writes during a pause."""

WIDE_PIPE_BYTES = 256 * 1024
"""Capacity for large writes: the writer continues during reads, and the data fits the cache."""


class Pace:
    """Policy for pauses between reads, which batch the small writes of a busy stream.

    100 children with 1000 lines a second each, in bursts of ten, cost 38 % of a CPU if each
    burst is read separately, and 12 % if those of 20 ms are read together.  A stream that is
    not busy is read immediately.  A fast stream needs a larger pipe for a pause, because a full
    pipe would block its writer: reading 1 GB of 100-byte lines then takes 1 second of CPU
    instead of 3.  With large writes, a larger pipe blocks the writer less often: throughput of
    64 KB writes grows by a quarter.

    `full_bytes` is the maximum size of a read; after a full read, more data may be pending.
    """

    def __init__(self, full_bytes: int) -> None:
        self._full_bytes = full_bytes
        self._began = 0.0
        self._latest = 0.0
        self._reads = 0
        self._bytes = 0
        self._pipe_bytes = PIPE_BYTES
        self._may_grow = True
        self.wanted_pipe_bytes = 0

    def pipe_grew(self, pipe_bytes: int) -> None:
        """Record the capacity of the pipe, which is unchanged if it could not grow."""
        self._may_grow = pipe_bytes > self._pipe_bytes
        self._pipe_bytes = pipe_bytes
        self.wanted_pipe_bytes = 0

    def rest_after(self, size: int, now: float) -> float:
        """Record a read and return the pause after it in seconds, usually 0.

        Long pauses end at a multiple of `REST_SECONDS`, so that many readers resume in the same
        wake-up.
        """
        if now - self._latest > 2 * REST_SECONDS:
            self._began, self._reads, self._bytes = now, 0, 0
        self._latest = now
        self._reads += 1
        self._bytes += size
        if self._reads < BUSY_READS or size >= self._full_bytes:
            return 0.0
        elapsed = now - self._began
        rest = 0.0
        if self._bytes * REST_SECONDS < self._pipe_bytes / 8 * elapsed:
            rest = REST_SECONDS - now % REST_SECONDS
        elif self._may_grow and self._fitting_bytes() > self._pipe_bytes:
            self.wanted_pipe_bytes = self._fitting_bytes()
        elif self._bytes * SHORT_REST_SECONDS < self._pipe_bytes / 2 * elapsed:
            rest = SHORT_REST_SECONDS
        # After a pause, the next read shows whether the stream is still busy.
        self._began, self._reads, self._bytes = now, BUSY_READS - 1 if rest else 0, 0
        return rest

    def _fitting_bytes(self) -> int:
        is_small = self._bytes < self._reads * SMALL_BYTES
        return LARGE_PIPE_BYTES if is_small else WIDE_PIPE_BYTES
