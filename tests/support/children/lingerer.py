"""Says READY and repeats on stdout what it reads; ends argv[1] seconds after SIGTERM."""

import os
import signal
import sys
import time


def end(_signum: int, _frame: object) -> None:
    time.sleep(float(sys.argv[1]))
    os._exit(0)


signal.signal(signal.SIGTERM, end)
os.write(1, b"READY\n")
while data := os.read(0, 65536):
    os.write(1, data)
