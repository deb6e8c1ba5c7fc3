"""Delivery of a child's lines to an event listener."""

from __future__ import annotations

import time

from benchmarks.bench import Bench, Figures, child, cpu_seconds, stamps


def delivery(bench: Bench, rate: int) -> Figures:
    """Write lines at a rate; the listener reports when it has received all of them."""
    lines = bench.times(100_000, 30_000)
    config = f"""
        [program:chatty]
        command={child("flood")} 100 {lines} {rate}
        autostart=false
        startsecs=0
        stdout_logfile=NONE
        stdout_events_enabled=true
        [eventlistener:reader]
        command={child("listener")} %(here)s/stamps {lines}
        events=PROCESS_LOG_STDOUT
        buffer_size={lines}
        """
    daemon = bench.daemon(config)
    with stamps(daemon) as from_listener, daemon:
        daemon.wait_for_state("reader", "RUNNING")
        cpu, began = cpu_seconds(daemon.pid), time.monotonic()
        daemon.rpc.supervisor.startProcess("chatty")
        at, events = from_listener.next()
        cpu = cpu_seconds(daemon.pid) - cpu
    return {
        "lines [1/s]": [lines / (at - began)],
        "events [1/s]": [events / (at - began)],
        "CPU per event [us]": [cpu / events * 1e6],
        "CPU per line [us]": [cpu / lines * 1e6],
    }
