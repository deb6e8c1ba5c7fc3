"""Journey: upgrades to another version and back, while fifty programs do everything.

`python -m benchmarks --reexec 100` is the long form.  The version that was released before this
one has no `reexec`, so both versions are the current code (see `tests.support.upgrades`).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from random import Random
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import pytest

from tests.support.busy_programs import SECONDS, BusyPrograms
from tests.support.daemon import Daemon
from tests.support.ports import free_port
from tests.support.proctable import fd_count, memory_bytes
from tests.support.tables import assert_none
from tests.support.transport import proxy
from tests.support.upgrades import Versions
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

COUNT = int(os.environ.get("SUPERVISOR_REEXECS", "10"))
"""Number of upgrades."""

SEED = int(os.environ.get("SUPERVISOR_REEXEC_SEED", str(time.time_ns() % 10**6)))

VERSIONS = ("4.98.0", "4.99.0")

MAX_PAUSE_SECONDS = 0.7
"""Upper bound of the time between two upgrades, chosen at random."""

MAX_TOGGLE_SECONDS = 0.1
"""Upper bound of the time between two programs that a client stops and starts."""

WARM_UPGRADES = 4
"""Number of upgrades after which memory and fds must not grow."""

CHANGING = ("crasher", "flapping", "toggled", "hooked")
"""Groups whose pids change."""

FASTCGI = ("fastcgi:fastcgi_0", "fastcgi:fastcgi_1")

ALREADY_DONE = {"ALREADY_STARTED", "NOT_RUNNING"}


def persistently(call: Callable[[], Any]) -> Any:
    """Repeat a call while the daemon closes the connection without an answer."""
    for _ in range(100):
        with suppress(OSError, HTTPException):
            return call()
        time.sleep(0.02)
    raise AssertionError("no answer")


class Toggler(threading.Thread):
    """A client that starts and stops programs, one after the other."""

    NAMES = ("toggled:toggled_0", "toggled:toggled_1", "toggled:toggled_2", "hooked")

    def __init__(self, path: Path, random: Random) -> None:
        super().__init__(daemon=True)
        self._path = str(path)
        self._random = random
        self._ends = threading.Event()
        self.problems: list[str] = []
        self.calls = 0

    def run(self) -> None:
        """Toggle until the end."""
        with closing(_Connection(self._path)) as connection:
            while not self._ends.wait(self._random.uniform(0, MAX_TOGGLE_SECONDS)):
                self._toggle(connection.rpc, self._random.choice(self.NAMES))

    def _toggle(self, rpc: ServerProxy, name: str) -> None:
        try:
            for verb in ("stop", "start"):
                persistently(lambda verb=verb: self._call(rpc, f"{verb}Process", name))
                self.calls += 1
            info: Any = persistently(lambda: rpc.supervisor.getProcessInfo(name))
            if info["statename"] != "RUNNING":
                self.problems.append(f"{name} is {info['statename']} after a start")
        except Exception as error:  # noqa: BLE001 - reported by the test
            self.problems.append(f"{name}: {error!r}")

    def _call(self, rpc: ServerProxy, method: str, name: str) -> None:
        try:
            getattr(rpc.supervisor, method)(name)
        except Fault as fault:
            if fault.faultString.partition(":")[0] not in ALREADY_DONE:
                raise

    def close(self) -> None:
        """End the thread."""
        self._ends.set()
        self.join()


class _Connection:
    """A proxy that can be closed."""

    def __init__(self, path: str) -> None:
        self.rpc = proxy(path)

    def close(self) -> None:
        self.rpc("close")()


@contextmanager
def toggling(daemon: Daemon, random: Random) -> Iterator[Toggler]:
    """Start and stop programs meanwhile."""
    toggler = Toggler(daemon.socket_path, random)
    toggler.start()
    try:
        yield toggler
    finally:
        toggler.close()


class Upgrades:
    """The upgrades of a daemon, and what must stay the same."""

    def __init__(self, daemon: Daemon, versions: Versions, random: Random) -> None:
        self._daemon = daemon
        self._versions = versions
        self._random = random
        self._processes = self._steady()

    def _steady(self) -> dict[str, tuple[int, int]]:
        """Return pid and start time of each process that must not be started again."""
        infos: Any = self._daemon.rpc.supervisor.getAllProcessInfo()
        return {
            each["name"]: (each["pid"], each["start"])
            for each in infos
            if each["group"] not in CHANGING
        }

    def upgrade(self, number: str) -> None:
        """Install a version and let the daemon execute it, at a random moment."""
        daemon = self._daemon
        time.sleep(self._random.uniform(0, MAX_PAUSE_SECONDS))
        self._versions.install(number)
        assert daemon.rpc.supervisor.reexec()
        daemon.close_rpc()
        assert daemon.rpc.supervisor.getSupervisorVersion() == number
        assert daemon.rpc.supervisor.getPID() == daemon.pid
        assert self._steady() == self._processes


@pytest.mark.timeout(60 + 12 * COUNT)
def test_upgrades_and_back(directory: Path) -> None:
    """Every line once and in order, every exit and event counted, no pid changed."""
    random = Random(SEED)  # noqa: S311 - the seed is reported
    print(f"SUPERVISOR_REEXEC_SEED={SEED}")
    versions = Versions(directory, VERSIONS)
    busy = BusyPrograms(directory, free_port(), Random(SEED))  # noqa: S311
    daemon = Daemon(
        directory,
        busy.config,
        environment=versions.environment,
        within=busy.within,
        seconds=SECONDS,
    )
    try:
        with daemon:
            before = _repeat(daemon, versions, random)
            pids = {str(daemon.info(name)["pid"]) for name in ("tcp", *FASTCGI)}
            assert busy.servers() <= pids
            busy.end(daemon)
            after = memory_bytes(daemon.pid), fd_count(daemon.pid)
            assert daemon.log_text().count(" INFO resumed ") == COUNT
    finally:
        busy.close()
    assert_none(busy.problems())
    assert_none(_errors(daemon.log_text()))
    assert after[0] - before[0] < 3_000_000
    assert after[1] - before[1] <= 6


def _errors(log: str) -> Iterator[str]:
    """Yield the lines of errors; each start without a password or as root is critical too."""
    for line in log.splitlines():
        level, _, text = line[24:].partition(" ")
        if level in {"CRIT", "ERRO"} and not text.startswith(("Server ", "Supervisor is running")):
            yield line


def _all_run(daemon: Daemon) -> bool:
    infos: Any = daemon.rpc.supervisor.getAllProcessInfo()
    return all(each["statename"] == "RUNNING" for each in infos if each["group"] not in CHANGING)


def _repeat(daemon: Daemon, versions: Versions, random: Random) -> tuple[int, int]:
    """Upgrade and go back; return memory and fds of the daemon after the first ones."""
    wait_until(lambda: _all_run(daemon), SECONDS, what=daemon.log_text)
    upgrades = Upgrades(daemon, versions, random)
    before = 0, 0
    with toggling(daemon, random) as toggler:
        for number in range(COUNT):
            upgrades.upgrade(VERSIONS[1 - number % 2])
            if number == WARM_UPGRADES:
                before = memory_bytes(daemon.pid), fd_count(daemon.pid)
    assert toggler.problems == []
    assert toggler.calls > COUNT
    return before
