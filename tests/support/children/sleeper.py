"""Says READY and stays until a signal ends it."""

import signal

print("READY", flush=True)
while True:
    signal.pause()
