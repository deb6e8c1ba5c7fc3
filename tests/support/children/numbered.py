"""Writes numbered lines: numbered.py NAME LINES_PER_SECOND END [stderr] [torn] [captured].

Each line is `NAME number`.  When the file END exists, it writes `NAME END lines` and stays.  The
lines go to stdout, or stderr; a torn line takes two writes, and every tenth one is captured.
Two processes of one NAME at the same time leave the file NAME.double.
"""

import fcntl
import os
import signal
import sys
import time

name, end, options = sys.argv[1], sys.argv[3], sys.argv[4:]
rate = int(sys.argv[2])
fd = 2 if "stderr" in options else 1
lock = os.open(f"{name}.lock", os.O_WRONLY | os.O_CREAT)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    os.close(os.open(f"{name}.double", os.O_WRONLY | os.O_CREAT))


def write(data: bytes) -> None:
    """Write all bytes; the pipe may be full."""
    while data:
        data = data[os.write(fd, data) :]


def line(number: int) -> bytes:
    """Return a line."""
    text = b"%s %d\n" % (name.encode(), number)
    if "captured" in options and number % 10 == 9:
        return b"<!--XSUPERVISOR:BEGIN-->%s<!--XSUPERVISOR:END-->" % text
    return text


batch = max(rate // 100, 1)
number = 0
while number % 10 or not os.path.exists(end):
    data = b"".join(map(line, range(number, number + batch)))
    number += batch
    middle = len(data) // 2 if "torn" in options else 0
    write(data[:middle])
    time.sleep(batch / rate)
    write(data[middle:])
write(b"%s END %d\n" % (name.encode(), number))
while True:
    signal.pause()
