"""The run time of supervisorctl."""

from __future__ import annotations

import resource
import time

from benchmarks.bench import Bench, Figures, programs


def client(bench: Bench, arguments: tuple[str, ...]) -> Figures:
    """Run one command several times, with ten programs in the daemon."""
    waits = []
    times = bench.times(20, 8)
    with bench.daemon(programs(10)) as daemon:
        daemon.ctl(*arguments)
        cpu = _cpu_of_children()
        for _ in range(times):
            began = time.monotonic()
            daemon.ctl(*arguments)
            waits.append((time.monotonic() - began) * 1e3)
        cpu = (_cpu_of_children() - cpu) / times
    return {"wait [ms]": waits, "CPU each [ms]": [cpu * 1e3]}


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
