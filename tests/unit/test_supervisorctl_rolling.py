"""`restart --rolling`: its order, its failures and its flags, with a fake daemon."""

from __future__ import annotations

import time
from typing import Any
from xmlrpc.client import Fault

import pytest

from supervisor.common.faults import Faults
from supervisor.supervisorctl import rolling
from tests.support.ctl import Ctl, FakeOptions, process

NAMES = [f"web:web_{number}" for number in range(4)]


class Daemon:
    """Processes that can be stopped and started, except for `broken` ones."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.down: set[str] = set()
        self.broken: set[str] = set()
        self.on_start: Any = None

    def stop(self, name: str) -> bool:
        if name in self.down:
            raise Fault(Faults.NOT_RUNNING, f"NOT_RUNNING: {name}")
        self.calls.append(f"-{name[-1]}")
        return True

    def start(self, name: str) -> bool:
        self.calls.append(f"+{name[-1]}")
        if self.on_start is not None:
            self.on_start(name)
        if name in self.broken:
            raise Fault(Faults.SPAWN_ERROR, f"SPAWN_ERROR: {name}")
        self.down.discard(name)
        return True

    def infos(self) -> list[dict[str, Any]]:
        return [
            process(name, "EXITED", 100) if name in self.down else process(name) for name in NAMES
        ]


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
def ctl(daemon: Daemon) -> Ctl:
    return Ctl(
        FakeOptions(
            getAllProcessInfo=daemon.infos,
            stopProcess=daemon.stop,
            startProcess=daemon.start,
        )
    )


def restarted(*numbers: int) -> str:
    """Return the lines about processes that have been restarted."""
    return "".join(f"web:web_{n}: stopped\nweb:web_{n}: started\n" for n in numbers)


def test_one_after_the_other(ctl: Ctl, daemon: Daemon) -> None:
    assert ctl.run("restart --rolling web:*") == (restarted(0, 1, 2, 3), 0)
    assert daemon.calls == ["-0", "+0", "-1", "+1", "-2", "+2", "-3", "+3"]


def test_names_and_patterns_mean_each_process_once(ctl: Ctl) -> None:
    line = "restart --rolling web:web_3 web:web_[13] web:web_1"
    assert ctl.run(line) == (restarted(3, 1), 0)
    assert ctl.run("restart --rolling all")[0] == restarted(0, 1, 2, 3)


def test_batches_overlap_in_themselves_only(ctl: Ctl, daemon: Daemon) -> None:
    """Each process of a batch waits for the others, so they must run at the same time."""
    from threading import Barrier

    barriers = {name: Barrier(2) for name in ("01", "23")}
    daemon.on_start = lambda name: barriers["01" if name[-1] in "01" else "23"].wait(10)
    assert ctl.run("restart --rolling --batch 2 web:*") == (restarted(0, 1, 2, 3), 0)
    assert {call[-1] for call in daemon.calls[:4]} == {"0", "1"}


def test_the_first_failure_ends_it(ctl: Ctl, daemon: Daemon) -> None:
    daemon.broken = {NAMES[1]}
    daemon.down = {NAMES[0]}
    expected = (
        "web:web_0: started\nweb:web_1: stopped\nweb:web_1: ERROR (spawn error)\n"
        "restarted: web:web_0\nfailed: web:web_1\nnot restarted: web:web_2, web:web_3\n"
    )
    assert ctl.run("restart --rolling web:*") == (expected, 1)
    daemon.broken = {NAMES[3]}
    output, status = ctl.run("restart --rolling --batch=3 web:*")
    assert (output.splitlines()[-2:], status) == (
        ["restarted: web:web_0, web:web_1, web:web_2", "failed: web:web_3"],
        1,
    )


def test_pauses_are_between_batches(
    ctl: Ctl, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(rolling.time, "sleep", pauses.append)
    assert ctl.run("restart --rolling --batch 2 --pause 0.5 web:*")[1] == 0
    assert pauses == [0.5]
    monkeypatch.setattr(rolling.time, "sleep", lambda _: daemon.down.add(NAMES[0]))
    expected = (
        f"{restarted(0)}web:web_0: ERROR (not running: EXITED)\n"
        "failed: web:web_0\nnot restarted: web:web_1, web:web_2, web:web_3\n"
    )
    assert ctl.run("restart --rolling --pause 0.5 web:*") == (expected, 1)


def test_an_interrupt_reports_what_was_done(ctl: Ctl, daemon: Daemon) -> None:
    def interrupt(name: str) -> None:
        if name == NAMES[1]:
            raise KeyboardInterrupt

    daemon.on_start = interrupt
    ctl.controller.stdout.truncate(0)
    with pytest.raises(KeyboardInterrupt):
        ctl.run("restart --rolling web:*")
    lines = ctl.controller.stdout.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[-3:] == [
        "restarted: web:web_0",
        "interrupted: web:web_1",
        "not restarted: web:web_2, web:web_3",
    ]


@pytest.mark.parametrize("batch", [1, 2])
def test_a_daemon_that_goes_away(ctl: Ctl, daemon: Daemon, batch: int) -> None:
    def vanish(_: str) -> None:
        raise ConnectionRefusedError

    daemon.on_start = vanish
    output, status = ctl.run(f"restart --rolling --batch {batch} web:*")
    assert f"interrupted: {', '.join(NAMES[:batch])}\n" in output
    assert status != 0


WRONG = {
    "--batch 2 web:*": "Error: --batch requires --rolling",
    "--pause 2 web:*": "Error: --pause requires --rolling",
    "--rolling --with-dependents web:*": "Error: --rolling excludes --with-dependents",
    "--rolling --batch 0 web:*": "Error: bad argument --batch 0",
    "--rolling --batch=x web:*": "Error: bad argument --batch=x",
    "--rolling --pause x web:*": "Error: bad argument --pause x",
    "--rolling": "Error: restart requires a process name",
}


def test_wrong_flags(ctl: Ctl, daemon: Daemon) -> None:
    found = {}
    for line in WRONG:
        output, status = ctl.run(f"restart {line}")
        assert status == 1
        found[line] = output.splitlines()[0]
    assert found == WRONG
    assert daemon.calls == []


def test_an_unknown_name_ends_it_before_it_begins(ctl: Ctl, daemon: Daemon) -> None:
    line = "restart --rolling web:web_0 nope"
    assert ctl.run(line) == ("nope: ERROR (no such process)\n", 1)
    assert daemon.calls == []


def test_no_time_passes_without_a_pause(ctl: Ctl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("slept"))
    assert ctl.run("restart --rolling web:*")[1] == 0
