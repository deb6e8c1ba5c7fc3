"""Processes and their groups; the names that plugins import are re-exported here."""

from supervisor.process.child import Subprocess
from supervisor.process.groups import ProcessGroup, ProcessGroupBase
from supervisor.states import ProcessStates, getProcessStateDescription

__all__ = [
    "ProcessGroup",
    "ProcessGroupBase",
    "ProcessStates",
    "Subprocess",
    "getProcessStateDescription",
]
