"""From exec to all programs up, and from SIGTERM to the end."""

from __future__ import annotations

import signal
import time

from benchmarks.bench import (
    Bench,
    Figures,
    answers,
    child,
    cpu_seconds,
    head,
    programs,
    stamps,
    wait_for,
)


def boot_and_shutdown(bench: Bench, count: int) -> Figures:
    """Start with so many programs; children say when they run.  Then end it all."""
    config = head(count) + programs(count, f"{child('stamp')} %(here)s/stamps")
    daemon = bench.daemon(config)
    with stamps(daemon) as from_children:
        began = time.monotonic()
        process = daemon.launch()
        try:
            if count:
                up = from_children.take(count)
            wait_for(lambda: answers(daemon.socket_path))
            if not count:
                up = time.monotonic()
            cpu = cpu_seconds(process.pid)
            ended = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait()
            gone = time.monotonic()
        finally:
            daemon.stop()
    figures = {"up [ms]": [(up - began) * 1e3], "CPU [ms]": [cpu * 1e3]}
    if count:
        figures["shutdown [ms]"] = [(gone - ended) * 1e3]
    return figures
