"""An idle daemon: its programs run without output."""

from __future__ import annotations

import time

from benchmarks.bench import Bench, Figures, cpu_seconds, head, memory_mib, programs, wake_ups


def idle(bench: Bench, count: int) -> Figures:
    """Measure CPU and wake-ups of an idle daemon, then its memory."""
    seconds = bench.times(20, 5)
    with bench.daemon(head(count) + programs(count)) as daemon:
        daemon.close_rpc()
        time.sleep(2)  # until the start is over
        cpu, waits = cpu_seconds(daemon.pid), wake_ups(daemon.pid)
        time.sleep(seconds)
        cpu, waits = cpu_seconds(daemon.pid) - cpu, wake_ups(daemon.pid) - waits
        memory = memory_mib(daemon.pid)
    return {
        "CPU in 20 s [ms]": [cpu * 1e3 * 20 / seconds],
        "wake-ups in 20 s": [waits * 20 / seconds],
        "memory, PSS [MiB]": [memory],
    }
