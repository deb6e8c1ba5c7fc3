"""Programs whose start script does not `exec` its server: the stop is that of the whole group."""

from __future__ import annotations

import os
import signal
import xmlrpc.client
from pathlib import Path

import pytest

from supervisor.common.faults import Faults
from tests.support import proctable
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.strangers import needs_root
from tests.support.waiting import wait_until

SERVER_SECONDS = 1
"""Time for which the server runs on after its start script has ended."""


def start_script(directory: Path, server: str, options: str = "") -> str:
    """Return a program whose script ends at once on SIGTERM; the server is its child."""
    script = directory / "catalina.sh"
    script.write_text(f"#!/bin/sh\n{server} &\necho $! > server.pid\nwait\n", encoding="ascii")
    script.chmod(0o755)
    return f"""
[program:catalina]
command={script}
directory={directory}
stopasgroup=true
stopwaitsecs=30
startsecs=0
stdout_logfile=%(here)s/catalina.log
{options}
"""


def slow_server(directory: Path, options: str = "") -> str:
    """Return a program whose server holds a lock, and goes on for a while after SIGTERM."""
    return start_script(
        directory, child("lock_holder", directory / "lock", SERVER_SECONDS), options
    )


def server_pid(daemon: Daemon) -> int:
    """Return the pid of the server once it is ready."""
    daemon.wait_for_text("catalina.log", "READY")
    return int(daemon.text("server.pid"))


@pytest.mark.slow
def test_a_restart_waits_for_the_server(directory: Path) -> None:
    with Daemon(directory, slow_server(directory)) as daemon:
        for number in range(1, 4):
            wait_until(lambda number=number: daemon.text("catalina.log").count("READY") == number)
            result = daemon.ctl("restart", "catalina")
            assert result.stdout == "catalina: stopped\ncatalina: started\n"
        wait_until(lambda: daemon.text("catalina.log").count("READY") == 4)
    assert "IN USE" not in daemon.text("catalina.log")


@pytest.mark.slow
def test_it_is_stopping_until_the_server_has_ended(directory: Path) -> None:
    """And what the server says meanwhile is logged."""
    with Daemon(directory, slow_server(directory)) as daemon:
        server, leader = server_pid(daemon), daemon.info("catalina")["pid"]
        assert daemon.rpc.supervisor.stopProcess("catalina", False)
        wait_until(lambda: not proctable.is_alive(leader))
        info = daemon.info("catalina")
        assert (info["statename"], info["pid"]) == ("STOPPING", leader)
        assert daemon.rpc.supervisor.stopProcess("catalina")
        assert not proctable.is_alive(server)
        assert daemon.text("catalina.log") == "READY\nDONE\n"
        assert "stopped: catalina (terminated by SIGTERM)" in daemon.log_text()
        info = daemon.info("catalina")
        assert (info["statename"], info["pid"], info["exitstatus"]) == ("STOPPED", 0, -1)


@pytest.mark.slow
def test_a_server_that_does_not_end_is_killed(directory: Path) -> None:
    config = start_script(directory, child("stubborn"), "stopwaitsecs=1")
    with Daemon(directory, config) as daemon:
        server, leader = server_pid(daemon), daemon.info("catalina")["pid"]
        assert daemon.rpc.supervisor.stopProcess("catalina")
        assert not proctable.is_alive(server)
        log = daemon.log_text()
        assert log.count(f"killing 'catalina' ({leader}) with SIGKILL") == 1
        assert "stopped: catalina (terminated by SIGTERM)" in log


@pytest.mark.slow
def test_a_shutdown_waits_for_the_server(directory: Path) -> None:
    with Daemon(directory, slow_server(directory)) as daemon:
        server_pid(daemon)
    assert daemon.text("catalina.log") == "READY\nDONE\n"


@pytest.mark.slow
def test_a_reload_waits_for_the_server(directory: Path) -> None:
    with Daemon(directory, slow_server(directory)) as daemon:
        server_pid(daemon)
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_start(2)
        wait_until(lambda: daemon.text("catalina.log").count("READY") == 2)
        assert daemon.text("catalina.log") == "READY\nDONE\nREADY\n"


@pytest.mark.slow
def test_an_update_waits_for_the_server(directory: Path) -> None:
    with Daemon(directory, slow_server(directory)) as daemon:
        server_pid(daemon)
        daemon.write_config(slow_server(directory, "priority=1"))
        result = daemon.ctl("update")
        assert result.stdout == "catalina: stopped\ncatalina: updated process group\n"
        wait_until(lambda: daemon.text("catalina.log").count("READY") == 2)
        assert "IN USE" not in daemon.text("catalina.log")


@pytest.mark.slow
def test_requests_during_the_stop(directory: Path) -> None:
    """A second stop waits; a start follows the stop."""
    with Daemon(directory, slow_server(directory)) as daemon:
        server_pid(daemon)
        assert daemon.rpc.supervisor.stopProcess("catalina", False)
        assert daemon.ctl("stop", "catalina").stdout == "catalina: stopped\n"
        assert daemon.info("catalina")["statename"] == "STOPPED"
        assert daemon.rpc.supervisor.startProcess("catalina")
        wait_until(lambda: daemon.text("catalina.log").count("READY") == 2)
        assert daemon.rpc.supervisor.stopProcess("catalina", False)
        assert daemon.ctl("start", "catalina").stdout == "catalina: started\n"
        wait_until(lambda: daemon.text("catalina.log").count("READY") == 3)
        assert "IN USE" not in daemon.text("catalina.log")


@needs_root
def test_a_program_that_may_not_be_signalled_is_not_removed(directory: Path) -> None:
    """As for a root that has lost CAP_KILL."""
    config = """
[program:other]
command=/bin/sleep 1000
user=nobody
startsecs=0
autorestart=true
"""
    without_kill = ("setpriv", "--bounding-set=-kill", "--")
    with Daemon(directory, config, within=without_kill) as daemon:
        daemon.may_leave_processes = True
        pid = daemon.wait_for_state("other", "RUNNING")["pid"]
        wait_until(lambda: os.stat(f"/proc/{pid}").st_uid != 0)
        with pytest.raises(xmlrpc.client.Fault, match="FAILED"):
            daemon.rpc.supervisor.signalProcess("other", "HUP")
        assert daemon.info("other")["statename"] == "UNKNOWN"
        with pytest.raises(xmlrpc.client.Fault) as caught:
            daemon.rpc.supervisor.removeProcessGroup("other")
        assert caught.value.faultCode == Faults.STILL_RUNNING
        os.kill(pid, signal.SIGKILL)
        assert daemon.wait_for_state("other", "RUNNING")["pid"] != pid
