"""The diagram of states as SVG: arrows from `states.TRANSITIONS`, with a fixed layout."""

from __future__ import annotations

from drawing import Box, arrow, picture

from supervisor.states import TRANSITIONS, ProcessStates, getProcessStateDescription

S = ProcessStates

PLACES = {
    S.STOPPING: (1, 0),
    S.STOPPED: (0, 1),
    S.STARTING: (1, 1),
    S.RUNNING: (2, 1),
    S.EXITED: (3, 1),
    S.BACKOFF: (1, 2),
    S.FATAL: (2, 2),
}
"""Column and row.  UNKNOWN has none: the text explains that it may follow any state."""

WORDS = {
    (S.STOPPED, S.STARTING): "start",
    (S.STARTING, S.RUNNING): "startsecs over",
    (S.STARTING, S.BACKOFF): "died too soon",
    (S.STARTING, S.STOPPING): "stop",
    (S.RUNNING, S.STOPPING): "stop",
    (S.RUNNING, S.EXITED): "died",
    (S.BACKOFF, S.STARTING): "again",
    (S.BACKOFF, S.STOPPED): "stop",
    (S.BACKOFF, S.FATAL): "tried often",
    (S.STOPPING, S.STOPPED): "dead",
    (S.EXITED, S.STARTING): "autorestart",
    (S.FATAL, S.STARTING): "start",
    (S.STOPPED, S.FATAL): "waited too long",
    (S.EXITED, S.FATAL): "restarted often",
}

BENDS = {
    (S.EXITED, S.STARTING): 0.5,
    (S.FATAL, S.STARTING): -0.1,
    (S.STOPPED, S.FATAL): -0.8,
    (S.BACKOFF, S.STOPPED): -0.1,
    (S.RUNNING, S.STOPPING): -0.1,
    (S.STOPPING, S.STOPPED): -0.1,
}
"""Distance by which an arrow bends to its right, in rows (default: 0.12)."""

WIDTH, HEIGHT = 96, 34  # of a box
COLUMN, ROW = 190, 120
MARGIN = 60


def states_diagram() -> str:
    """Return the drawing of states and transitions."""
    boxes = {state: _box(state) for state in PLACES}
    arrows = [
        arrow(
            boxes[before],
            boxes[after],
            WORDS[before, after],
            swing=2 * ROW * BENDS.get((before, after), 0.12),
        )
        for before, followers in TRANSITIONS.items()
        for after in sorted(followers)
        if S.UNKNOWN not in {before, after}
    ]
    return picture(
        "Which state follows which",
        3 * COLUMN + WIDTH + MARGIN,
        2 * ROW + 3 * MARGIN,
        [*arrows, *(box.svg() for box in boxes.values())],
    )


def _box(state: int) -> Box:
    column, row = PLACES[state]
    x, y = MARGIN + column * COLUMN, MARGIN + row * ROW
    return Box(x, y, WIDTH, HEIGHT, (str(getProcessStateDescription(state)),))
