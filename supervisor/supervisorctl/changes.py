"""Waiting for changes of processes, for commands that watch them.

The event stream of the web interface (see `web.event_stream`) reports each change at once.  A
server without it, such as Supervisor 4.3, is polled.
"""

from __future__ import annotations

import time

from supervisor.client.streams import Stream, ready

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from typing import IO, Any

EVENT_STREAM = "/changes"
CONTENT_TYPE = "text/event-stream"
HEARTBEAT = b":\n"
"""Characters of a comment without text, which keeps the connection open."""

POLL_SECONDS = 2.0
"""Poll interval for a server without an event stream, and for one that does not respond."""

WAIT_POLL_SECONDS = 0.5
"""The same for commands that end with a change."""


class Changes:
    """The changes since the last wait; the caller then queries what it wants to know.

    The stream is opened here, so that a query after this misses nothing.  `output` is where the
    caller writes: a wait raises BrokenPipeError when its reader has gone.
    """

    def __init__(
        self, options: Any, poll_seconds: float = POLL_SECONDS, output: IO[str] | None = None
    ) -> None:
        self._options = options
        self._output = output
        self._poll_seconds = poll_seconds
        self._is_supported = True
        self._stream: Stream | None = None
        self._opened_at = 0.0  # monotonic
        self._open()

    def wait(self, seconds: float | None = None) -> None:
        """Return after a change, or after `seconds` if these are given.

        Also returns at the end of the stream, and whenever the server must be polled.
        """
        end = None if seconds is None else time.monotonic() + seconds
        if self._stream is None:
            self._open()
        while self._stream is not None:
            left = None if end is None else end - time.monotonic()
            if self._stream.status is None:  # it may have no such page
                left = self._poll_seconds if left is None else min(left, self._poll_seconds)
            streams = ready([self._stream], left, self._output)
            if not streams or self._has_event(self._stream) or self._has_successor():
                return
        ready((), min(seconds or self._poll_seconds, self._poll_seconds), self._output)

    def close(self) -> None:
        """Close the stream."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _open(self) -> None:
        if not self._is_supported:
            return
        self._opened_at = time.monotonic()
        try:
            self._stream = Stream(self._options, EVENT_STREAM)
        except (OSError, ValueError):  # the caller's own query reports it
            self._stream = None

    def _has_successor(self) -> bool:
        """Open the stream again if it has ended; return whether the daemon has replaced itself.

        Then the next connection reaches its successor at once, and the caller's query as well.  A
        stream that ended soon is polled instead.
        """
        if self._stream is None and time.monotonic() - self._opened_at > self._poll_seconds:
            self._open()
            return self._stream is not None
        return False

    def _has_event(self, stream: Stream) -> bool:
        """Read the stream; return whether it has an event."""
        data = stream.read()
        if stream.status is not None:  # a server without the page responds with another type
            kind = stream.headers.get("content-type", "")
            self._is_supported = kind.startswith(CONTENT_TYPE)
        if data is None or not self._is_supported:
            self.close()
            return False
        return bool(data.strip(HEARTBEAT))
