"""Tells systemd how the daemon stands: the protocol of sd_notify(3), without a library (floor 6).

systemd names a datagram socket in NOTIFY_SOCKET when a unit says `Type=notify`.
`supervisord.main` takes the name, so that programs do not get it.
"""

from __future__ import annotations

import contextlib
import socket
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping


class ServiceManager:
    """Whoever has started the daemon and wants to hear of it; nobody, mostly."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Take NOTIFY_SOCKET out of an environment."""
        name = environment.pop("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name

    def ready(self, status: str) -> None:
        """The daemon runs, or runs again."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Everything is stopped, to be started anew."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={microseconds}", "STATUS=Restarting")

    def stopping(self) -> None:
        """Everything is stopped, for good."""
        self._tell("STOPPING=1", "STATUS=Stopping")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),  # it has gone: nobody is there to complain to
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
        ):
            sender.setblocking(False)
            sender.connect(self._address)
            sender.send("\n".join(lines).encode())
