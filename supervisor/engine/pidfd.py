"""Pidfds: the end of any process as an event of the loop (pidfd_open(2))."""

from __future__ import annotations

import os
import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisor.engine.loop import Loop


class PidfdChannel:
    """A pidfd as a channel of the loop; `on_exit` is called when the process has exited."""

    def __init__(self, fd: int, loop: Loop, on_exit: Callable[[], object]) -> None:
        self._fd = fd
        self._loop = loop
        self._on_exit = on_exit
        loop.watch(self)

    def fileno(self) -> int:
        """Return the pidfd."""
        return self._fd

    def readable(self) -> bool:
        """Whether to read (always): a pidfd is readable after the exit."""
        return True

    def writable(self) -> bool:
        """Whether to write (never)."""
        return False

    def handle_read_event(self) -> None:
        """Report the exit."""
        self._on_exit()

    def handle_write_event(self) -> None:
        """Do nothing: a pidfd is never writable."""

    def handle_error(self) -> None:
        """Stop watching after an exception."""
        self._on_exit()

    def close(self) -> None:
        """Close the pidfd; the process is not affected."""
        self._loop.unwatch(self)
        os.close(self._fd)


def has_exited(pidfd: int) -> bool:
    """Whether the process of a pidfd has exited; it may still be a zombie."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))
