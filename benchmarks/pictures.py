"""`python -m benchmarks.pictures TABLE FOLDER`: draw charts from a printed table."""

from __future__ import annotations

import sys
from html import escape
from math import log10
from pathlib import Path

from benchmarks.bench import short

RATIOS = {
    ("restart-1", "wait [ms]"): "a crashed program is back",
    ("death-to-listener", "wait [ms]"): "a listener hears of a death",
    ("boot-200", "up [ms]"): "200 programs are up",
    ("start-stop-all-200", "start [ms]"): "200 programs are started",
    ("start-stop-all-200", "stop [ms]"): "200 programs are stopped",
    ("getState-10", "CPU each [us]"): "CPU of an answer",
    ("allInfo-200", "CPU each [us]"): "CPU of the answer about 200 programs",
    ("allInfo-1000", "CPU each [us]"): "CPU of the answer about 1000 programs",
    ("log-100B", "CPU [s/GB]"): "CPU of a log of short lines",
    ("log-100-children", "CPU [%]"): "CPU of 100 busy programs",
    ("events", "CPU per event [us]"): "CPU of an event",
    ("page-200", "CPU each [ms]"): "CPU of the status page of 200 programs",
    ("client-status", "wait [ms]"): "supervisorctl status",
    ("idle-0", "memory, PSS [MiB]"): "memory",
}
"""Row and figure -> the label beside the bar."""

GROWTH = ((10, "getState-10"), (1000, "getState-1000"), (3000, "getState-3000"))
FIGURE = "CPU each [us]"

LABELS, BARS, VALUES, LINE = 280, 380, 80, 22
OURS, THEIRS = "#2a7ab0", "#a0a0a0"

Bar = tuple[str, float, str, str]
"""Label, length on the scale, text after the bar, colour."""


def measured(table: str) -> dict[tuple[str, str], tuple[float, float, float]]:
    """Return row and figure -> (ours, theirs, ratio)."""
    found = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if len(cells) == 8 and cells[0] not in {"row", "---"}:
            found[cells[0], cells[1]] = float(cells[2]), float(cells[4]), float(cells[6])
    return found


def drawing(title: str, bars: list[Bar]) -> str:
    """Return bars on a logarithmic scale that begins at 1, as SVG."""
    scale = BARS / max(log10(max(value, 2.0)) for _, value, _, _ in bars)
    width, height = LABELS + BARS + VALUES, LINE * (len(bars) + 2)
    font = 'font-family="sans-serif" font-size="13"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {font}>',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{LABELS}" y="{LINE}" font-weight="bold">{escape(title)}</text>',
    ]
    for number, (label, value, text, colour) in enumerate(bars):
        y = LINE * (number + 2)
        length = max(log10(max(value, 1.0)) * scale, 1)
        lines += [
            f'<text x="{LABELS - 8}" y="{y}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="{LABELS}" y="{y - 12}" width="{length:.0f}" height="15" fill="{colour}"/>',
            f'<text x="{LABELS + length + 6:.0f}" y="{y}">{escape(text)}</text>',
        ]
    return "\n".join([*lines, "</svg>\n"])


def main() -> None:
    """Draw both charts."""
    _, table, folder = sys.argv
    found = measured(Path(table).read_text(encoding="utf-8"))
    ratios: list[Bar] = [
        (label, ratio, f"{short(ratio)}x", OURS)
        for key, label in RATIOS.items()
        if key in found
        for _, _, ratio in [found[key]]
    ]
    growth: list[Bar] = []
    for count, row in GROWTH:
        ours, theirs, _ = found[row, FIGURE]
        growth.append((f"{count} programs: here", ours, f"{ours:.0f} µs", OURS))
        growth.append(("Supervisor 4.3.0", theirs, f"{theirs:.0f} µs", THEIRS))
    pictures = {
        "ratios.svg": drawing("How many times better than Supervisor 4.3.0 (logarithmic)", ratios),
        "growth.svg": drawing("CPU of an answer, as programs grow in number (logarithmic)", growth),
    }
    for name, text in pictures.items():
        (Path(folder) / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
