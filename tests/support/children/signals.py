"""Says READY, then the name of each signal it gets; SIGTERM ends it with status 0.

It writes by `os.write`, because `print` must not be interrupted by a handler that prints.
"""

import os
import signal
import sys

CAUGHT = ("HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "WINCH", "CONT", "TERM")


def say(signum: int, _frame: object) -> None:
    """Write the name of a signal."""
    os.write(1, f"{signal.Signals(signum).name}\n".encode())
    if signum == signal.SIGTERM:
        sys.exit(0)


for name in CAUGHT:
    signal.signal(getattr(signal, f"SIG{name}"), say)
os.write(1, b"READY\n")
while True:
    signal.pause()
