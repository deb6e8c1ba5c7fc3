"""Another user who listens where a daemon is expected: `impostor.py UID SOCKET FILE`.

It writes to FILE that it is ready, then what it is sent, and answers nothing.
"""

from __future__ import annotations

import os
import socket
import sys


def main(uid: str, path: str, file: str) -> None:
    """Listen until the end."""
    output = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o666)
    os.setgroups([])
    os.setgid(int(uid))
    os.setuid(int(uid))
    listener = socket.socket(socket.AF_UNIX)
    os.umask(0)
    listener.bind(path)
    listener.listen()
    os.write(output, b"ready\n")
    while True:
        connection, _ = listener.accept()
        with connection:
            os.write(output, connection.recv(65536))


if __name__ == "__main__":
    main(*sys.argv[1:])
