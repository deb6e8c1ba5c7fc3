"""Pollers, the kernel's interfaces for waiting on fds: epoll, kqueue, poll or select.

Only `loop.py` calls these.  Each poller remembers the registered interest, so that setting the
same interest twice makes no system call.  `poll` returns (fd, mask) pairs: `READ` and `WRITE` are
the bits of poll(2) and epoll(7), so that the kernel's masks need no translation.  Any other bit
(`ERROR_MASK`) is an error or a hang-up; only reading or writing reveals which.
"""

from __future__ import annotations

import math
import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    class Poller(Protocol):
        """The common interface of all pollers."""

        def set(self, fd: int, interest: int) -> None:
            """Watch `fd` for `interest`, a mask of READ and WRITE; 0 ends it."""

        def poll(self, seconds: float | None) -> list[tuple[int, int]]:
            """Wait until something is ready, for at most `seconds` (None: for ever)."""

        def close(self) -> None:
            """Release the resources of the poller."""


READ = select.POLLIN if hasattr(select, "POLLIN") else 1
WRITE = select.POLLOUT if hasattr(select, "POLLOUT") else 4
BOTH = READ | WRITE
ERROR_MASK = ~BOTH


class RegisteringPoller:
    """Base class for epoll and poll, where each fd is registered once."""

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._interest: dict[int, int] = {}

    def set(self, fd: int, interest: int) -> None:
        """Watch `fd`; without interest it is unregistered, because a hang-up would spin."""
        before = self._interest.get(fd, 0)
        if interest == before:
            return
        if not interest:
            del self._interest[fd]
            self._kernel.unregister(fd)
            return
        (self._kernel.modify if before else self._kernel.register)(fd, interest)
        self._interest[fd] = interest


class EpollPoller(RegisteringPoller):
    """Linux: the cost of a wait grows with the ready fds."""

    def __init__(self) -> None:
        super().__init__(select.epoll())
        self.poll: Callable[[float | None], list[tuple[int, int]]] = self._kernel.poll

    def close(self) -> None:
        """Close the epoll fd."""
        self._kernel.close()


class PollPoller(RegisteringPoller):
    """Unix without epoll or kqueue: the cost of a wait grows with the registered fds."""

    def __init__(self) -> None:
        super().__init__(select.poll())

    def poll(self, seconds: float | None) -> list[tuple[int, int]]:
        """Wait; see `Poller.poll`."""
        timeout = None if seconds is None else math.ceil(seconds * 1000)
        ready: list[tuple[int, int]] = self._kernel.poll(timeout)
        return ready

    def close(self) -> None:
        """Do nothing: there are no resources to release."""


class SelectPoller:
    """Last fallback: at most FD_SETSIZE fds; the cost of a wait grows with all of them."""

    def __init__(self) -> None:
        self._readers: set[int] = set()
        self._writers: set[int] = set()

    def set(self, fd: int, interest: int) -> None:
        """Watch `fd`; see `Poller.set`."""
        (self._readers.add if interest & READ else self._readers.discard)(fd)
        (self._writers.add if interest & WRITE else self._writers.discard)(fd)

    def poll(self, seconds: float | None) -> list[tuple[int, int]]:
        """Wait; see `Poller.poll`."""
        readers, writers, _ = select.select(self._readers, self._writers, [], seconds)
        masks = dict.fromkeys(readers, READ)
        for fd in writers:
            masks[fd] = masks.get(fd, 0) | WRITE
        return list(masks.items())

    def close(self) -> None:
        """Do nothing: there are no resources to release."""


if sys.platform != "linux" and hasattr(select, "kqueue"):  # pragma: no cover - BSD and macOS

    class KQueuePoller:
        """BSD and macOS: one filter for reading and one for writing."""

        def __init__(self) -> None:
            self._kqueue = select.kqueue()
            self._interest: dict[int, int] = {}

        def set(self, fd: int, interest: int) -> None:
            """Watch `fd`; see `Poller.set`."""
            before = self._interest.get(fd, 0)
            for flag, event_filter in (
                (READ, select.KQ_FILTER_READ),
                (WRITE, select.KQ_FILTER_WRITE),
            ):
                if (before ^ interest) & flag:
                    action = select.KQ_EV_ADD if interest & flag else select.KQ_EV_DELETE
                    self._kqueue.control([select.kevent(fd, event_filter, action)], 0)
            self._interest[fd] = interest
            if not interest:
                del self._interest[fd]

        def poll(self, seconds: float | None) -> list[tuple[int, int]]:
            """Wait; see `Poller.poll`."""
            events = self._kqueue.control(None, max(2 * len(self._interest), 1), seconds)
            return [
                (event.ident, READ if event.filter == select.KQ_FILTER_READ else WRITE)
                for event in events
            ]

        def close(self) -> None:
            """Close the kqueue fd."""
            self._kqueue.close()


def best_poller() -> Poller:
    """Return the fastest poller of this system."""
    if hasattr(select, "epoll"):
        return EpollPoller()
    if sys.platform != "linux" and hasattr(select, "kqueue"):  # pragma: no cover - BSD and macOS
        return KQueuePoller()
    if hasattr(select, "poll"):  # pragma: no cover - neither Linux nor BSD
        return PollPoller()
    return SelectPoller()  # pragma: no cover - nothing better
