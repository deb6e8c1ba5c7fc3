"""Phases of a connection and their timeouts."""

from __future__ import annotations

import enum


class Phase(enum.Enum):
    """Phase of a connection."""

    NEW = enum.auto()
    RECEIVING = enum.auto()
    ANSWERING = enum.auto()
    SENDING = enum.auto()
    IDLE = enum.auto()
    LINGERING = enum.auto()


# Timeouts in seconds.  IDLE has none, because an interactive supervisorctl keeps its connection;
# nor has ANSWERING, because a deferred response may take any time.  The timeout of SENDING
# restarts whenever the client has read something.
PHASE_TIMEOUTS = {
    Phase.NEW: 60.0,
    Phase.RECEIVING: 60.0,
    Phase.SENDING: 60.0,
    Phase.LINGERING: 2.0,
}


HAS_ENDED = frozenset({Phase.NEW, Phase.IDLE, Phase.RECEIVING})
"""Phases that end the connection once the client has closed its side."""
