"""The replacement of a daemon whose programs keep running.

The reference has no `reexec`, so it is restarted, which stops and starts all programs.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing

from benchmarks.bench import (
    DEADLINE_SECONDS,
    PAUSE_SECONDS,
    Asker,
    Bench,
    Figures,
    call_request,
    child,
    head,
    programs,
    wait_for,
)
from tests.support.daemon import Daemon

WRITERS = 100
"""Number of the programs that write."""

LINES_PER_SECOND = 10

SETTLE_SECONDS = 0.5
"""Pause between two replacements."""

STATE = call_request("supervisor.getState")
INFO = call_request("supervisor.getAllProcessInfo")


def gap(bench: Bench, count: int) -> Figures:
    """Measure the time between the last response of a daemon and the first one of the next.

    `count` programs run, and some of them write.
    """
    config = f"""
        {head(count)}
        {programs(count - WRITERS)}
        [program:writer]
        command={child("flood")} 100 1000000 {LINES_PER_SECOND}
        process_name=%(program_name)s_%(process_num)s
        numprocs={WRITERS}
        startsecs=0
        stdout_logfile=%(here)s/out.log%(process_num)s
        """
    is_ours = bench.implementation.name == "ours"
    request = call_request("supervisor.reexec" if is_ours else "supervisor.restart")
    gaps = []
    with bench.daemon(config) as daemon:
        wait_for(lambda: _running(daemon) == count, pause=0.1)
        daemon.close_rpc()
        for _ in range(bench.times(5, 2) if is_ours else 1):
            gaps.append(_gap(daemon, request))
            time.sleep(SETTLE_SECONDS)
    return {"without response [ms]": gaps}


def _running(daemon: Daemon) -> int:
    with closing(Asker(daemon, INFO)) as client:
        return client.ask().count(b"<string>RUNNING</string>")


def _gap(daemon: Daemon, request: bytes) -> float:
    """Let the daemon be replaced; return the time without a response, in ms."""
    ends = time.monotonic() + DEADLINE_SECONDS
    with closing(Asker(daemon, STATE)) as client:
        client.ask()
        with closing(Asker(daemon, request)) as other:
            thread = threading.Thread(target=other.ask)
            thread.start()
            answered = _last_response(client, ends)
            thread.join()
        while time.monotonic() < ends:
            try:
                client.ask()
                return (time.monotonic() - answered) * 1e3
            except OSError:  # of the reference: its socket is gone for a moment
                client.close()
                time.sleep(PAUSE_SECONDS)
    raise TimeoutError("the daemon does not respond")


def _last_response(client: Asker, ends: float) -> float:
    """Ask until the connection ends; return the time of the last response."""
    answered = time.monotonic()
    while time.monotonic() < ends:
        try:
            client.ask()
        except OSError:
            client.close()
            return answered
        answered = time.monotonic()
        time.sleep(PAUSE_SECONDS)
    raise TimeoutError("the daemon was not replaced")
