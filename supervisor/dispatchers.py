"""The import name of Supervisor 4 for `process.dispatchers`."""

from __future__ import annotations

from supervisor.process.dispatchers import (
    PEventListenerDispatcher,
    POutputDispatcher,
    RejectEvent,
    default_handler,
)
from supervisor.process.streams import PInputDispatcher

__all__ = [
    "PEventListenerDispatcher",
    "PInputDispatcher",
    "POutputDispatcher",
    "RejectEvent",
    "default_handler",
]
