"""Sends its pid to each client, at the port argv[1], or at the socket that is its stdin."""

import os
import socket
import sys

if len(sys.argv) > 1:
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
else:
    listener = socket.socket(fileno=0)
print("READY", flush=True)
while True:
    connection, _ = listener.accept()
    with connection:
        connection.sendall(b"%d\n" % os.getpid())
