"""Names of Supervisor 4's `supervisor.compat` that third parties import (a script's module).

Our own code does not use them.  A comment on each line names the users.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Name -> its current location, imported on first access.
_LOCATIONS = {
    "xmlrpclib": ("xmlrpc.client", None),  # supvisors, supervisor_checks, jobflow-remote
    "Fault": ("xmlrpc.client", "Fault"),  # mr.laforge
    "httplib": ("http.client", None),  # supervisor_checks
}


def __getattr__(name: str) -> Any:
    if name not in _LOCATIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _LOCATIONS[name]
    found = import_module(module)
    return found if attribute is None else getattr(found, attribute)


def as_string(s: str | bytes, encoding: str = "utf8") -> str:  # supvisors, knot-resolver
    """Convert bytes to text, leave text unchanged; raises UnicodeDecodeError."""
    return s if isinstance(s, str) else s.decode(encoding)


def as_bytes(s: str | bytes, encoding: str = "utf8") -> bytes:  # supvisors
    """Convert text to bytes, leave bytes unchanged; raises UnicodeEncodeError."""
    return s if isinstance(s, bytes) else s.encode(encoding)
