"""The identity of the daemon on its pages: its identifier, its host and port."""

from __future__ import annotations

import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def place(form: Mapping[str, str]) -> str:
    """Return the name of the machine, and the port of the server if it has one."""
    port = form.get("SERVER_PORT", "")
    return f"{socket.gethostname()}{':' if port else ''}{port}"
