"""Boxes and arrows as SVG, in the colours of the page around them."""

from __future__ import annotations

from collections.abc import Iterable
from math import hypot

from supervisor.common.records import record

FONT, SMALL_FONT = 12, 10.5
"""Sizes of the text, in pixels."""

SLANT = 0.3
"""From which slope on a word is left or right of its arrow, not above or below."""

_TIP = (
    '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
    ' orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="currentColor"/></marker>'
)


@record(frozen=True)
class Box:
    """A box with one or more lines of text; `x` and `y` are its centre, all in pixels."""

    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]

    def svg(self) -> str:
        """Return the box: its first line is the name, the others are smaller."""
        left, top = self.x - self.width / 2, self.y - self.height / 2
        first = self.y + 4 - 7 * (len(self.lines) - 1)
        texts = [
            f'<text x="{self.x:.0f}" y="{first + 14 * row:.0f}" text-anchor="middle"'
            f' fill="currentColor" font-size="{SMALL_FONT if row else FONT}">{line}</text>'
            for row, line in enumerate(self.lines)
        ]
        return (
            f'<rect x="{left:.0f}" y="{top:.0f}" width="{self.width:.0f}"'
            f' height="{self.height:.0f}" rx="6" fill="none" stroke="currentColor"'
            f' stroke-width="1.5"/>{"".join(texts)}'
        )

    def edge(self, x: float, y: float) -> tuple[float, float]:
        """Return where a line from the centre to a point leaves the box."""
        dx, dy = x - self.x, y - self.y
        part = min(
            (self.width / 2 + 3) / abs(dx) if dx else 9.0,
            (self.height / 2 + 3) / abs(dy) if dy else 9.0,
        )
        return self.x + dx * part, self.y + dy * part


def arrow(before: Box, after: Box, word: str = "", *, swing: float = 0.0) -> str:
    """Return a curve from one box to another, with a word beside its middle.

    It swings out by `swing` pixels to its right.
    """
    length = hypot(after.x - before.x, after.y - before.y)
    right = (-(after.y - before.y) / length, (after.x - before.x) / length)
    middle = ((before.x + after.x) / 2, (before.y + after.y) / 2)
    bend = (middle[0] - right[0] * swing, middle[1] - right[1] * swing)
    start, end = before.edge(*bend), after.edge(*bend)
    curve = (
        f'<path d="M{start[0]:.0f},{start[1]:.0f} Q{bend[0]:.0f},{bend[1]:.0f}'
        f' {end[0]:.0f},{end[1]:.0f}" fill="none" stroke="currentColor" opacity="0.6"'
        ' marker-end="url(#tip)"/>'
    )
    if not word:
        return curve
    side = -1 if swing > 0 else 1
    beside = [side * part for part in right]
    x = middle[0] + beside[0] * (abs(swing) / 2 + 5)
    y = middle[1] + beside[1] * (abs(swing) / 2 + 5) + 4 + 8 * beside[1]
    anchor = "middle" if abs(beside[0]) < SLANT else "start" if beside[0] > 0 else "end"
    return (
        f'{curve}<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"'
        f' fill="currentColor" opacity="0.8">{word}</text>'
    )


def picture(label: str, width: float, height: float, parts: Iterable[str]) -> str:
    """Return a drawing; `label` describes it to those who cannot see it."""
    return "\n".join(
        [
            f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{label}"',
            f' style="max-width: {width / 14:.0f}rem" font-family="sans-serif" font-size="{FONT}">',
            f"<defs>{_TIP}</defs>",
            *parts,
            "</svg>",
        ]
    )
