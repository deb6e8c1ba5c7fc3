"""Ignores SIGTERM, SIGINT, SIGQUIT and SIGHUP, says READY and stays until it is killed."""

import signal

for ignored in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    signal.signal(ignored, signal.SIG_IGN)
print("READY", flush=True)
while True:
    signal.pause()
