"""The diagram of states as SVG: arrows from `states.TRANSITIONS`, with a fixed layout."""

from __future__ import annotations

from math import hypot

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
}

BENDS = {
    (S.EXITED, S.STARTING): 0.5,
    (S.FATAL, S.STARTING): -0.1,
    (S.BACKOFF, S.STOPPED): -0.1,
    (S.RUNNING, S.STOPPING): -0.1,
    (S.STOPPING, S.STOPPED): -0.1,
}
"""Distance by which an arrow bends to its right, in rows (default: 0.12)."""

WIDTH, HEIGHT = 96, 34  # of a box
COLUMN, ROW = 190, 120
MARGIN = 60
SLANT = 0.3
"""Slope from which a label is beside its arrow instead of above or below it."""


def states_diagram() -> str:
    """Return the drawing, in the colours of the page around it."""
    arrows = [
        _arrow(before, after)
        for before, followers in TRANSITIONS.items()
        for after in sorted(followers)
        if S.UNKNOWN not in {before, after}
    ]
    boxes = [_box(state) for state in PLACES]
    size = f"{3 * COLUMN + WIDTH + MARGIN} {2 * ROW + 2 * MARGIN}"
    head = (
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
        ' orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="currentColor"/></marker>'
    )
    return "\n".join(
        [
            f'<svg viewBox="0 0 {size}" role="img" aria-label="Which state follows which"',
            ' style="max-width: 44rem" font-family="sans-serif" font-size="12">',
            f"<defs>{head}</defs>",
            *arrows,
            *boxes,
            "</svg>",
        ]
    )


def _centre(state: int) -> tuple[float, float]:
    column, row = PLACES[state]
    return MARGIN + column * COLUMN, MARGIN + row * ROW


def _box(state: int) -> str:
    x, y = _centre(state)
    return (
        f'<rect x="{x - WIDTH / 2}" y="{y - HEIGHT / 2}" width="{WIDTH}" height="{HEIGHT}" rx="6"'
        ' fill="none" stroke="currentColor" stroke-width="1.5"/>'
        f'<text x="{x}" y="{y + 4}" text-anchor="middle" fill="currentColor">'
        f"{getProcessStateDescription(state)}</text>"
    )


def _arrow(before: int, after: int) -> str:
    """Draw a curve from the edge of one box to that of another, its word beside its middle."""
    (x1, y1), (x2, y2) = _centre(before), _centre(after)
    length = hypot(x2 - x1, y2 - y1)
    right = (-(y2 - y1) / length, (x2 - x1) / length)
    swing = 2 * ROW * BENDS.get((before, after), 0.12)
    bend = ((x1 + x2) / 2 - right[0] * swing, (y1 + y2) / 2 - right[1] * swing)
    start, end = _edge((x1, y1), bend), _edge((x2, y2), bend)
    side = 1 if swing > 0 else -1
    beside = [-side * part for part in right]
    x = (x1 + x2) / 2 + beside[0] * (abs(swing) / 2 + 5)
    y = (y1 + y2) / 2 + beside[1] * (abs(swing) / 2 + 5) + 4 + 8 * beside[1]
    anchor = "middle" if abs(beside[0]) < SLANT else "start" if beside[0] > 0 else "end"
    return (
        f'<path d="M{start[0]:.0f},{start[1]:.0f} Q{bend[0]:.0f},{bend[1]:.0f}'
        f' {end[0]:.0f},{end[1]:.0f}" fill="none" stroke="currentColor" opacity="0.6"'
        ' marker-end="url(#tip)"/>'
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"'
        f' fill="currentColor" opacity="0.8">{WORDS[before, after]}</text>'
    )


def _edge(centre: tuple[float, float], towards: tuple[float, float]) -> tuple[float, float]:
    """Return where a line from the centre of a box leaves it."""
    dx, dy = towards[0] - centre[0], towards[1] - centre[1]
    part = min((WIDTH / 2 + 3) / abs(dx) if dx else 9.0, (HEIGHT / 2 + 3) / abs(dy) if dy else 9.0)
    return centre[0] + dx * part, centre[1] + dy * part
