"""TCP ports of the loopback address."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Return a port that is not in use; the reference cannot choose one itself."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def inet_server(port: int, *options: str) -> str:
    """Return the section of a server with these options."""
    return "\n".join(["[inet_http_server]", f"port=127.0.0.1:{port}", *options, ""])
