"""Appends each message that arrives at /dev/log to the file argv[1], as a line."""

import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as messages:
    messages.bind("/dev/log")
    with open(sys.argv[1], "ab", buffering=0) as log:
        print("READY", flush=True)
        while True:
            log.write(messages.recv(65536) + b"\n")
