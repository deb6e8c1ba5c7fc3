"""Writes a numbered line twice a second."""

import itertools
import time

for number in itertools.count(1):
    print(f"{time.strftime('%H:%M:%S')} tick {number}")
    time.sleep(0.5)
