"""Phases of a connection, and how long each may last (floor 5)."""

from __future__ import annotations

import enum


class Phase(enum.Enum):
    """What a connection is about."""

    NEW = enum.auto()
    RECEIVING = enum.auto()
    ANSWERING = enum.auto()
    SENDING = enum.auto()
    IDLE = enum.auto()
    LINGERING = enum.auto()


# Seconds that a phase may last.  A client that has been served may idle for ever (an
# interactive supervisorctl does), and an answer may take its time.  SENDING begins anew
# whenever the client has taken something.
PATIENCE = {
    Phase.NEW: 60.0,
    Phase.RECEIVING: 60.0,
    Phase.SENDING: 60.0,
    Phase.LINGERING: 2.0,
}


HAS_ENDED = frozenset({Phase.NEW, Phase.IDLE, Phase.RECEIVING})
"""Phases in which nothing can follow from a client that sends nothing more."""
