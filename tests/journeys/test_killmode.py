"""Journey: whom a stop signals, in programs whose descendants have left the process group."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import proctable
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.strangers import UID, needs_root
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

SUBREAPER = "subreaper=true\n"


def program(name: str, options: str, argument: str = "") -> str:
    """Return the section of a program with descendants of each kind."""
    return (
        f"[program:{name}]\ncommand={child('clan')} {argument}\nstartsecs=0\nstopwaitsecs=30\n"
        f"stdout_logfile=%(here)s/{name}.log\n{options}\n"
    )


def family(daemon: Daemon, name: str) -> dict[str, int]:
    """Return the pids of the descendants of a program's latest run."""
    text = daemon.wait_for_text(f"{name}.log", "}\n")
    found: dict[str, int] = json.loads(text.splitlines()[-1])
    return found


def alive(pids: dict[str, int]) -> set[str]:
    """Return the names of those that run."""
    return {name for name, pid in pids.items() if proctable.is_alive(pid)}


@pytest.mark.parametrize(
    ("mode", "left"),
    [
        ("process", {"member", "daemon", "grandchild", "orphan"}),
        ("group", {"daemon", "grandchild", "orphan"}),
        ("tree", set()),
    ],
)
def test_a_stop_ends_as_much_as_killmode_says(directory: Path, mode: str, left: set[str]) -> None:
    config = f"{SUBREAPER}{program('clan', f'killmode={mode}')}{program('other', 'killmode=tree')}"
    with Daemon(directory, config) as daemon:
        daemon.may_leave_processes = True
        pids, others = family(daemon, "clan"), family(daemon, "other")
        assert daemon.ctl("stop", "clan").stdout == "clan: stopped\n"
        assert alive(pids) == left
        assert alive(others) == set(others)


def test_a_stop_waits_for_the_tree_and_kills_what_stays(directory: Path) -> None:
    config = SUBREAPER + program("clan", "killmode=tree", "stubborn")
    with Daemon(directory, config) as daemon:
        pids, leader = family(daemon, "clan"), daemon.info("clan")["pid"]
        assert daemon.rpc.supervisor.stopProcess("clan", False)
        wait_until(lambda: alive(pids) == {"daemon", "grandchild", "orphan"})
        wait_until(lambda: not proctable.is_alive(leader))
        info = daemon.info("clan")
        assert (info["statename"], info["pid"]) == ("STOPPING", leader)
        os.kill(pids["daemon"], signal.SIGKILL)
        os.kill(pids["grandchild"], signal.SIGKILL)
        wait_until(lambda: alive(pids) == {"orphan"})
        assert daemon.info("clan")["statename"] == "STOPPING"
        os.kill(pids["orphan"], signal.SIGKILL)
        assert daemon.wait_for_state("clan", "STOPPED")["exitstatus"] == -1


@pytest.mark.slow
def test_a_shutdown_kills_a_stubborn_tree(directory: Path) -> None:
    options = "killmode=tree\nstopwaitsecs=1"
    with Daemon(directory, SUBREAPER + program("clan", options, "stubborn")) as daemon:
        pids = family(daemon, "clan")
    assert alive(pids) == set()
    log = daemon.log_text()
    assert "WARN killing 'clan'" in log
    assert "CRIT cannot kill" not in log


def test_descendants_of_an_earlier_run_end_with_the_program(directory: Path) -> None:
    """A crash leaves them, as in Supervisor 4; the next stop finds them by their mark."""
    config = SUBREAPER + program("clan", "killmode=tree\nautorestart=true")
    with Daemon(directory, config) as daemon:
        before = family(daemon, "clan")
        os.kill(daemon.info("clan")["pid"], signal.SIGKILL)
        wait_until(lambda: family(daemon, "clan") != before)
        after = family(daemon, "clan")
        assert alive(before) == set(before)
        assert daemon.ctl("restart", "clan").returncode == 0
        assert alive(before) == alive(after) == set()


@needs_root
def test_a_tree_of_another_user_is_stopped_by_a_daemon_without_privileges(directory: Path) -> None:
    """The processes are the daemon's user's own."""
    os.chown(directory, UID, UID)
    config = f"user={UID}\n{SUBREAPER}{program('clan', 'killmode=tree')}"
    with Daemon(directory, config) as daemon:
        pids = family(daemon, "clan")
        assert daemon.ctl("stop", "clan").stdout == "clan: stopped\n"
        assert alive(pids) == set()


def test_a_tree_without_subreaper_is_a_warning(directory: Path) -> None:
    """Descendants whose parents are alive are found all the same."""
    with Daemon(directory, program("clan", "killmode=tree")) as daemon:
        daemon.may_leave_processes = True
        pids = family(daemon, "clan")
        assert "does not find descendants whose parents have exited" in daemon.log_text()
        assert daemon.ctl("stop", "clan").stdout == "clan: stopped\n"
        assert alive(pids) == {"orphan"}
        checked: Any = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "--check", "-c", daemon.config_path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "fix: subreaper=true in [supervisord]" in checked.stdout + checked.stderr
