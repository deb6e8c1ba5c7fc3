"""Whatever fails, the daemon stays up, answers, and says what has failed."""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from xmlrpc.client import Fault

import pytest

from tests.support.children import child
from tests.support.daemon import OURS, Daemon, Implementation
from tests.support.proctable import fd_count
from tests.support.strangers import needs_root
from tests.support.waiting import wait_until

BODY = b"<methodCall><methodName>supervisor.getState</methodName></methodCall>"
CALL = b"POST /RPC2 HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


def answers(daemon: Daemon) -> bool:
    """Whether the daemon does what it is for."""
    state: dict[str, object] = daemon.rpc.supervisor.getState()  # type: ignore[assignment]
    return state["statename"] == "RUNNING"


@contextmanager
def fd_limit(daemon: Daemon, limit: int) -> Iterator[None]:
    """Let the daemon have no more fds than these."""
    before = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    yield
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, before)


def test_the_folder_of_the_logs_goes_and_comes_back(directory: Path) -> None:
    """The main log's too: SIGUSR2 finds nothing to open, the next one does."""
    logs = directory / "logs"
    logs.mkdir()
    config = f"""
logfile=%(here)s/logs/main.log
[program:speaks]
command={child("echo")}
stdout_logfile=%(here)s/logs/speaks.log
[program:quiet]
command={child("echo")}
stdout_logfile=%(here)s/logs/quiet.log
"""
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("speaks", "RUNNING")
        before = fd_count(daemon.pid)
        shutil.rmtree(logs)
        for _ in range(3):
            daemon.signal(signal.SIGUSR2)
            assert answers(daemon)
        logs.mkdir()
        daemon.signal(signal.SIGUSR2)
        wait_until((logs / "quiet.log").exists)
        daemon.rpc.supervisor.sendProcessStdin("speaks", "back again\n")
        wait_until(lambda: "back again" in (logs / "speaks.log").read_text())
        daemon.rpc.supervisor.stopProcess("quiet")
        assert "stopped: quiet" in (logs / "main.log").read_text()
        daemon.rpc.supervisor.startProcess("quiet")
        assert fd_count(daemon.pid) == before


def test_clearing_a_log_whose_folder_has_gone(directory: Path) -> None:
    """The fault says so; what is written afterwards is taken all the same."""
    logs = directory / "logs"
    logs.mkdir()
    config = f"""
[program:speaks]
command={child("echo")}
stdout_logfile=%(here)s/logs/speaks.log
"""
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("speaks", "RUNNING")
        shutil.rmtree(logs)
        with pytest.raises(Fault, match="FAILED"):
            daemon.rpc.supervisor.clearProcessLogs("speaks")
        daemon.rpc.supervisor.sendProcessStdin("speaks", "lost, but not in the way\n")
        assert answers(daemon)
        logs.mkdir()
        daemon.rpc.supervisor.clearProcessLogs("speaks")
        daemon.rpc.supervisor.sendProcessStdin("speaks", "found\n")
        wait_until(lambda: "found" in (logs / "speaks.log").read_text())
        assert "cannot write to log" not in daemon.log_text()


def test_no_fds_for_a_child(directory: Path) -> None:
    """The start fails with the reason, leaks nothing, and succeeds later."""
    config = f"""
[program:late]
command={child("sleeper")}
autostart=false
startsecs=0
startretries=0
"""
    with Daemon(directory, config) as daemon:
        assert answers(daemon)
        before = fd_count(daemon.pid)
        with fd_limit(daemon, before + 2):
            for _ in range(5):
                with pytest.raises(Fault, match="SPAWN_ERROR"):
                    daemon.rpc.supervisor.startProcess("late")
            assert "too many open files" in str(daemon.info("late")["spawnerr"])
        assert fd_count(daemon.pid) == before
        assert daemon.rpc.supervisor.startProcess("late")


def user_without_processes() -> str:
    """Return a user of whom no process runs."""
    busy = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(FileNotFoundError):  # it has ended meanwhile
            busy.add(Path(f"/proc/{pid}").stat().st_uid)
    return next(user.pw_name for user in pwd.getpwall() if user.pw_uid not in busy)


