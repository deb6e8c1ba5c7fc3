"""Changes of the configuration that are pending while the daemon is replaced.

The programs are not read then: the new daemon knows what the one before had read, no more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

PROGRAM = f"command={child('sleeper')}\nstdout_logfile=NONE\nstderr_logfile=NONE\n"

BEFORE = f"[program:same]\n{PROGRAM}[program:changed]\n{PROGRAM}[program:removed]\n{PROGRAM}"

AFTER = (
    f"[program:same]\n{PROGRAM}[program:changed]\npriority=5\n{PROGRAM}"
    f"[program:added]\nautostart=false\n{PROGRAM}"
)


def reexec(daemon: Daemon) -> None:
    number = daemon.log_text().count("resumed")
    assert daemon.rpc.supervisor.reexec()
    daemon.close_rpc()
    wait_until(lambda: daemon.log_text().count("resumed") > number)


def configured(daemon: Daemon) -> dict[str, Any]:
    infos: Any = daemon.rpc.supervisor.getAllConfigInfo()
    return {each["name"]: each for each in infos}


def test_changes_that_have_been_read_stay_pending(directory: Path) -> None:
    with Daemon(directory, BEFORE) as daemon:
        daemon.write_config(AFTER)
        assert daemon.rpc.supervisor.reloadConfig() == [[["added"], ["changed"], ["removed"]]]
        before = configured(daemon)
        reexec(daemon)
        assert configured(daemon) == before
        assert daemon.rpc.supervisor.addProcessGroup("added")
        before = configured(daemon)
        reexec(daemon)
        assert configured(daemon) == before
        assert daemon.info("added")["statename"] == "STOPPED"
        assert daemon.rpc.supervisor.reloadConfig() == [[[], ["changed"], ["removed"]]]


def test_changes_that_have_not_been_read_are_not(directory: Path) -> None:
    with Daemon(directory, BEFORE) as daemon:
        before = configured(daemon)
        daemon.write_config(AFTER)
        reexec(daemon)
        assert configured(daemon) == before
        assert daemon.ctl("add", "added").stdout == "ERROR: no such process/group: added\n"
        result = daemon.ctl("update")
        assert sorted(result.stdout.splitlines()) == [
            "added: added process group",
            "changed: stopped",
            "changed: updated process group",
            "removed: removed process group",
            "removed: stopped",
        ]


def test_a_program_is_scaled_after_a_replacement(directory: Path) -> None:
    """The number of its processes is part of the state, and the file is read for that."""
    config = f"[program:x]\ncommand={child('sleeper')}\nprocess_name=%(process_num)d\n"
    with Daemon(directory, config) as daemon:
        assert daemon.ctl("scale", "x", "3").returncode == 0
        reexec(daemon)
        assert daemon.rpc.supervisor.reloadConfig() == [[[], [], []]]
        assert daemon.ctl("scale", "x", "2").returncode == 0
        assert len(configured(daemon)) == 2
