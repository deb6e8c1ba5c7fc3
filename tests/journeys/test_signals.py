"""Signals to the daemon: end, reload, reopen."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from xmlrpc.client import Fault

import pytest

from tests.support import proctable
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.ports import free_port
from tests.support.waiting import wait_until

CONFIG = f"[program:web]\ncommand={child('sleeper')}\nstartsecs=0\n"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGQUIT"])
def test_the_daemon_ends_and_leaves_nothing_behind(directory: Path, name: str) -> None:
    with Daemon(directory, CONFIG) as daemon:
        pid = daemon.wait_for_state("web", "RUNNING")["pid"]
        daemon.close_rpc()
        daemon.signal(signal.Signals[name])
        assert daemon.wait_for_exit() == 0
        assert f"received {name} indicating exit request" in daemon.log_text()
        assert not proctable.is_alive(pid)
        assert not daemon.pid_path.exists()
        assert not daemon.socket_path.exists()


def test_a_second_signal_to_end_does_no_harm(directory: Path) -> None:
    config = f"[program:x]\ncommand={child('stubborn')}\nstopwaitsecs=2\nstartsecs=0\n"
    with Daemon(directory, config) as daemon:
        daemon.wait_for_child("x", Path(__file__).parents[1])
        for _ in range(3):
            daemon.signal(signal.SIGTERM)
            daemon.signal(signal.SIGINT)
        assert daemon.wait_for_exit() == 0
        assert daemon.log_text().count("stopped: x") == 1


def test_sighup_rereads_everything_and_keeps_the_pid(directory: Path) -> None:
    with Daemon(directory, CONFIG) as daemon:
        daemon.wait_for_state("web", "RUNNING")
        daemon.write_config(CONFIG.replace("web", "other"))
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_start(2)
        assert daemon.rpc.supervisor.getPID() == daemon.pid
        assert [info["name"] for info in daemon.rpc.supervisor.getAllProcessInfo()] == ["other"]
        daemon.wait_for_state("other", "RUNNING")


ENDS_WHILE_RELOADING = """
import os, signal
runs = []
def make(supervisord):
    runs.append(supervisord)
    if len(runs) == 2:
        for number in (signal.SIGHUP, signal.SIGTERM):
            os.kill(os.getpid(), number)
"""


def test_a_signal_during_a_reload_is_kept(directory: Path) -> None:
    """The run that comes up then ends at once, and starts no program to stop it again."""
    (directory / "plugin.py").write_text(ENDS_WHILE_RELOADING, encoding="ascii")
    config = f"[rpcinterface:x]\nsupervisor.rpcinterface_factory=plugin:make\n{CONFIG}"
    with Daemon(directory, config, environment={"PYTHONPATH": str(directory)}) as daemon:
        daemon.wait_for_state("web", "RUNNING")
        daemon.close_rpc()
        daemon.signal(signal.SIGHUP)
        assert daemon.wait_for_exit() == 0
        log = daemon.log_text()
        assert log.count("received SIGHUP indicating restart request") == 2
        assert log.count("received SIGTERM indicating exit request") == 1
        assert log.count("spawned: 'web'") == 1
        assert not daemon.pid_path.exists()
        assert not daemon.socket_path.exists()


def test_sighup_with_a_broken_file_changes_nothing(directory: Path) -> None:
    with Daemon(directory, CONFIG) as daemon:
        pid = daemon.wait_for_state("web", "RUNNING")["pid"]
        daemon.write_config(CONFIG + "startretries=many\n")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("invalid literal for int()")
        assert daemon.info("web")["pid"] == pid
        assert daemon.info("web")["statename"] == "RUNNING"


def test_a_reload_onto_an_address_in_use_changes_nothing(directory: Path) -> None:
    """The daemon's own addresses are not in use; nor is one that another option changes."""
    server = "[inet_http_server]\nport={}\n"
    own = free_port()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Daemon(directory, CONFIG + server.format(f"127.0.0.1:{own}")) as daemon:
            pid = daemon.wait_for_state("web", "RUNNING")["pid"]
            daemon.write_config(CONFIG + server.format(f"127.0.0.1:{port}"))
            with pytest.raises(Fault, match=f"CANT_REREAD.*In use: 127.0.0.1:{port}"):
                daemon.rpc.supervisor.restart()
            daemon.signal(signal.SIGHUP)
            daemon.wait_for_log(f"In use: 127.0.0.1:{port}")
            assert daemon.info("web")["pid"] == pid
            daemon.write_config(CONFIG + server.format(f"*:{own}"))
            assert daemon.rpc.supervisor.restart()
            daemon.wait_for_start(2)
            assert daemon.wait_for_state("web", "RUNNING")["pid"] != pid


def test_sigusr2_reopens_the_logs(directory: Path) -> None:
    with Daemon(directory, CONFIG) as daemon:
        daemon.log_path.rename(directory / "rotated.log")
        daemon.signal(signal.SIGUSR2)
        wait_until(daemon.log_path.exists)


def test_sigusr2_restores_a_unix_socket_that_was_removed(directory: Path) -> None:
    """As programs that clean up /tmp do: until then no client reaches the daemon."""
    with Daemon(directory, CONFIG) as daemon:
        before = daemon.socket_path.stat()
        daemon.close_rpc()
        daemon.socket_path.unlink()
        daemon.signal(signal.SIGUSR2)
        daemon.wait_for_log(f"unix socket {daemon.socket_path} had been removed")
        assert daemon.rpc.supervisor.getPID() == daemon.pid
        after = daemon.socket_path.stat()
        assert (after.st_mode, after.st_uid, after.st_gid) == (
            before.st_mode,
            before.st_uid,
            before.st_gid,
        )
    assert not daemon.socket_path.exists()


def test_a_signal_right_after_the_start_is_not_lost(directory: Path) -> None:
    """Each stop would otherwise wait until the process is killed."""
    config = f"[program:x]\ncommand={child('sleeper')}\nautostart=false\nstopwaitsecs=1000\n"
    with Daemon(directory, config) as daemon:
        for _ in range(20):
            assert daemon.rpc.supervisor.startProcess("x", False)
            assert daemon.rpc.supervisor.stopProcess("x")
        assert daemon.log_text().count("stopped: x (terminated by SIGTERM)") == 20
