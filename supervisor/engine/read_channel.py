"""Base of the channels that only read.

`process` reads the messages of children with it: notifications, and the output of helpers.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.engine.loop import Loop


class ReadChannel:
    """A channel that owns an fd and only reads it; subclasses define `handle_read_event`.

    The fd becomes non-blocking and is watched until `close`.  A subclass whose fd belongs to
    another object overrides `release`.
    """

    def __init__(self, fd: int, loop: Loop) -> None:
        self.closed = False
        self.loop = loop
        self._fd = fd
        self._is_paused = False
        os.set_blocking(fd, False)
        loop.watch(self)

    def fileno(self) -> int:
        """Return the fd."""
        return self._fd

    def readable(self) -> bool:
        """Whether to read: until the channel is closed, except during a pause."""
        return not self.closed and not self._is_paused

    def writable(self) -> bool:
        """Whether to write (never)."""
        return False

    def handle_read_event(self) -> None:
        """Read the available bytes."""
        raise NotImplementedError

    def handle_write_event(self) -> None:
        """Do nothing: the fd is never written."""

    def handle_error(self) -> None:
        """Close the channel; the loop logs the exception."""
        self.close()
        raise  # noqa: PLE0704 - called while the exception is being handled

    def pause(self, seconds: float) -> None:
        """Do not read for a while, so that a flood cannot keep the loop busy."""
        self._is_paused = True
        self.loop.interest_changed(self)
        self.loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        self._is_paused = False
        if not self.closed:
            self.loop.interest_changed(self)

    def close(self) -> None:
        """Leave the loop and close the fd."""
        if not self.closed:
            self.closed = True
            self.loop.unwatch(self)
            self.release()

    def release(self) -> None:
        """Close the fd."""
        os.close(self._fd)
