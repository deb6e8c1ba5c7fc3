"""Journey (e): what people type, and what they see."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import run

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon

CONFIG = f"""
    [program:web]
    command={child("sleeper")}
    startsecs=0
    [program:idle]
    command={child("sleeper")}
    autostart=false
    startsecs=0
"""


@pytest.fixture
def daemon(directory: Path) -> Iterator[Daemon]:
    """A daemon with a program that runs and one that does not."""
    with Daemon(directory, CONFIG) as started:
        started.wait_for_state("web", "RUNNING")
        yield started


def test_status_shows_a_line_for_each_program(daemon: Daemon) -> None:
    result = daemon.ctl("status")
    assert re.fullmatch(
        r"idle {29}STOPPED   Not started\n"
        r"web {30}RUNNING   pid \d+, uptime 0:00:\d\d\n",
        result.stdout,
    )
    assert (result.returncode, result.stderr) == (3, "")


def test_a_program_is_stopped_and_started(daemon: Daemon) -> None:
    assert daemon.ctl("stop", "web").stdout == "web: stopped\n"
    assert daemon.info("web")["statename"] == "STOPPED"
    assert daemon.ctl("start", "web", "idle").stdout == "web: started\nidle: started\n"
    assert daemon.ctl("status").returncode == 0
    assert daemon.ctl("restart", "all").stdout.count(": started") == 2


def test_the_shell_reads_commands_until_quit(daemon: Daemon) -> None:
    result = daemon.ctl(stdin="status idle\nstart idle\nstatus idle\nquit\nstop web\n")
    assert "idle: started" in result.stdout
    assert re.search(r"idle +RUNNING", result.stdout)
    assert "stopped" not in result.stdout
    assert result.returncode == 0


def test_shutdown_ends_the_daemon_and_leaves_nothing(daemon: Daemon) -> None:
    assert daemon.ctl("shutdown").stdout == "Shut down\n"
    assert daemon.wait_for_exit() == 0
    assert not daemon.socket_path.exists()
    assert not daemon.pid_path.exists()
    assert daemon.ctl("status").returncode == 4


def test_reload_restarts_everything_in_the_same_process(daemon: Daemon) -> None:
    old = daemon.info("web")["pid"]
    daemon.write_config(CONFIG.replace("program:idle", "program:new"))
    assert daemon.ctl("reload").stdout == "Restarted supervisord\n"
    daemon.close_rpc()
    daemon.wait_for_start(2)
    assert daemon.wait_for_state("web", "RUNNING")["pid"] != old
    assert daemon.rpc.supervisor.getPID() == daemon.pid
    assert daemon.info("new")["statename"] == "STOPPED"


def test_tail_shows_the_end_of_a_log(daemon: Daemon) -> None:
    daemon.wait_for_text(daemon.info("web")["stdout_logfile"], "READY\n")
    assert daemon.ctl("tail", "web").stdout.startswith("READY\n")


def test_the_client_loads_nothing_of_the_server(directory: Path) -> None:
    """Its start-up time is what people feel."""
    code = (
        "import sys; from supervisor import supervisorctl; "
        "print(sorted(name for name in sys.modules))"
    )
    loaded = run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=directory
    ).stdout
    for module in (
        "supervisor.process",
        "supervisor.http'",
        "supervisor.engine.loop",
        "ssl",
        "email",
    ):
        assert f"'{module}" not in loaded


@pytest.mark.slow
def test_update_while_another_client_stops_a_group(directory: Path) -> None:
    """It waits until the group is down, and then sees to the other groups."""
    slow = f"[program:slow]\ncommand={child('stubborn')}\nstopwaitsecs=1\nstartsecs=0\n"
    other = f"[program:other]\ncommand={child('sleeper')}\nstartsecs=0\n"
    with Daemon(directory, slow + other) as daemon:
        stdout = daemon.wait_for_state("slow", "RUNNING")["stdout_logfile"]
        daemon.wait_for_text(Path(stdout).name, "READY")
        daemon.write_config(f"{slow}priority=5\n")
        daemon.rpc.supervisor.stopProcess("slow", False)
        result = daemon.ctl("update")
        assert result.stdout.splitlines() == [
            "other: stopped",
            "other: removed process group",
            "slow: stopped",
            "slow: updated process group",
        ]
        assert (result.stderr, result.returncode) == ("", 0)
        daemon.wait_for_state("slow", "RUNNING")
