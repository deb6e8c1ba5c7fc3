"""Versions of the distribution and of the RPC API."""

import os

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

with open(os.path.join(_PACKAGE, "version.txt"), encoding="utf-8") as _file:
    VERSION = _file.read().strip()
"""Version of the distribution, reported by `-v` and `getSupervisorVersion`."""

API_VERSION = "3.0"
"""Version of the `supervisor` namespace; supervisorctl refuses a daemon with another one."""
