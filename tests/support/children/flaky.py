"""Exits with status argv[3] the first argv[2] times it runs, then says READY and stays.

The file argv[1] counts the runs, one byte each.
"""

import os
import signal
import sys

with open(sys.argv[1], "ab") as counter:
    counter.write(b".")
runs = os.path.getsize(sys.argv[1])
if runs <= int(sys.argv[2]):
    print(f"CRASH {runs}", flush=True)
    sys.exit(int(sys.argv[3]))
print(f"READY {runs}", flush=True)
while True:
    signal.pause()
