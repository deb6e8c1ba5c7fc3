"""A notify socket in a real loop, for tests that send to it."""

from __future__ import annotations

import array
import os
import socket

from supervisor.common.notify_protocol import Notification
from supervisor.engine.loop import Loop
from supervisor.process.notify_socket import NotifySocket, bind_notify_socket


class Site:
    """A notify socket in a real loop, and what it has reported."""

    def __init__(self, directory: str, *, accept_all: bool, uid: int | None = None) -> None:
        self.loop = Loop()
        self.seen: list[tuple[Notification, int]] = []
        self.problems: list[str] = []
        self.channel = NotifySocket(
            bind_notify_socket(directory, uid),
            self.loop,
            lambda *seen: self.seen.append(seen),
            self.problems.append,
            accept_all=accept_all,
        )
        self.channel.main_pid = os.getpid()

    def send(self, data: bytes, fds: list[int] | None = None) -> None:
        """Send a datagram as this process."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(self.channel.path)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds or []))]
            sender.sendmsg([data], rights if fds else [])

    def close(self) -> None:
        """Leave nothing."""
        self.channel.close()
        self.loop.close()
