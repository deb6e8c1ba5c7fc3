"""Pure machines for what children write: bytes in, events out (floor 0).

They own no fd, no process and no logger; the dispatchers feed them.  Every machine gives
the same answers however its input is cut.
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
"""Captures up to this size arrive whole even where `capture_maxbytes` is smaller.

Supervisor 4.3 never cut them at all; this bounds what a child can make the daemon hold.
"""

READY_LINE = b"READY\n"

ACKNOWLEDGED, BUSY, UNKNOWN = (
    EventListenerStates.ACKNOWLEDGED,
    EventListenerStates.BUSY,
    EventListenerStates.UNKNOWN,
)

MAX_RESULT_LINE = 1024
MAX_RESULT_BYTES = 16 * 1024 * 1024
"""Longer result lines and results are breaches: the daemon would wait and hold forever."""


class AnsiStripper:
    """Takes control sequences (ECMA-48 5.4: ESC [ ... final byte) out of a stream.

    A sequence ends at its final byte, or before the first byte that cannot be part of
    one, so that text after a broken sequence survives.
    """

    _sequence = rb"\x1b\[[ -?]*[@-~]?"
    _rest_of_sequence = rb"[ -?]*[@-~]?"
    _unfinished = rb"\x1b(?:\[[ -?]*)?\Z"

    def __init__(self) -> None:
        self._inside = False
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what is left of `data`; an ESC at its end waits for the next byte."""
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
        """Return what was held back, at the end of the stream."""
        held, self._held, self._inside = self._held, b"", False
        return held


@record(frozen=True)
class Captured:
    """What a child has written between the two tokens."""

    data: bytes


class CaptureSplitter:
    """Separates what stands between `BEGIN_TOKEN` and `END_TOKEN` from plain output.

    A capture that grows beyond `maxbytes` (and `CAPTURE_FLOOR`) keeps its last bytes.
    A `BEGIN_TOKEN` within a capture and an `END_TOKEN` outside are text like any other.
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
        """Return, at the end of the stream, what was held back, as plain output.

        That includes a capture that was never ended: it is no message, but it is output.
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
    """Return how many bytes at the end of `data` may begin a token.

    A token has its first byte nowhere else, so only the last such byte can begin one.
    """
    at = data.rfind(token[:1], max(start, len(data) - len(token) + 1))
    return len(data) - at if at >= 0 and token.startswith(data[at:]) else 0


@record(frozen=True)
class Ready:
    """A listener asks for the next event."""


READY: Final = Ready()


@record(frozen=True)
class Violation:
    """A listener has broken the protocol; `text` says how, where there is more to say."""

    text: str = ""

    def __str__(self) -> str:
        return self.text


Message = Ready | bytes | Violation
"""What a listener says; the bytes are those of a result."""


class ListenerStream:
    r"""What an event listener says: `READY\n`, then for its event `RESULT n\n` and n bytes.

    The first word of a result line is not looked at, as in Supervisor 4.3.  `buffer` is what
    has not become a message yet.
    """

    def __init__(self) -> None:
        self.buffer = b""
        self._result_length: int | None = None

    def feed(self, data: bytes) -> None:
        """Take what has come."""
        self.buffer += data

    def next_message(self, state: int) -> Message | None:
        """Return the oldest message, None when more must come before there is one.

        `state` is where the listener stands (`EventListenerStates`): acting on a message
        moves it, and what follows a READY is judged by whether an event was sent meanwhile.
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
    """Return what a child wrote the way payloads and the activity log show it."""
    if isinstance(data, str):
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"Undecodable: {data!r}"


# -- the pace of a stream ------------------------------------------------------

REST_SECONDS = 0.02
"""How late a line of a busy stream may be read."""

SHORT_REST_SECONDS = 0.001
"""How long a reader rests that a large pipe stands by."""

BUSY_READS = 8
"""So many reads, none long after the one before, make a stream busy."""

SMALL_BYTES = 16 * 1024
"""Reads below this cost more than the bytes they bring."""

PIPE_BYTES = 64 * 1024
"""What a pipe holds (Linux pipe(7))."""

LARGE_PIPE_BYTES = 1024 * 1024
"""What a pipe may be made to hold without privileges; little pieces wait in it during a rest."""

WIDE_PIPE_BYTES = 256 * 1024
"""Lets a writer of large pieces go on while they are read; more would not stay in the cache."""


class Pace:
    """Says when the reader of a busy stream of little pieces had better rest.

    100 children with 1000 lines a second each, in bursts of ten, cost 38 % of a CPU read burst
    by burst, and 12 % when those of 20 ms are read together.  A stream that is not busy is read
    at once.  A fast one needs a larger pipe to rest, because its writer must not find the
    pipe full: 3 seconds of CPU for a GB of lines of 100 bytes become 1.  One of large pieces
    need not wait for us so often: 64 KB writes come a quarter faster.

    `full_bytes` is the largest read: behind such a one there may be more.
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
        """Take note of what the pipe holds now: as much as before if it could not grow."""
        self._may_grow = pipe_bytes > self._pipe_bytes
        self._pipe_bytes = pipe_bytes
        self.wanted_pipe_bytes = 0

    def rest_after(self, size: int, now: float) -> float:
        """Take note of a read; return the seconds to rest after it, mostly 0.

        Long rests end when a clock of `REST_SECONDS` ticks, so that many readers wake
        together.
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
        # After a rest, the next read shows whether the stream is as busy as before.
        self._began, self._reads, self._bytes = now, BUSY_READS - 1 if rest else 0, 0
        return rest

    def _fitting_bytes(self) -> int:
        is_small = self._bytes < self._reads * SMALL_BYTES
        return LARGE_PIPE_BYTES if is_small else WIDE_PIPE_BYTES
