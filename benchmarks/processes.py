"""Crashes and restarts, starts and stops of processes."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import closing

from benchmarks.bench import (
    Asker,
    Bench,
    Figures,
    Stamps,
    call_request,
    child,
    cpu_seconds,
    head,
    programs,
    stamps,
)

NAME = "many:many_0"
START, STOP = (call_request(f"supervisor.{verb}Process", NAME) for verb in ("start", "stop"))

LIFE_SECONDS = 1.05
"""Lifetime of a child; restarts of a younger one are delayed to one second after its start."""


def restart(bench: Bench, count: int, full: int = 20, quick: int = 5) -> Figures:
    """Kill a child; the new one reports when it runs.  `count - 1` others are idle."""
    config = (
        head(count)
        + programs(count - 1)
        + f"""
        [program:phoenix]
        command={child("stamp")} %(here)s/stamps
        startsecs=0
        stdout_logfile=NONE
        stderr_logfile=NONE
        """
    )
    daemon = bench.daemon(config)
    with stamps(daemon) as from_child, daemon:
        _, pid = from_child.next()
        cpu = cpu_seconds(daemon.pid)
        times = []
        for _ in range(bench.times(full, quick)):
            time.sleep(LIFE_SECONDS)
            began = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            at, pid = from_child.next()
            times.append((at - began) * 1e3)
        cpu = (cpu_seconds(daemon.pid) - cpu) / len(times)
    return {"wait [ms]": times, "CPU each [ms]": [cpu * 1e3]}


def death_to_listener(bench: Bench) -> Figures:
    """Kill a child; a listener of PROCESS_STATE_EXITED reports when it is notified."""
    config = f"""
        [program:mortal]
        command={child("stamp")}
        startsecs=0
        autorestart=false
        [eventlistener:heir]
        command={child("listener")} %(here)s/stamps
        events=PROCESS_STATE_EXITED
        """
    times = []
    daemon = bench.daemon(config)
    with stamps(daemon) as from_listener, daemon:
        daemon.wait_for_state("heir", "RUNNING")
        for _ in range(bench.times(20, 5)):
            times.append(_until_heard(daemon.info("mortal")["pid"], from_listener))
            time.sleep(0.05)
            daemon.rpc.supervisor.startProcess("mortal")
            time.sleep(0.05)
    return {"wait [ms]": times}


def _until_heard(pid: int, from_listener: Stamps) -> float:
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    return (from_listener.next()[0] - began) * 1e3


def start_and_stop(bench: Bench, options: str = "") -> Figures:
    """Start and stop one program by RPC, waiting for the answers; `options` are further ones.

    In between, wait until the child reports that it runs: 4.3.0 hangs if a child receives the
    stop signal before exec.
    """
    starts, stops = [], []
    config = programs(1, f"{child('stamp')} %(here)s/stamps", f"autostart=false\n{options}")
    daemon = bench.daemon(config)
    with (
        stamps(daemon) as from_child,
        daemon,
        closing(Asker(daemon, START)) as starter,
        closing(Asker(daemon, STOP)) as stopper,
    ):
        for _ in range(bench.times(40, 15)):
            began = time.monotonic()
            assert b"boolean" in starter.ask()  # noqa: S101 - a fault would be quick
            starts.append((time.monotonic() - began) * 1e3)
            from_child.next()
            began = time.monotonic()
            assert b"boolean" in stopper.ask()  # noqa: S101
            stops.append((time.monotonic() - began) * 1e3)
    return {"start [ms]": starts, "stop [ms]": stops}


def start_slowly(bench: Bench) -> Figures:
    """Measure the delay of the response after the second of a start with `startsecs=1`."""
    late = []
    config = programs(1, options="autostart=false\nstartsecs=1")
    daemon = bench.daemon(config)
    with daemon, closing(Asker(daemon, START)) as starter, closing(Asker(daemon, STOP)) as stopper:
        for _ in range(bench.times(10, 2)):
            began = time.monotonic()
            assert b"boolean" in starter.ask()  # noqa: S101 - a fault would be quick
            late.append((time.monotonic() - began - 1) * 1e3)
            stopper.ask()
    return {"start, beyond 1 s [ms]": late}


def start_and_stop_all(bench: Bench, count: int) -> Figures:
    """Start and stop all programs by one call each."""
    figures: Figures = {}
    config = head(count) + programs(count, options="autostart=false")
    with bench.daemon(config) as daemon:
        for verb, method in (("start", "startAllProcesses"), ("stop", "stopAllProcesses")):
            with closing(Asker(daemon, call_request(f"supervisor.{method}"))) as asker:
                began, cpu = time.monotonic(), cpu_seconds(daemon.pid)
                asker.ask()
                figures[f"{verb} [ms]"] = [(time.monotonic() - began) * 1e3]
                figures[f"{verb}: CPU [ms]"] = [(cpu_seconds(daemon.pid) - cpu) * 1e3]
    return figures


def answers_while_starting(bench: Bench, count: int) -> Figures:
    """Start all programs by one call; meanwhile another client asks for the daemon's state."""
    config = head(count) + programs(count, options="autostart=false")
    waits: list[float] = []
    with (
        bench.daemon(config) as daemon,
        closing(Asker(daemon, call_request("supervisor.startAllProcesses"))) as starter,
        closing(Asker(daemon, call_request("supervisor.getState"))) as client,
    ):
        client.ask()
        began = time.monotonic()
        starting = threading.Thread(target=starter.ask)
        starting.start()
        while starting.is_alive():
            asked = time.monotonic()
            client.ask()
            waits.append((time.monotonic() - asked) * 1e3)
        total = (time.monotonic() - began) * 1e3
    waits.sort()
    return {
        "getState, slowest [ms]": [waits[-1]],
        "getState, 99th percentile [ms]": [waits[len(waits) * 99 // 100]],
        "all started [ms]": [total],
    }
