"""Event listeners that misbehave harm neither the daemon nor the others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.proctable import memory_bytes
from tests.support.waiting import wait_until


def config(directory: Path, kind: str, more: str = "") -> str:
    """Return a listener that misbehaves, beside one that does not."""
    return f"""
loglevel=debug
[eventlistener:awkward]
command={child("awkward_listener", kind, directory / "path")}
events=REMOTE_COMMUNICATION
startsecs=0
{more}
[eventlistener:good]
command={child("listener", directory / "record")}
events=REMOTE_COMMUNICATION
startsecs=0
"""


def send(daemon: Daemon, *texts: str) -> None:
    """Let something happen."""
    for text in texts:
        daemon.rpc.supervisor.sendRemoteCommEvent("test", text)


@pytest.mark.parametrize("kind", ["silent", "deaf", "babbles", "endless", "huge", "slow"])
def test_the_others_are_told(directory: Path, kind: str) -> None:
    """And the daemon answers, whatever one listener does."""
    with Daemon(directory, config(directory, kind)) as daemon:
        daemon.wait_for_state("awkward", "RUNNING")
        send(daemon, "one", "two", "three")
        for text in ("one", "two", "three"):
            daemon.wait_for_text("record", text)
        if kind in {"babbles", "endless", "huge"}:
            daemon.wait_for_log("awkward: has entered the UNKNOWN state")
        assert daemon.info("awkward")["statename"] == "RUNNING"


def test_an_event_that_dies_with_its_listener_comes_again(directory: Path) -> None:
    """To its own pool only, and once; the other pool is not told a second time."""
    with Daemon(directory, config(directory, "dies", "autorestart=true")) as daemon:
        daemon.wait_for_log("awkward: ACKNOWLEDGED -> READY")
        send(daemon, "precious")
        wait_until(lambda: daemon.text("path").count("precious") == 2, 20)
        daemon.wait_for_text("record", "precious")
        serials = set(re.findall(r" serial:(\d+) ", daemon.text("path")))
        assert len(serials) == 1
        send(daemon, "after")
        daemon.wait_for_text("record", "after")
        assert daemon.text("record").count("precious") == 1


def test_ten_thousand_events_for_one_who_is_slow(directory: Path) -> None:
    """They cost bounded memory: the newest are kept, and it is said which are not."""
    more = "buffer_size=100"
    with Daemon(directory, config(directory, "slow", more)) as daemon:
        daemon.wait_for_log("awkward: ACKNOWLEDGED -> READY")
        send(daemon, "first")
        before = memory_bytes(daemon.pid)
        big = "x" * 10_000
        for number in range(1_000):
            send(daemon, f"{number} {big}")
        daemon.wait_for_log("pool awkward event buffer overflowed, discarding event")
        assert memory_bytes(daemon.pid) - before < 8_000_000
        (directory / "path").touch()
        assert daemon.rpc.supervisor.getState()


def test_a_listener_that_does_not_read_large_events(directory: Path) -> None:
    """The rest of an event waits for it, and nothing else does."""
    with Daemon(directory, config(directory, "deaf")) as daemon:
        daemon.wait_for_log("awkward: ACKNOWLEDGED -> READY")
        send(daemon, "x" * 1_000_000, "small")
        daemon.wait_for_text("record", "small", seconds=20)
        assert daemon.rpc.supervisor.stopProcess("awkward")
