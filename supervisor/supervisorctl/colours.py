"""Colours of `status` and `logs` on a terminal."""

from __future__ import annotations

from supervisor.client.terminal import BLUE, CYAN, GREEN, MAGENTA, RED, YELLOW

STATE_COLOURS = {
    "RUNNING": GREEN,
    "STARTING": YELLOW,
    "STOPPING": YELLOW,
    "BACKOFF": RED,
    "FATAL": RED,
    "UNKNOWN": RED,
}
"""State -> colour; stopped and exited processes have none."""

PROGRAM_COLOURS = (CYAN, YELLOW, GREEN, MAGENTA, BLUE)
"""Colours of the names in `logs`, in turn; red would look like an error."""
