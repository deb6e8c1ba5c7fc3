"""Liveness checks: programs without output that are checked every ten seconds.

The reference ignores the options, so its figures are those of an idle daemon.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from benchmarks.bench import Bench, Figures, cpu_seconds, head, memory_mib, programs, wake_ups

COMMAND = "/bin/true"
PERIOD_SECONDS = 10
SETTLE_SECONDS = 2 * PERIOD_SECONDS
"""Time after which all checks are aligned."""


@contextmanager
def _accepting() -> Iterator[str]:
    """Yield the URL of a server that accepts connections and closes them."""
    server = socket.create_server(("127.0.0.1", 0), backlog=1000)

    def serve() -> None:
        with suppress(OSError):  # it has been shut down
            while True:
                server.accept()[0].close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        server.close()


def tcp(bench: Bench, count: int) -> Figures:
    """Measure the daemon while it checks a port for each program."""
    with _accepting() as url:
        return _checked(bench, count, url)


def command(bench: Bench, count: int) -> Figures:
    """Measure the daemon while it runs a command for each program, without the commands."""
    return _checked(bench, count, COMMAND)


def _checked(bench: Bench, count: int, script: str) -> Figures:
    seconds = bench.times(40, 20)
    options = f"""
        liveness_check_script={script}
        liveness_check_initial_delay=0
        liveness_check_period={PERIOD_SECONDS}
        """
    with bench.daemon(head(count) + programs(count, options=options)) as daemon:
        daemon.close_rpc()
        time.sleep(SETTLE_SECONDS)
        cpu, waits = cpu_seconds(daemon.pid), wake_ups(daemon.pid)
        time.sleep(seconds)
        cpu, waits = cpu_seconds(daemon.pid) - cpu, wake_ups(daemon.pid) - waits
        memory = memory_mib(daemon.pid)
    checks = count * seconds / PERIOD_SECONDS
    return {
        "CPU in 20 s [ms]": [cpu * 1e3 * 20 / seconds],
        "CPU of a check [us]": [cpu * 1e6 / checks],
        "wake-ups in 20 s": [waits * 20 / seconds],
        "memory, PSS [MiB]": [memory],
    }
