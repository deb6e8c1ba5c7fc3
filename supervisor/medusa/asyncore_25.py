"""`compact_traceback`, for knot-resolver's notify socket."""

from __future__ import annotations

import sys
import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def compact_traceback() -> tuple[tuple[str, str, str], Any, Any, str]:
    """Return ((file, function, line), type, error, text) of the exception being handled."""
    kind, error, trace = sys.exc_info()
    places = [
        (frame.filename, frame.name, str(frame.lineno)) for frame in traceback.extract_tb(trace)
    ]
    return places[-1], kind, error, " ".join(f"[{'|'.join(place)}]" for place in places)
