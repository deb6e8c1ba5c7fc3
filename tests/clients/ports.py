"""A daemon that listens on TCP too, with a password, as foreign clients want it."""

from __future__ import annotations

import socket
from contextlib import closing

USER, PASSWORD = "operator", "se:cret"


def free_port() -> int:
    """Return a TCP port that nobody listens on; the reference cannot choose one itself."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def inet_section(port: int) -> str:
    """Return the section of a server on this port that wants USER and PASSWORD."""
    server = f"[inet_http_server]\nport=127.0.0.1:{port}\n"
    return f"{server}username={USER}\npassword={PASSWORD}\n"
