"""Version of the distribution, reported by `-v` and `getSupervisorVersion` (floor 0)."""

import os

with open(
    os.path.join(os.path.dirname(os.path.abspath(__file__)), "version.txt"), encoding="utf-8"
) as _file:
    VERSION = _file.read().strip()
