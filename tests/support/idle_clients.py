"""Clients that send a request and read nothing, for a daemon with a large log."""

from __future__ import annotations

import socket

from tests.support.children import child
from tests.support.daemon import Daemon

CONFIG = f"""
[program:big]
command={child("sleeper")}
startsecs=0
stdout_logfile=%(here)s/big.log
stdout_logfile_maxbytes=0
"""

READ = (
    b"<methodCall><methodName>supervisor.readProcessStdoutLog</methodName><params>"
    b"<param><value>big</value></param><param><value><int>0</int></value></param>"
    b"<param><value><int>0</int></value></param></params></methodCall>"
)


def connect(daemon: Daemon, request: bytes) -> socket.socket:
    """Send a request, and read nothing."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(str(daemon.socket_path))
    client.sendall(request)
    return client
