"""A daemon in the background: pid file, socket, a second instance, what a crash leaves."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import proctable
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

SLOW_TO_THE_BACKGROUND = """
import os, time, types
from pathlib import Path
from supervisor import loggers
from supervisor.daemon import boot
settings = types.SimpleNamespace(directory=None, umask=0o22)
with boot.daemonized(settings, loggers.getLogger()):
    time.sleep(0.2)
    Path("pid").write_text(str(os.getpid()))
while Path("pid").exists():
    time.sleep(0.02)
"""

CONFIG = f"[program:web]\ncommand={child('sleeper')}\nstartsecs=0\n"


def test_a_daemon_outlives_who_started_it(directory: Path) -> None:
    """It has a session of its own and no terminal, and its pid file names it."""
    with Daemon(directory, CONFIG, arguments=()) as daemon:
        pid = int(daemon.pid_path.read_text(encoding="ascii"))
        assert pid == daemon.pid == daemon.rpc.supervisor.getPID()
        assert os.getsid(pid) != os.getsid(0)
        assert daemon.output_text() == ""
        for fd in (0, 1, 2):
            assert proctable.open_fds(pid)[fd] == "/dev/null"
        daemon.wait_for_state("web", "RUNNING")
    assert not daemon.pid_path.exists()
    assert not daemon.socket_path.exists()


def test_the_parent_ends_when_the_pid_file_is_there(directory: Path) -> None:
    """For init scripts and for Type=forking of systemd; the daemon itself goes on."""
    command = [sys.executable, "-c", SLOW_TO_THE_BACKGROUND]
    assert subprocess.run(command, cwd=directory, timeout=20, check=False).returncode == 0
    pid = int((directory / "pid").read_text(encoding="ascii"))
    assert proctable.is_alive(pid)
    (directory / "pid").unlink()
    wait_until(lambda: not proctable.is_alive(pid))


def test_umask_and_directory_are_those_of_the_background(directory: Path) -> None:
    (directory / "elsewhere").mkdir()
    config = f"""
        umask=027
        directory=%(here)s/elsewhere
        [program:x]
        command={child("report")}
        stdout_logfile=%(here)s/report
    """
    with Daemon(directory, config, arguments=()) as daemon:
        report = json.loads(daemon.wait_for_text("report", "}\n"))
    assert report["umask"] == "027"
    assert report["cwd"] == str(directory / "elsewhere")


def test_a_second_instance_is_refused(directory: Path) -> None:
    with Daemon(directory, CONFIG) as daemon:
        command = [*daemon.implementation.command("supervisord"), "-n", "-c", daemon.config_path]
        second = subprocess.run(
            command, capture_output=True, text=True, timeout=20, check=False, cwd=directory
        )
        assert second.returncode == 2
        assert "Another program is already listening on a port" in second.stderr
        assert f"In use: {daemon.socket_path}, by pid {daemon.pid} (" in second.stderr
        assert "Traceback" not in second.stderr
        assert daemon.rpc.supervisor.getState()["statename"] == "RUNNING"
        assert daemon.pid_path.exists()


def test_a_stale_socket_is_removed(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(directory / "s.sock"))
    with Daemon(directory, CONFIG) as daemon:
        assert f"Unlinking stale socket {daemon.socket_path}" in daemon.output_text()
        assert daemon.rpc.supervisor.getState()["statename"] == "RUNNING"


def test_children_survive_a_killed_daemon_and_a_new_one_starts(directory: Path) -> None:
    with Daemon(directory, CONFIG) as daemon:
        info = daemon.wait_for_state("web", "RUNNING")
        daemon.wait_for_text(info["stdout_logfile"], "READY")
        orphan = info["pid"]
        daemon.close_rpc()
        daemon.signal(signal.SIGKILL)
        daemon.wait_for_exit()
        assert proctable.is_alive(orphan)
        assert daemon.socket_path.exists()
        daemon.start()
        assert daemon.wait_for_state("web", "RUNNING")["pid"] != orphan
        os.kill(orphan, signal.SIGKILL)


def test_nothing_happens_while_there_is_nothing_to_do(directory: Path) -> None:
    """Not one wake-up of the daemon in a second."""
    with Daemon(directory, CONFIG) as daemon:
        daemon.wait_for_state("web", "RUNNING")
        daemon.close_rpc()
        before = wait_until(lambda: proctable.settled_switches(daemon.pid))
        end = time.monotonic() + 1
        wait_until(lambda: time.monotonic() > end)
        assert proctable.voluntary_switches(daemon.pid) == before
