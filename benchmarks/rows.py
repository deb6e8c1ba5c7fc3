"""The rows: name, function, number of rounds (0 omits it from the quick form)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks import boot, checks, client, events, idle, logs, pages, processes, rpc
from benchmarks.bench import Bench, Figures


@dataclass(frozen=True)
class Row:
    """One row, measured `rounds` times for each implementation."""

    name: str
    measure: Callable[[Bench], Figures]
    rounds: int = 3
    quick_rounds: int = 1

    def rounds_of(self, *, quick: bool) -> int:
        """Return the number of rounds of a form."""
        return self.quick_rounds if quick else self.rounds


STATE, INFO = "getState", "getAllProcessInfo"

LIMITS = "rlimit_core=0\nnice=5\noom_score_adj=500\npdeathsig=KILL"
"""Limits of a program, which the reference ignores."""

ROWS = (
    Row("boot-0", partial(boot.boot_and_shutdown, count=0), 15, 3),
    Row("boot-200", partial(boot.boot_and_shutdown, count=200), 5, 1),
    Row("boot-1000", partial(boot.boot_and_shutdown, count=1000), 3, 0),
    Row("boot-1000-first-response", partial(boot.first_answer, count=1000), 3, 0),
    Row("boot-0-user-root", partial(boot.boot_as, user="root"), 15, 3),
    Row("boot-0-user-nobody", partial(boot.boot_as, user="nobody"), 15, 3),
    Row("restart-1", partial(processes.restart, count=1)),
    Row("restart-1000", partial(processes.restart, count=1000), 3, 0),
    Row("restart-3000", partial(processes.restart, count=3000), 1, 0),
    Row("death-to-listener", processes.death_to_listener),
    Row("start-stop", processes.start_and_stop),
    Row("start-stop-limits", partial(processes.start_and_stop, options=LIMITS)),
    Row("start-startsecs-1", processes.start_slowly, 3, 0),
    Row("start-stop-all-200", partial(processes.start_and_stop_all, count=200), 5, 1),
    Row("getState-starting-500", partial(processes.answers_while_starting, count=500), 3, 0),
    Row("getState-10", partial(rpc.answers, count=10, method=STATE, times=1000)),
    Row("getState-200", partial(rpc.answers, count=200, method=STATE, times=500), 3, 0),
    Row("getState-1000", partial(rpc.answers, count=1000, method=STATE, times=300), 3, 0),
    Row("getState-1000-running", partial(rpc.running, count=1000, method=STATE, times=300), 3, 0),
    Row("getState-3000", partial(rpc.answers, count=3000, method=STATE, times=300), 1, 0),
    Row(
        "getState-new-connection",
        partial(rpc.answers, count=10, method=STATE, times=500, keep=False),
    ),
    Row("allInfo-10", partial(rpc.running, count=10, method=INFO, times=300)),
    Row("allInfo-200", partial(rpc.running, count=200, method=INFO, times=30)),
    Row("allInfo-1000", partial(rpc.running, count=1000, method=INFO, times=5), 3, 0),
    Row(
        "allInfo-200-new-connection",
        partial(rpc.running, count=200, method=INFO, times=30, keep=False),
        3,
        0,
    ),
    Row("log-64KB", partial(logs.throughput, size=65536, megabytes=1024, kind="plain")),
    Row(
        "log-64KB-rotating",
        partial(logs.throughput, size=65536, megabytes=1024, kind="rotating"),
        3,
        0,
    ),
    Row("log-100B", partial(logs.throughput, size=100, megabytes=100, kind="plain")),
    Row(
        "log-100B-rotating",
        partial(logs.throughput, size=100, megabytes=100, kind="rotating"),
        3,
        0,
    ),
    Row("log-100B-prefix", partial(logs.throughput, size=100, megabytes=100, kind="prefix"), 3, 0),
    Row(
        "log-100B-timestamp",
        partial(logs.throughput, size=100, megabytes=100, kind="timestamp"),
        3,
        0,
    ),
    Row("log-100B-json", partial(logs.throughput, size=100, megabytes=100, kind="json"), 3, 0),
    Row("log-100B-tee", partial(logs.throughput, size=100, megabytes=100, kind="tee"), 3, 0),
    Row("log-100-children", partial(logs.chatty, count=100, rate=1000)),
    Row(
        "log-100-children-prefix",
        partial(logs.chatty, count=100, rate=1000, kind="prefix"),
        3,
        0,
    ),
    Row("events", partial(events.delivery, rate=20_000)),
    Row("idle-0", partial(idle.idle, count=0)),
    Row("idle-1000", partial(idle.idle, count=1000), 1, 0),
    Row("idle-3000", partial(idle.idle, count=3000), 1, 0),
    Row("checks-100-tcp", partial(checks.tcp, count=100), 1, 0),
    Row("checks-100-command", partial(checks.command, count=100), 1, 0),
    Row("client-status", partial(client.client, arguments=("status",))),
    Row("client-help", partial(client.client, arguments=("-h",))),
    Row("client-version", partial(client.client, arguments=("version",))),
    Row("page-200", partial(pages.status_page, count=200)),
    Row("page-1000-browser", partial(pages.in_a_browser, count=1000), 3, 0),
)
