"""Exits, and keeps account of it: accounted.py NAME SECONDS STATUS ...

It appends `start PID -` to the file NAME.account; after at most SECONDS, chosen at random,
`exit PID STATUS` with one of the statuses, with which it exits; or `stop PID 0` at SIGTERM.
Two processes of one NAME at the same time leave the file NAME.double.
"""

import fcntl
import os
import random
import signal
import sys

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
name, seconds, statuses = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
account = os.open(f"{name}.account", os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def write(text: str) -> None:
    """Append a line."""
    os.write(account, f"{text}\n".encode())


try:
    fcntl.flock(account, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    os.close(os.open(f"{name}.double", os.O_WRONLY | os.O_CREAT))
write(f"start {os.getpid()} -")
if signal.sigtimedwait({signal.SIGTERM}, random.uniform(0, seconds)):  # noqa: S311 - no secret
    write(f"stop {os.getpid()} 0")
    sys.exit(0)
status = random.choice(statuses)  # noqa: S311 - no secret
write(f"exit {os.getpid()} {status}")
sys.exit(int(status))
