"""Notifications to systemd, over a socket as it makes one."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from supervisor.daemon.sd_notify import SystemdNotifier


@pytest.mark.parametrize("is_abstract", [False, True])
def test_the_messages(directory: Path, *, is_abstract: bool) -> None:
    name = str(directory / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}" if is_abstract else name)
        manager.settimeout(10)
        environment = {"NOTIFY_SOCKET": f"@{name}" if is_abstract else name, "OTHER": "x"}
        told = SystemdNotifier(environment)
        assert environment == {"OTHER": "x"}
        told.ready("3 groups")
        assert manager.recv(1000) == b"READY=1\nSTATUS=3 groups"
        told.reloading()
        assert re.match(rb"RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=", manager.recv(1000))
        told.stopping()
        assert manager.recv(1000).startswith(b"STOPPING=1\n")


@pytest.mark.parametrize(
    "environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nonexistent"}]
)
def test_without_a_socket_nothing_is_sent(environment: dict[str, str]) -> None:
    SystemdNotifier(environment).ready("")
