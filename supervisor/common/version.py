"""Version of the distribution, reported by `-v` and `getSupervisorVersion`."""

import os

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

with open(os.path.join(_PACKAGE, "version.txt"), encoding="utf-8") as _file:
    VERSION = _file.read().strip()
