"""`python -m benchmarks [--quick] [ROW ...]`: measure both alternately, print a table.

`--peers COUNT` compares with other supervisors instead, `--floor` measures the lower bound
for any daemon in Python, `--soak 3600` runs a mixed load on ours for an hour, and
`--checks-soak 3600` liveness checks.  `--update docs/performance.md` also replaces the measured
rows of the table there.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

from benchmarks.bench import Bench, implementations, short, work_directory
from benchmarks.document import merged
from benchmarks.floor import floors
from benchmarks.peers import compare
from benchmarks.rows import ROWS, Row
from tests.support.soak import SECONDS_VARIABLE

QUICK_SECONDS = 90
"""Time after which the quick form starts no further row, so that it ends within two minutes."""

SOAKS = {
    "soak": ("tests/faults/test_soak.py", "a mixed load"),
    "checks-soak": ("tests/faults/test_checks_soak.py", "200 programs with liveness checks"),
}
"""Option -> the test that runs the load, and its help."""

MEASURED = "| {:<24} | {:<20} | {:>9} | {:>15} | {:>9} | {:>15} | {:>6} | {:>9} |"
HEADINGS = ("row", "figure", "ours", "p10..p90", "4.3.0", "p10..p90", "ratio", "ours, p99")

Samples = dict[str, dict[str, list[float]]]
"""Figure -> implementation -> samples."""


def main() -> None:
    """Measure the rows on the command line, or all rows if there are none."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = ", ".join(row.name for row in ROWS)
    parser.add_argument("--quick", action="store_true", help="a rough look within two minutes")
    parser.add_argument("--peers", type=int, metavar="COUNT", help="other supervisors instead")
    parser.add_argument("--floor", action="store_true", help="the smallest programs instead")
    for option, (_, what) in SOAKS.items():
        parser.add_argument(f"--{option}", type=int, metavar="SECONDS", help=f"{what} instead")
    parser.add_argument("--update", type=Path, metavar="FILE", help="replace the rows of a table")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"rows to measure, of: {names}")
    arguments = parser.parse_args()
    if unknown := set(arguments.rows) - {row.name for row in ROWS}:
        parser.error(f"no such row: {', '.join(sorted(unknown))} (there are {names})")
    for option, (test, _) in SOAKS.items():
        if seconds := getattr(arguments, option.replace("-", "_")):
            sys.exit(soak(test, seconds))
    if arguments.floor:
        floors()
        return
    chosen = [row for row in ROWS if row.name in arguments.rows or not arguments.rows]
    with tempfile.TemporaryDirectory(dir=work_directory(), prefix="bench") as directory:
        if arguments.peers:
            compare(implementations(Path(directory)), Path(directory), arguments.peers)
        else:
            lines = run(chosen, Path(directory), quick=arguments.quick)
            if arguments.update:
                update(arguments.update, lines)


def soak(test: str, seconds: int) -> int:
    """Run a load on ours; return 0 if neither memory nor fds nor children grow."""
    environment = {**os.environ, SECONDS_VARIABLE: str(seconds)}
    command = [sys.executable, "-m", "pytest", "-q", "-s", test]
    return subprocess.run(command, env=environment, check=False).returncode


def update(path: Path, lines: list[str]) -> None:
    """Replace the measured rows in the table of a document."""
    text = merged(path.read_text(encoding="utf-8"), lines, [row.name for row in ROWS])
    path.write_text(text, encoding="utf-8")


def run(rows: list[Row], directory: Path, *, quick: bool) -> list[str]:
    """Measure rows and print each as soon as it is complete; return the lines of their table."""
    lines: list[str] = []
    print(MEASURED.format(*HEADINGS))
    print("|" + " --- |" * len(HEADINGS))
    both = implementations(directory)
    began = time.monotonic()
    for row in rows:
        rounds = row.rounds_of(quick=quick) or len(rows) == 1
        if quick and time.monotonic() - began > QUICK_SECONDS:
            print(f"not measured, the time of the quick form is over: {row.name}", file=sys.stderr)
            continue
        try:
            samples = sampled(
                row, [Bench(each, directory, quick) for each in both.values()] * rounds
            )
        except (AssertionError, OSError) as error:  # a row that times out must not end the others
            print(f"not measured: {row.name}: {str(error)[:200]}", file=sys.stderr)
            continue
        for figure, found in samples.items():
            lines.append(table_line(row.name, figure, found["ours"], found["reference"]))
            print(lines[-1], flush=True)
    return lines


def sampled(row: Row, benches: list[Bench]) -> Samples:
    """Measure a row once per implementation; return the samples of each figure."""
    samples: Samples = {}
    for bench in benches:
        for figure, values in row.measure(bench).items():
            of_figure = samples.setdefault(figure, {})
            of_figure.setdefault(bench.implementation.name, []).extend(values)
    return samples


def table_line(name: str, figure: str, ours: list[float], theirs: list[float]) -> str:
    """Return a line of the table; a ratio below 1 means that ours is worse."""
    mine, other = median(ours), median(theirs)
    better, worse = (mine, other) if figure.endswith("/s]") else (other, mine)
    ratio = better / worse if worse else math.inf
    cells = (short(mine), spread(ours), short(other), spread(theirs), short(ratio))
    return MEASURED.format(name, figure, *cells, short(percentiles(ours)[98]))


def percentiles(values: list[float]) -> list[float]:
    """Return the 1st to the 99th percentile."""
    return quantiles(values * 2 if len(values) == 1 else values, n=100, method="inclusive")


def spread(values: list[float]) -> str:
    """Return the 10th and the 90th percentile."""
    cuts = percentiles(values)
    return f"{short(cuts[9])}..{short(cuts[89])}"


if __name__ == "__main__":
    main()
