"""Notifications of systemd: the protocol of sd_notify(3), without a library.

systemd passes the name of a datagram socket in NOTIFY_SOCKET to a unit with `Type=notify`.
`supervisord.main` removes the variable, so that programs do not inherit it.
"""

from __future__ import annotations

import contextlib
import socket
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping


class SystemdNotifier:
    """The service manager that started the daemon, if NOTIFY_SOCKET names one."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Read NOTIFY_SOCKET from an environment and remove it."""
        name = environment.pop("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name

    def environment(self) -> dict[str, str]:
        """Return the variable by which a daemon that executes itself finds the service manager."""
        return {"NOTIFY_SOCKET": self._address.replace("\0", "@")} if self._address else {}

    def ready(self, status: str) -> None:
        """Notify that the daemon is running, at the start or after a reload."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Notify that everything is being stopped for a restart."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={microseconds}", "STATUS=Restarting")

    def stopping(self) -> None:
        """Notify that everything is being stopped for good."""
        self._send("STOPPING=1", "STATUS=Stopping")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),  # the service manager is gone
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
        ):
            sender.setblocking(False)
            sender.connect(self._address)
            sender.send("\n".join(lines).encode())
