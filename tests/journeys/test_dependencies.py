"""Journey: programs that wait for others, and what users see of waits, pauses and the past."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

CHAIN = f"""
    [program:db]
    command={child("sleeper")}
    startsecs=0
    autostart=false
    [program:web]
    command={child("sleeper")}
    startsecs=0
    depends_on=db
    [program:job]
    command={child("exits", 3)}
    startsecs=0
    autorestart=true
    restartpause=1h
"""


def description(daemon: Daemon, name: str) -> str:
    text: str = daemon.info(name)["description"]
    return text


def details(daemon: Daemon, name: str) -> dict[str, Any]:
    found: Any = daemon.rpc.supervisor.getProcessDetails(name)
    return dict(found)


def test_a_wait_and_a_pause_are_shown_and_explained(directory: Path) -> None:
    with Daemon(directory, CHAIN) as daemon:
        daemon.wait_for_state("job", "EXITED")
        assert description(daemon, "web") == "waiting for db (STOPPED)"
        assert re.search(r", restart in 3\d\d\d s$", description(daemon, "job"))
        told = daemon.ctl("explain", "web", "job").stdout
        line = daemon.config_path.read_text(encoding="utf-8").splitlines().index("[program:web]")
        assert "  It waits for db (STOPPED).\n" in told
        assert f"  Configured in {daemon.config_path}, line {line + 1}.\n" in told
        assert "  Last exit: status 3 (not expected)" in told
        assert re.search(r"^  The next start is in (1 hour|59 minutes)\.$", told, re.MULTILINE)
        assert re.search(r"EXITED    exit status 3$", told, re.MULTILINE)
        daemon.rpc.supervisor.startProcess("db")
        daemon.wait_for_state("web", "RUNNING")
        assert details(daemon, "web")["waiting_for"] == []


def test_the_history_names_who_requested_a_stop_and_a_start(directory: Path) -> None:
    with Daemon(directory, CHAIN) as daemon:
        daemon.wait_for_state("job", "EXITED")
        daemon.rpc.supervisor.startAllProcesses()
        daemon.ctl("stop", "db")
        requested = [each["reason"] for each in details(daemon, "db")["history"]]
        assert re.fullmatch(r"start requested by pid \d+ uid \d+", requested[0])
        assert re.fullmatch(r"stop requested by pid \d+ uid \d+", requested[2])


def test_a_stop_and_a_restart_with_dependents(directory: Path) -> None:
    with Daemon(directory, CHAIN) as daemon:
        daemon.ctl("start", "db")
        daemon.wait_for_state("web", "RUNNING")
        pids = [daemon.info(name)["pid"] for name in ("db", "web")]
        restarted = daemon.ctl("restart", "--with-dependents", "db")
        assert restarted.stdout == "web: stopped\ndb: stopped\ndb: started\nweb: started\n"
        assert not set(pids) & {daemon.info(name)["pid"] for name in ("db", "web")}
        assert daemon.ctl("stop", "--with-dependents", "db").stdout == "web: stopped\ndb: stopped\n"
        alone = daemon.ctl("start", "--no-deps", "web")
        assert (alone.stdout, alone.returncode) == ("web: started\n", 0)
        assert daemon.info("db")["statename"] == "STOPPED"
        assert daemon.ctl("graph").stdout == "web\n  db\n"
        assert json.loads(daemon.ctl("graph", "--format=json", "db").stdout)[1]["name"] == "web"


def test_changes_that_a_reread_has_found_are_pending(directory: Path) -> None:
    with Daemon(directory, CHAIN) as daemon:
        assert details(daemon, "db")["pending_changes"] == []
        daemon.write_config(CHAIN.replace("autostart=false", "autostart=false\n    priority=7"))
        assert daemon.ctl("reread").stdout == "db: changed\n"
        assert details(daemon, "db")["pending_changes"] == ["priority"]
        assert "not applied (see update): priority." in daemon.ctl("explain", "db").stdout
        daemon.ctl("update")
        assert details(daemon, "db")["pending_changes"] == []


def test_the_last_lines_of_a_failing_program(directory: Path) -> None:
    config = f"""
        [program:noisy]
        command={child("two_streams", "to stdout", "to stderr")}
        startsecs=0
    """
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("noisy", "RUNNING")
        wait_until(lambda: "to stderr" in daemon.ctl("explain", "noisy").stdout)
        assert "\nLast lines of stderr\n  to stderr\n" in daemon.ctl("explain", "noisy").stdout


def test_details_of_all_processes_are_those_of_each(directory: Path) -> None:
    with Daemon(directory, CHAIN) as daemon:
        daemon.wait_for_state("job", "EXITED")
        every: Any = daemon.rpc.supervisor.getAllProcessDetails()
        assert [each["name"] for each in every] == ["db", "job", "web"]
        single = details(daemon, "db")
        assert every[0] | {"now": 0} == single | {"now": 0}
