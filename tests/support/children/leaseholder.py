"""Takes a write lease on the file argv[1], says READY, and never gives it back."""

import fcntl
import os
import signal
import sys

signal.signal(signal.SIGIO, signal.SIG_IGN)  # the kernel's request to give it back
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("READY", flush=True)
while True:
    signal.pause()
