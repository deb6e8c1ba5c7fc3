"""The system's clock is set while programs start and stop: no deadline moves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

HOUR = 3600
STARTSECS, STOPWAITSECS = 3, 3
EARLY = 0.3
"""Seconds by which we may have looked at the clock too late."""

CONFIG = f"""
[program:slow]
command={child("sleeper")}
autostart=false
startsecs={STARTSECS}
[program:stubborn]
command={child("stubborn")}
autostart=false
startsecs=0
stopwaitsecs={STOPWAITSECS}
stdout_logfile=%(here)s/stubborn.log
"""


@pytest.fixture
def daemon(directory: Path) -> Iterator[Daemon]:
    """A daemon whose time of day is what the file `clock` says."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    set_clock(directory, 0)
    environment = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(directory / "clock"),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with Daemon(directory, CONFIG, environment=environment) as started:
        yield started


def set_clock(directory: Path, seconds: int) -> None:
    """Set the clock forward, or back, in one step."""
    new = directory / "clock.new"
    new.write_text(f"{seconds:+d}\n", encoding="ascii")
    new.rename(directory / "clock")


@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["forward", "back"])
def test_a_program_runs_when_it_has_lived_for_startsecs(daemon: Daemon, seconds: int) -> None:
    began = time.monotonic()
    daemon.rpc.supervisor.startProcess("slow", False)
    before = daemon.info("slow")["now"]
    set_clock(daemon.directory, seconds)
    assert abs(daemon.info("slow")["now"] - before - seconds) < HOUR / 2  # it has been set
    wait_until(lambda: daemon.info("slow")["statename"] == "RUNNING", 30)
    assert time.monotonic() - began > STARTSECS - EARLY


@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["forward", "back"])
def test_nobody_is_killed_before_stopwaitsecs(daemon: Daemon, seconds: int) -> None:
    daemon.rpc.supervisor.startProcess("stubborn")
    wait_until(lambda: "READY" in daemon.text("stubborn.log"))
    began = time.monotonic()
    daemon.rpc.supervisor.stopProcess("stubborn", False)
    set_clock(daemon.directory, seconds)
    wait_until(lambda: daemon.info("stubborn")["statename"] == "STOPPED", 30)
    assert time.monotonic() - began > STOPWAITSECS - EARLY
    assert "killing 'stubborn'" in daemon.log_text()
