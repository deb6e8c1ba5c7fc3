"""Writes counted lines until the file argv[1] exists, then says END and how many; stays.

Every line is `N` and a newline; it waits a moment after each hundred.
"""

import os
import signal
import sys
import time

number = 0
while not os.path.exists(sys.argv[1]):
    os.write(1, b"".join(b"%d\n" % line for line in range(number, number + 100)))
    number += 100
    time.sleep(0.002)
os.write(1, b"END %d\n" % number)
while True:
    signal.pause()
