"""Reports that it is ready as argv[1] says, once the file argv[2] exists, and stays.

argv[1] is `notify` (from argv[3]: `main`, or `worker` for a child of its own), `tcp` or `http` with
the port argv[3], or `unix` with the path argv[3].  Then it writes READY to its stdout.
"""

import os
import signal
import socket
import sys
import time

kind, gate, detail = sys.argv[1:]
while not os.path.exists(gate):
    time.sleep(0.01)

if kind == "notify":
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(os.environ["NOTIFY_SOCKET"])
        if detail == "main":
            sender.send(b"READY=1\nSTATUS=all well")
        elif not os.fork():
            sender.send(b"READY=1")
            os._exit(0)
        else:
            os.wait()
elif kind == "unix":
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(detail)
    listener.listen()
else:
    listener = socket.create_server(("127.0.0.1", int(detail)))
print("READY", flush=True)
while kind == "http":
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        connection.send(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
while True:
    signal.pause()
