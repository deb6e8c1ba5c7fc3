"""Writes argv[1] to stdout and argv[2] to stderr, says READY on stdout and stays."""

import signal
import sys

print(sys.argv[1], flush=True)
print(sys.argv[2], file=sys.stderr, flush=True)
print("READY", flush=True)
while True:
    signal.pause()
