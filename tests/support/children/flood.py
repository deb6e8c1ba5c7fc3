"""Writes argv[1] counted lines of argv[2] bytes each (16 by default), says READY and stays.

With a third argument it exits with that status instead of staying.
"""

import signal
import sys

width = int(sys.argv[2]) if len(sys.argv) > 2 else 16
out = sys.stdout.buffer
for number in range(int(sys.argv[1])):
    out.write(b"%0*d\n" % (width - 1, number))
if len(sys.argv) > 3:
    out.flush()
    sys.exit(int(sys.argv[3]))
out.write(b"READY\n")
out.flush()
while True:
    signal.pause()
