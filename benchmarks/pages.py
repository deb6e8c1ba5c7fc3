"""The status page: its response, and what a browser does with it."""

from __future__ import annotations

import time
from contextlib import closing
from textwrap import dedent

from benchmarks.bench import Asker, Bench, Figures, cpu_seconds, head, programs
from tests.support.ports import free_port, inet_server

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


LOADED = """
const [done] = arguments;
const tasks = [];
new PerformanceObserver((list) => tasks.push(...list.getEntries()))
  .observe({ type: "longtask", buffered: true });
setTimeout(() => {
  const paint = performance.getEntriesByName("first-contentful-paint")[0].startTime;
  const before = tasks.filter((task) => task.startTime < paint).map((task) => task.duration);
  const total = tasks.reduce((sum, task) => sum + task.duration, 0);
  done([paint, Math.max(0, ...before), total]);
}, 3000);
"""
"""Script that returns the first paint, the longest task before it, and all tasks over 50 ms."""


def in_a_browser(bench: Bench, count: int) -> Figures:
    """Open the page with `count` programs in Chromium, until it is live."""
    from tests.support.browser import browser  # only this row needs selenium

    port = free_port()
    figures: Figures = {}
    with (
        bench.daemon(head(count) + inet_server(port) + dedent(programs(count))),
        browser(bench.directory / "profile") as page,
    ):
        for _ in range(bench.times(5, 1)):
            page.open(f"http://127.0.0.1:{port}/")
            found = page.driver.execute_async_script(LOADED)
            for name, value in zip(FIGURES, found, strict=True):
                figures.setdefault(name, []).append(value)
    return figures


FIGURES = ("first paint [ms]", "longest task before it [ms]", "long tasks [ms]")
