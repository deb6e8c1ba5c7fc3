"""The activity log: which lines each kind of life leaves, with their levels."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support.children import DIRECTORY as CHILDREN
from tests.support.children import child
from tests.support.comparison import Pair, call
from tests.support.daemon import Daemon
from tests.support.traces import DETAILS, lines

CONFIG = f"""
loglevel=debug
[program:stays]
command={child("sleeper")}
startsecs=1
[program:ends-well]
command={child("exits", 0, 1.5)}
startsecs=0
autorestart=false
[program:ends-badly]
command={child("exits", 2, 1.5)}
startsecs=0
autorestart=false
[program:exits-too-fast]
command={child("exits", 7)}
startretries=1
[program:missing]
command=/nonexistent/program
startretries=1
[program:unparsable]
command=/bin/sh -c "oops
startretries=0
[program:nowhere]
command={child("sleeper")}
directory=/nonexistent
startretries=0
[program:unexecutable]
command=/etc/passwd
startretries=0
[program:not-a-program]
command=%(here)s/not-a-program
startretries=0
[program:polite]
command={child("signals")}
startsecs=0
[program:killed]
command={child("stubborn")}
startsecs=0
stopwaitsecs=1
[program:dies]
command={child("sleeper")}
startsecs=0
autorestart=false
[program:signalled]
command={child("signals")}
startsecs=0
[program:whole-group]
command={child("sleeper")}
stopasgroup=true
startsecs=0
[program:asked-for-status]
command={child("exits", 5, 1.5)}
exitcodes=5
startsecs=0
autorestart=unexpected
"""

SETTLED = {
    "stays": "RUNNING",
    "ends-well": "EXITED",
    "ends-badly": "EXITED",
    "exits-too-fast": "FATAL",
    "missing": "FATAL",
    "unparsable": "FATAL",
    "nowhere": "FATAL",
    "unexecutable": "FATAL",
    "not-a-program": "FATAL",
    "asked-for-status": "EXITED",
}

GAVE_UP = "entered FATAL state, too many start retries too quickly"


@pytest.mark.parametrize("name", sorted(SETTLED.keys() - {"nowhere"}))
def test_a_life_that_runs_by_itself(pair: Pair, name: str) -> None:
    pair.same(lambda daemon: lines(daemon, name))


def test_reasons_for_not_starting(pair: Pair) -> None:
    def reasons(daemon: Daemon) -> list[str]:
        found = (line for line in daemon.log_text().splitlines() if "spawnerr:" in line)
        return sorted(line[24:] for line in found if "chdir" not in line)

    pair.same(reasons)


def test_a_failure_between_fork_and_exec(pair: Pair) -> None:
    pair.differ(
        lambda daemon: lines(daemon, "nowhere"),
        entry="Failures between fork and exec",
        theirs=[
            "<stamp> INFO spawned: 'nowhere' with pid <pid>",
            "<stamp> WARN exited: nowhere (exit status 127; not expected)",
            f"<stamp> INFO gave up: nowhere {GAVE_UP}",
        ],
        ours=[f"<stamp> INFO gave up: nowhere {GAVE_UP}"],
    )
    pair.same(lambda daemon: "supervisor: couldn't chdir to" in daemon.log_text())


@pytest.mark.parametrize("name", ["polite", "killed", "whole-group"])
def test_a_stop(pair: Pair, name: str) -> None:
    def stopped(daemon: Daemon) -> list[str]:
        daemon.wait_for_state(name, "RUNNING")
        daemon.wait_for_child(name, CHILDREN)
        call(daemon, "supervisor.stopProcess", name)
        daemon.wait_for_log(f"stopped: {name} ")
        return lines(daemon, name)

    pair.same(stopped)


def test_a_death_by_a_signal_from_outside(pair: Pair) -> None:
    def died(daemon: Daemon) -> list[str]:
        pid = daemon.wait_for_state("dies", "RUNNING")["pid"]
        os.kill(pid, signal.SIGKILL)
        daemon.wait_for_state("dies", "EXITED")
        return lines(daemon, "dies")

    pair.same(died)


def test_a_signal_by_request(pair: Pair) -> None:
    def signalled(daemon: Daemon) -> list[str]:
        daemon.wait_for_state("signalled", "RUNNING")
        call(daemon, "supervisor.signalProcess", "signalled", "WINCH")
        return lines(daemon, "signalled")

    pair.same(signalled)


def test_the_lines_of_the_start(pair: Pair) -> None:
    """Everything up to the first child."""

    def start(daemon: Daemon) -> list[str]:
        lines = daemon.log_text().partition("spawned:")[0].splitlines()[:-1]
        return [line for line in lines if not DETAILS.search(line)]

    pair.same(start)


def test_reopening_the_logs(pair: Pair) -> None:
    def reopened(daemon: Daemon) -> list[str]:
        daemon.signal(signal.SIGUSR2)
        daemon.wait_for_log("logreopen")
        return [line for line in daemon.log_text().splitlines() if "reopen" in line]

    pair.same(reopened)
