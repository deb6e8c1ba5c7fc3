"""Says READY, then the name of each signal it gets; SIGTERM ends it with status 0."""

import signal
import sys

CAUGHT = ("HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "WINCH", "CONT", "TERM")


def say(signum: int, _frame: object) -> None:
    """Write the name of a signal."""
    print(signal.Signals(signum).name, flush=True)
    if signum == signal.SIGTERM:
        sys.exit(0)


for name in CAUGHT:
    signal.signal(getattr(signal, f"SIG{name}"), say)
print("READY", flush=True)
while True:
    signal.pause()
