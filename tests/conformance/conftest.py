"""One pair of daemons for each module: it says CONFIG, and what to wait for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.comparison import Pair, comparisons, running_pair
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a worker has compared (pytest-xdist)."""
    comparisons.update(node.workeroutput.get("comparisons", {}))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Pass on what has been compared, in a worker."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["comparisons"] = dict(comparisons)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was compared."""
    if comparisons:
        counts = ", ".join(f"{name} {count}" for name, count in sorted(comparisons.items()))
        terminalreporter.write_line(f"{comparisons.total()} comparisons: {counts}")


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """The reference and ours on the module's CONFIG, once they have come to rest.

    SETTLED names processes with the states to wait for, TALKERS those (`two_streams`) whose
    words must be in their logs.
    """
    settled = getattr(request.module, "SETTLED", {})
    with running_pair(request.module.CONFIG, settled) as started:
        for name in getattr(request.module, "TALKERS", ()):
            for daemon in (started.theirs, started.ours):
                wait_until(lambda daemon=daemon, name=name: _has_spoken(daemon, name))
        yield started


def _has_spoken(daemon: Daemon, name: str) -> bool:
    supervisor = daemon.rpc.supervisor
    return "READY" in str(supervisor.readProcessStdoutLog(name, 0, 0)) and bool(
        supervisor.readProcessStderrLog(name, 0, 0)
    )
