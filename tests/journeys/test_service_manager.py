"""The daemon under a service manager that listens as systemd does."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.support.children import child
from tests.support.daemon import Daemon


def test_from_start_to_stop(directory: Path) -> None:
    """Ready when it answers; reloading and ready again; stopping. Programs know nothing of it."""
    config = f"""
[program:x]
command={child("report")}
startsecs=0
stdout_logfile=%(here)s/x.out
"""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(directory / "notify"))
        manager.settimeout(20)
        environment = {"NOTIFY_SOCKET": str(directory / "notify")}
        with Daemon(directory, config, environment=environment) as daemon:
            assert manager.recv(1000) == b"READY=1\nSTATUS=1 groups"
            assert "NOTIFY_SOCKET" not in daemon.wait_for_text("x.out", "}\n")
            daemon.rpc.supervisor.restart()
            assert manager.recv(1000).startswith(b"RELOADING=1\n")
            assert manager.recv(1000).startswith(b"READY=1\n")
        assert manager.recv(1000).startswith(b"STOPPING=1\n")
