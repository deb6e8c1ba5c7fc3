"""Starts `signals.py`, whose words go to the file argv[1], then becomes the child argv[2].

Both are in one process group. The pid of the first stands in the file argv[1].pid.
"""

import os
import subprocess
import sys
from pathlib import Path

path, name = sys.argv[1:]
here = Path(__file__).parent
with open(path, "wb") as words:
    kin = subprocess.Popen([sys.executable, "-S", here / "signals.py"], stdout=words)
Path(f"{path}.new").write_text(str(kin.pid), encoding="ascii")
os.rename(f"{path}.new", f"{path}.pid")
os.execv(sys.executable, [sys.executable, "-S", str(here / f"{name}.py")])
