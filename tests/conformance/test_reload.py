"""Reloading: by the client, by RPC and by SIGHUP; the same file, a changed or a broken one."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.children import DIRECTORY as CHILDREN
from tests.support.children import child
from tests.support.comparison import Pair, call, running_pair
from tests.support.daemon import Daemon

CONFIG = f"""
[program:first]
command={child("sleeper")}
priority=1
startsecs=0
[program:second]
command={child("sleeper")}
priority=2
startsecs=0
[program:idle]
command={child("sleeper")}
autostart=false
[group:pair]
programs=left,right
priority=3
[program:left]
command={child("sleeper")}
startsecs=0
[program:right]
command={child("sleeper")}
startsecs=0
"""

CHANGED = f"""
identifier=changed
[program:second]
command={child("sleeper")}
startsecs=0
[program:third]
command={child("sleeper")}
startsecs=0
[group:pair]
programs=left
[program:left]
command={child("sleeper")}
startsecs=0
"""

RUNNING = ("first", "second", "pair:left", "pair:right")

# "waiting for" depends on when the daemon looks.
DETAILS = re.compile(r" INFO waiting for .* to die$| waiting for \S+ to stop$")


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Both, with all children where they can be stopped."""
    with running_pair(CONFIG) as started:
        for daemon in (started.theirs, started.ours):
            settle(daemon, RUNNING)
        yield started


def settle(daemon: Daemon, names: tuple[str, ...]) -> None:
    """Wait until the programs run, and execute what they are to execute."""
    for name in names:
        daemon.wait_for_state(name, "RUNNING")
        daemon.wait_for_child(name, CHILDREN)


def by_client(daemon: Daemon) -> Any:
    return daemon.ctl("reload")


def by_rpc(daemon: Daemon) -> Any:
    return call(daemon, "supervisor.restart")


def by_signal(daemon: Daemon) -> Any:
    return daemon.signal(signal.SIGHUP)


WAYS = {"client": by_client, "RPC": by_rpc, "SIGHUP": by_signal}
Way = Callable[[Daemon], Any]


def lines(daemon: Daemon) -> list[str]:
    """Return the activity log but for what depends on the moment.

    Children that are stopped at the same time end in any order; so do the lines about them.
    """
    found = [
        line.partition(" ")[2].partition(" ")[2]
        for line in daemon.log_text().splitlines()
        if not DETAILS.search(line)
    ]
    return [line for line in found if "stopped: " not in line] + sorted(
        line for line in found if "stopped: " in line
    )


@pytest.mark.parametrize("way", WAYS)
def test_the_same_file(pair: Pair, way: str) -> None:
    """Everything is stopped and started again: the answer, the log, the states."""

    def reload(daemon: Daemon) -> Any:
        answer = WAYS[way](daemon)
        daemon.wait_for_start(2)
        settle(daemon, RUNNING)
        states = [(name, daemon.info(name)["statename"]) for name in (*RUNNING, "idle")]
        return answer, states, lines(daemon)

    pair.same(reload)


def test_nobody_keeps_a_pid_and_the_daemon_keeps_its_own(pair: Pair) -> None:
    def reload(daemon: Daemon) -> Any:
        own = daemon.rpc.supervisor.getPID()
        before = {name: daemon.info(name)["pid"] for name in RUNNING}
        by_rpc(daemon)
        daemon.wait_for_start(2)
        settle(daemon, RUNNING)
        kept = [name for name in RUNNING if daemon.info(name)["pid"] == before[name]]
        return daemon.rpc.supervisor.getPID() == own, kept

    pair.same(reload)


def test_a_changed_file(pair: Pair) -> None:
    """All of it counts, [supervisord] included."""

    def reload(daemon: Daemon) -> Any:
        daemon.write_config(CHANGED)
        by_client(daemon)
        daemon.wait_for_start(2)
        settle(daemon, ("second", "third", "pair:left"))
        infos = call(daemon, "supervisor.getAllProcessInfo")
        names = sorted(f"{info['group']}:{info['name']} {info['statename']}" for info in infos)
        return names, call(daemon, "supervisor.getIdentification")

    pair.same(reload)


def test_twice_in_a_row(pair: Pair) -> None:
    def reload(daemon: Daemon) -> Any:
        for number in (2, 3):
            by_rpc(daemon)
            daemon.wait_for_start(number)
            settle(daemon, RUNNING)
        return call(daemon, "supervisor.getState"), lines(daemon)

    pair.same(reload)


def test_a_broken_file(pair: Pair) -> None:
    """The reference ends, with everything that runs; ours goes on and says what is wrong."""

    def reload(daemon: Daemon) -> Any:
        daemon.write_config("[program:x]\nautostart=maybe\n")
        daemon.signal(signal.SIGHUP)
        if daemon is pair.theirs:
            return daemon.wait_for_exit()
        daemon.wait_for_log("maybe")
        return [daemon.info(name)["statename"] for name in RUNNING]

    pair.differ(reload, entry="A broken file on reload", theirs=2, ours=["RUNNING"] * 4)


def test_what_was_stopped_or_added_by_hand(pair: Pair) -> None:
    """A reload begins anew: what was stopped starts, what was started by hand does not."""

    def reload(daemon: Daemon) -> Any:
        call(daemon, "supervisor.stopProcess", "first")
        call(daemon, "supervisor.startProcess", "idle")
        by_rpc(daemon)
        daemon.wait_for_start(2)
        settle(daemon, RUNNING)
        return [(name, daemon.info(name)["statename"]) for name in (*RUNNING, "idle")]

    pair.same(reload)
