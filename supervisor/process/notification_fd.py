"""The notification fd of one run: readiness by a newline, the protocol of s6.

The child has the writing end of a pipe and writes a newline when it is ready.  Anything before
the newline is ignored, and the pipe is closed after it.  An end of file without a newline means
that the program will not report readiness.  See
https://skarnet.org/software/s6/notifywhenup.html.
"""

from __future__ import annotations

import os

from supervisor.engine.read_channel import ReadChannel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from supervisor.engine.loop import Loop

READ_BYTES = 4096
"""Upper bound of one read, and there is one read per wake-up."""

MAX_BYTES = 65536
"""Bytes after which a pipe without a newline is closed: the program writes something else."""

NO_NEWLINE = "the notification fd was closed without a newline"
TOO_LONG = f"no newline in the first {MAX_BYTES} bytes on the notification fd"


class NotificationFd(ReadChannel):
    """The daemon's end of the pipe; owns `fd`.

    Calls either `on_ready`, or `on_failed` with the reason, once; neither after `close`.
    """

    def __init__(
        self,
        fd: int,
        loop: Loop,
        on_ready: Callable[[], object],
        on_failed: Callable[[str], object],
    ) -> None:
        self._on_ready = on_ready
        self._on_failed = on_failed
        self._bytes = 0
        super().__init__(fd, loop)

    def handle_read_event(self) -> None:
        """Read a part, and look for the newline."""
        self._read()

    def drain(self) -> None:
        """Read the rest: the child has exited, others may still have the pipe."""
        while not self.closed and self._read():
            pass

    def snapshot(self) -> dict[str, int]:
        """Return the state as JSON values; `fd` stays open in the next daemon."""
        return {"bytes": self._bytes, "fd": self._fd}

    def restore(self, saved: Mapping[str, int]) -> None:
        """Take over a state that `snapshot` has returned; the constructor takes its `fd`."""
        self._bytes = saved.get("bytes", 0)

    def _read(self) -> bool:
        """Read once; return whether there were any bytes."""
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return False
        self._bytes += len(data)
        if b"\n" in data:
            self.close()
            self._on_ready()
        elif not data:
            self._fail(NO_NEWLINE)
        elif self._bytes >= MAX_BYTES:
            self._fail(TOO_LONG)
        return bool(data)

    def _fail(self, reason: str) -> None:
        self.close()
        self._on_failed(reason)
