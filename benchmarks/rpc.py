"""The cost of a response for the daemon."""

from __future__ import annotations

import time
from contextlib import closing

from benchmarks.bench import (
    Asker,
    Bench,
    Figures,
    call_request,
    cpu_seconds,
    head,
    programs,
    wait_for,
)
from tests.support.daemon import Daemon


def answers(bench: Bench, count: int, method: str, times: int, *, keep: bool = True) -> Figures:
    """Repeat a call to a daemon with `count` stopped programs, on kept or new connections."""
    config = head(count) + programs(count, options="autostart=false")
    with bench.daemon(config) as daemon:
        return _asked(Asker(daemon, call_request(f"supervisor.{method}")), daemon.pid, times, keep)


def running(bench: Bench, count: int, method: str, times: int, *, keep: bool = True) -> Figures:
    """Repeat a call to a daemon with `count` running programs, on kept or new connections."""
    with bench.daemon(head(count) + programs(count)) as daemon:
        asker = Asker(daemon, call_request(f"supervisor.{method}"))
        _wait_for_all(daemon, count)
        return _asked(asker, daemon.pid, times, keep)


def _wait_for_all(daemon: Daemon, count: int) -> None:
    """Wait until all programs are RUNNING: the first responses arrive earlier."""
    with closing(Asker(daemon, call_request("supervisor.getAllProcessInfo"))) as asker:
        wait_for(lambda: asker.ask().count(b"RUNNING") == count)


def _asked(asker: Asker, pid: int, times: int, keep: bool) -> Figures:  # noqa: FBT001
    waits = []
    with closing(asker):
        asker.ask()
        cpu = cpu_seconds(pid)
        for _ in range(times):
            began = time.monotonic()
            asker.ask(keep=keep)
            waits.append((time.monotonic() - began) * 1e6)
        cpu = (cpu_seconds(pid) - cpu) / times
    return {"wait [us]": waits, "CPU each [us]": [cpu * 1e6]}
