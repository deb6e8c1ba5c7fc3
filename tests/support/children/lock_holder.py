"""Holds a lock, as a server holds its port, and takes its time to give it back.

Says READY once it has the lock on the file argv[1], or IN USE and ends with status 1.  After
SIGTERM it goes on for argv[2] seconds, then says DONE and ends.
"""

import fcntl
import os
import signal
import sys
import time

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
lock = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("IN USE", flush=True)
    sys.exit(1)
print("READY", flush=True)
signal.sigwait([signal.SIGTERM])
time.sleep(float(sys.argv[2]))
print("DONE", flush=True)
