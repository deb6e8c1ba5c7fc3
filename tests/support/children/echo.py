"""Says READY, then repeats on stdout what it reads on stdin; ends when stdin does."""

import os

os.write(1, b"READY\n")
while data := os.read(0, 65536):
    os.write(1, data)
