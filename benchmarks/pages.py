"""The status page."""

from __future__ import annotations

import time
from contextlib import closing

from benchmarks.bench import Asker, Bench, Figures, cpu_seconds, head, programs

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def status_page(bench: Bench, count: int) -> Figures:
    """Request the page with `count` programs on it."""
    times = bench.times(40, 8)
    waits = []
    with (
        bench.daemon(head(count) + programs(count)) as daemon,
        closing(Asker(daemon, GET)) as asker,
    ):
        asker.ask()
        cpu = cpu_seconds(daemon.pid)
        for _ in range(times):
            began = time.monotonic()
            asker.ask()
            waits.append((time.monotonic() - began) * 1e3)
        cpu = (cpu_seconds(daemon.pid) - cpu) / times
    return {"wait [ms]": waits, "CPU each [ms]": [cpu * 1e3]}
