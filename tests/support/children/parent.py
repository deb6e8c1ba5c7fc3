"""Has a child of its own, in the same process group, that ignores every polite signal.

Writes the child's pid into the file argv[1], says READY, and stays until a signal ends it.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

stubborn = Path(__file__).with_name("stubborn.py")
child = subprocess.Popen([sys.executable, "-S", str(stubborn)], stdout=subprocess.PIPE)
assert child.stdout is not None
child.stdout.readline()
Path(f"{sys.argv[1]}.new").write_text(str(child.pid), encoding="ascii")
os.rename(f"{sys.argv[1]}.new", sys.argv[1])
print("READY", flush=True)
while True:
    signal.pause()
