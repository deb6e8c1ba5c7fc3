"""A service that works, and hangs after SIGUSR1: `web PORT`, `worker`, or `leak`, which grows.

`worker` reports to the service manager that it is ready and, in time, that it is alive
(sd_notify(3), sd_watchdog_enabled(3)).
"""

from __future__ import annotations

import http.server
import os
import signal
import socket
import sys
import time

MEGABYTE = 1_000_000


def hang(*_: object) -> None:
    """Stop working, as in a deadlock: the process is there, and answers nobody."""
    print("hanging", flush=True)
    time.sleep(MEGABYTE)


def notify(message: str) -> None:
    """Send a message to the service manager, if there is one."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(message.encode(), path)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers that the server works."""

    def do_GET(self) -> None:
        """Send an empty response."""
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def work() -> None:
    """Report twice as often as the watchdog requires."""
    seconds = int(os.environ.get("WATCHDOG_USEC", MEGABYTE)) / MEGABYTE
    notify("READY=1")
    while True:
        notify("WATCHDOG=1")
        time.sleep(seconds / 2)


def leak() -> None:
    """Use twenty megabytes more each second."""
    kept = []
    while True:
        kept.append(b"x" * MEGABYTE)
        time.sleep(0.05)


signal.signal(signal.SIGUSR1, hang)
if sys.argv[1] == "web":
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
elif sys.argv[1] == "worker":
    work()
else:
    leak()
