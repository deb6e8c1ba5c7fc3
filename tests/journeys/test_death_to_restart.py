"""Journey (d): a process dies and is restarted, or is not."""

from __future__ import annotations

import os
import re
import signal
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support import proctable
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

AT_ONCE = 0.9
"""Seconds: less than the second that a daemon which polls would need, plenty for a busy machine."""


def spawn_times(log: str, name: str) -> list[float]:
    """Return when a process was spawned, in seconds, by the activity log."""
    stamps = re.findall(rf"^(.{{23}}) INFO spawned: '{name}'", log, re.MULTILINE)
    return [datetime.strptime(text, "%Y-%m-%d %H:%M:%S,%f").timestamp() for text in stamps]  # noqa: DTZ007 - local time, as in the log


def test_a_killed_process_is_restarted_at_once(directory: Path) -> None:
    config = f"[program:x]\ncommand={child('sleeper')}\nstartsecs=1"
    with Daemon(directory, config) as daemon:
        old = daemon.wait_for_state("x", "RUNNING")["pid"]
        os.kill(old, signal.SIGKILL)
        killed = time.monotonic()
        new = wait_until(lambda: (pid := daemon.info("x")["pid"]) not in {0, old} and pid)
        assert time.monotonic() - killed < AT_ONCE
        assert proctable.is_alive(new)
        assert "exited: x (terminated by SIGKILL; not expected)" in daemon.log_text()


@pytest.mark.slow
def test_a_process_that_flaps_starts_once_in_a_second(directory: Path) -> None:
    config = f"""
        [program:flaps]
        command={child("exits", 0)}
        startsecs=0
        autorestart=true
    """
    with Daemon(directory, config) as daemon:
        wait_until(lambda: len(spawn_times(daemon.log_text(), "flaps")) >= 3)
        times = spawn_times(daemon.log_text(), "flaps")
    for before, after in pairwise(times):
        # The log's stamps follow the fork, which may take a while on a busy machine; the rule
        # itself is tested with a clock of its own.
        assert 0.9 <= after - before < 1.9


@pytest.mark.slow
def test_a_process_that_never_stays_up_is_given_up(directory: Path) -> None:
    config = f"[program:x]\ncommand={child('exits', 4)}\nstartretries=2"
    with Daemon(directory, config) as daemon:
        daemon.wait_for_log("gave up: x entered FATAL state, too many start retries too quickly")
        assert daemon.log_text().count("spawned: 'x'") == 3
        info = daemon.info("x")
        assert (info["statename"], info["pid"]) == ("FATAL", 0)
        times = spawn_times(daemon.log_text(), "x")
    waits = [after - before for before, after in pairwise(times)]
    assert waits[0] >= 0.99
    assert waits[1] >= 1.99


@pytest.mark.parametrize(
    ("autorestart", "status", "runs"),
    [
        ("true", 0, ".."),
        ("false", 1, "."),
        ("unexpected", 0, "."),
        ("unexpected", 2, "."),
        ("unexpected", 1, ".."),
    ],
)
def test_autorestart_decides(directory: Path, autorestart: str, status: int, runs: str) -> None:
    config = f"""
        [program:x]
        command={child("flaky", "%(here)s/runs", 1, status)}
        autorestart={autorestart}
        exitcodes=0,2
        startsecs=0
    """
    with Daemon(directory, config) as daemon:
        daemon.wait_for_log(f"exited: x (exit status {status}")
        daemon.wait_for_state("x", "RUNNING" if runs == ".." else "EXITED")
        wait_until(lambda: daemon.text("runs") == runs)


def test_no_zombie_stays(directory: Path) -> None:
    config = "".join(
        f"[program:p{number}]\ncommand={child('exits', 0)}\nautorestart=false\nstartsecs=0\n"
        for number in range(5)
    )
    with Daemon(directory, config) as daemon:
        for number in range(5):
            daemon.wait_for_state(f"p{number}", "EXITED")
        assert proctable.children(daemon.pid) == []


def test_restarts_leave_no_fd_behind(directory: Path) -> None:
    config = f"[program:x]\ncommand={child('sleeper')}\nstartsecs=0\nautorestart=false"
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("x", "RUNNING")
        before = proctable.open_fds(daemon.pid).keys()
        for _ in range(5):
            daemon.rpc.supervisor.stopProcess("x")
            daemon.rpc.supervisor.startProcess("x")
        assert len(proctable.open_fds(daemon.pid)) == len(before)