@needs_root
def test_no_processes_for_a_child(directory: Path) -> None:
    """fork() fails when the daemon's user has as many processes as it may have: two."""
    user = user_without_processes()
    program = "autostart=false\nstartsecs=0\nstartretries=0\ncommand=/bin/sleep 1000"
    config = f"user={user}\nminprocs=2\n[program:first]\n{program}\n[program:late]\n{program}\n"
    os.chown(directory, pwd.getpwnam(user).pw_uid, -1)
    limited = ("bash", "-c", 'ulimit -Su 2; exec "$0" "$@"', *OURS.launcher)
    with Daemon(directory, config, implementation=Implementation("limited", limited)) as daemon:
        assert daemon.rpc.supervisor.startProcess("first")
        before = fd_count(daemon.pid)
        for _ in range(5):
            with pytest.raises(Fault, match="SPAWN_ERROR"):
                daemon.rpc.supervisor.startProcess("late")
        assert "Too many processes" in str(daemon.info("late")["spawnerr"])
        assert fd_count(daemon.pid) == before
        daemon.rpc.supervisor.stopProcess("first")
        assert daemon.rpc.supervisor.startProcess("late")


def test_no_fds_for_a_client(directory: Path) -> None:
    """A connection that idles makes room for the one that comes."""
    with Daemon(directory) as daemon:
        assert answers(daemon)  # on a connection that is kept
        with fd_limit(daemon, fd_count(daemon.pid)):
            for _ in range(10):
                with socket.socket(socket.AF_UNIX) as newcomer:
                    newcomer.settimeout(20)
                    newcomer.connect(str(daemon.socket_path))
                    newcomer.sendall(CALL)
                    assert newcomer.recv(12) == b"HTTP/1.0 200"
        daemon.close_rpc()
        assert answers(daemon)


def test_a_log_that_cannot_be_opened_leaks_nothing(directory: Path) -> None:
    """Its program is not started without it, however often that is tried."""
    logs = directory / "logs"
    logs.mkdir()
    config = f"""
[program:late]
command={child("sleeper")}
autostart=false
startretries=0
stdout_logfile=%(here)s/logs/late.log
"""
    with Daemon(directory, config) as daemon:
        shutil.rmtree(logs)
        with pytest.raises(Fault, match="SPAWN_ERROR"):
            daemon.rpc.supervisor.startProcess("late")
        before = fd_count(daemon.pid)
        for _ in range(20):
            with pytest.raises(Fault, match="SPAWN_ERROR"):
                daemon.rpc.supervisor.startProcess("late")
        assert fd_count(daemon.pid) == before
        assert "unknown error making dispatchers for 'late': ENOENT" in daemon.log_text()


def test_a_plugin_that_raises_everywhere(directory: Path) -> None:
    """As a subscriber, as a result handler, and in the method that a death calls."""
    (directory / "awkward.py").write_text(
        """
from supervisor import events
from supervisor.process.child import Subprocess
from supervisor.rpcinterface import make_main_rpcinterface


def make(supervisord):
    events.subscribe(events.ProcessStateEvent, fail)
    finish = Subprocess.finish

    def finish_and_fail(self, pid, status):
        finish(self, pid, status)
        raise ValueError("in finish")

    Subprocess.finish = finish_and_fail
    return None


def fail(event):
    raise ValueError("in a subscriber")
""",
        encoding="utf-8",
    )
    config = f"""
[program:one]
command={child("sleeper")}
startsecs=0
[program:two]
command={child("sleeper")}
startsecs=0
[rpcinterface:awkward]
supervisor.rpcinterface_factory=awkward:make
"""
    with Daemon(directory, config, environment={"PYTHONPATH": str(directory)}) as daemon:
        pids = {daemon.wait_for_state(name, "RUNNING")["pid"] for name in ("one", "two")}
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_until(
            lambda: (
                not pids & {daemon.info(name)["pid"] for name in ("one", "two")}
                and all(daemon.info(name)["statename"] == "RUNNING" for name in ("one", "two"))
            ),
            what=daemon.log_text,
        )
        text = daemon.log_text()
        assert "ValueError: in finish" in text
        assert "ValueError: in a subscriber" in text


@pytest.mark.parametrize("what", ["a folder", "a file", "a link to a file"])
def test_what_is_no_socket_is_not_removed(directory: Path, what: str) -> None:
    """The daemon ends with one line, at once, and nothing is lost."""
    daemon = Daemon(directory)
    if what == "a folder":
        daemon.socket_path.mkdir()
    else:
        path = daemon.socket_path if what == "a file" else directory / "precious"
        path.write_text("precious", encoding="utf-8")
        if path != daemon.socket_path:
            daemon.socket_path.symlink_to(path)
    assert daemon.launch().wait(20) == 2
    assert "s.sock" in daemon.output_text()
    assert "Traceback" not in daemon.output_text()
    assert daemon.socket_path.is_dir() or daemon.socket_path.read_text() == "precious"
