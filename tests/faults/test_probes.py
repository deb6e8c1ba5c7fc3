"""Checks and messages that misbehave: nothing else is disturbed, and nothing is left."""

from __future__ import annotations

import resource
import socket
import xmlrpc.client
from pathlib import Path
from typing import Any

import pytest

from tests.support import proctable
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.strangers import give_away, needs_root
from tests.support.waiting import wait_until

PROGRAM = f"[program:x]\ncommand={child('sleeper')}\nstartsecs=0\nreadiness_check_period=50ms\n"

QUICK = f"""
[program:other]
command=/bin/cat
startsecs=0
[program:second]
command={child("sleeper")}
startsecs=1
autostart=false
"""

BAD_PROBES = {
    "hangs": "/bin/sleep 1000",
    "ignores signals": f"{child('stubborn')}",
    "floods": "/bin/sh -c 'yes supervisor'",
    "floods with binary": "/bin/cat /dev/urandom",
    "one endless line": "/bin/sh -c 'tr -d \"\\\\n\" </dev/zero'",
    "leaves a child": "/bin/sh -c 'sleep 1000 & exit 1'",
    "leaves a child that holds the output": "/bin/sh -c 'sleep 1000 & sleep 1000'",
    "leaves a group": f"/usr/bin/setsid --fork {child('exits', 0, 0.5)}",
    "dies": "/bin/sh -c 'kill -KILL $$'",
    "kills its group": "/bin/sh -c 'kill -KILL 0'",
    "is stopped": "/bin/sh -c 'kill -STOP $$'",
    "closes everything": "/bin/sh -c 'exec <&- >&- 2>&-; sleep 1000'",
    "is missing": "/nonexistent/check",
    "is a directory": "%(here)s/.",
    "is no program": "%(here)s/supervisord.conf",
}


def is_answering(daemon: Daemon) -> bool:
    """Whether the daemon stops and starts another program."""
    daemon.rpc.supervisor.stopProcess("other")
    return daemon.rpc.supervisor.startProcess("other") is True


@pytest.mark.parametrize("name", BAD_PROBES)
def test_a_bad_probe_harms_nothing(directory: Path, name: str) -> None:
    """Many of them in a row: no process and no fd stays, and the daemon serves others."""
    config = f"{PROGRAM}autostart=false\nreadiness_check_script={BAD_PROBES[name]}\n"
    with Daemon(directory, f"{config}readiness_check_timeout=300ms\n{QUICK}") as daemon:
        daemon.wait_for_state("other", "RUNNING")
        fds = proctable.fd_count(daemon.pid)
        before = len(proctable.marked(str(directory)))
        daemon.rpc.supervisor.startProcess("x", False)
        for _ in range(5):
            assert is_answering(daemon)
        daemon.rpc.supervisor.startProcess("second")  # a second later
        daemon.rpc.supervisor.stopProcess("second")
        state = "RUNNING" if name == "leaves a group" else "STARTING"
        daemon.wait_for_state("x", state)
        daemon.rpc.supervisor.stopProcess("x")
        wait_until(lambda: len(proctable.marked(str(directory))) == before)
        wait_until(lambda: proctable.fd_count(daemon.pid) == fds)
        assert is_answering(daemon)
        assert "Traceback" not in daemon.log_text()


@pytest.mark.parametrize("option", ["liveness_check_script", "liveness_check_failure_action"])
@pytest.mark.parametrize("name", BAD_PROBES)
def test_a_bad_check_of_a_running_program_harms_nothing(
    directory: Path, name: str, option: str
) -> None:
    """It is killed with its group at the timeout, as is the command that follows a failure."""
    script = {"liveness_check_script": "false", option: BAD_PROBES[name]}
    config = "".join(f"{key}={value}\n" for key, value in script.items())
    config = f"{PROGRAM}{config}liveness_check_period=50ms\nliveness_check_timeout=300ms\n"
    config += "liveness_check_initial_delay=0\nliveness_check_failure_threshold=1\n"
    if option == "liveness_check_script":
        config += "liveness_check_failure_action=/bin/true\n"
    with Daemon(directory, f"{config}autostart=false\n{QUICK}") as daemon:
        daemon.wait_for_state("other", "RUNNING")
        fds = proctable.fd_count(daemon.pid)
        before = len(proctable.marked(str(directory)))
        daemon.rpc.supervisor.startProcess("x")
        for _ in range(5):
            assert is_answering(daemon)
        daemon.rpc.supervisor.startProcess("second")  # a second later
        daemon.rpc.supervisor.stopProcess("second")
        assert daemon.info("x")["statename"] == "RUNNING"
        daemon.rpc.supervisor.stopProcess("x")
        wait_until(lambda: len(proctable.marked(str(directory))) == before)
        wait_until(lambda: proctable.fd_count(daemon.pid) == fds)
        assert is_answering(daemon)
        assert "Traceback" not in daemon.log_text()


def test_a_daemon_without_fds_for_checks_restarts_no_program(directory: Path) -> None:
    """Its limit is lowered while it runs, so that no further fd can be opened."""
    quick = "liveness_check_period=50ms\nliveness_check_initial_delay=0\n"
    scripts = {"command": "/bin/true", "socket": "unix://%(here)s/s.sock"}
    config = "".join(
        f"{PROGRAM}{quick}liveness_check_script={script}\n".replace("program:x", f"program:{name}")
        for name, script in scripts.items()
    )
    with Daemon(directory, config.replace("readiness_check_period=50ms\n", "")) as daemon:

        def health() -> set[str]:
            details: Any = daemon.rpc.supervisor.getAllProcessDetails()
            return {each["health"] for each in details}

        wait_until(lambda: health() == {"ok"})
        before = [daemon.info(name)["pid"] for name in scripts]
        limits = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        wait_until(lambda: health() == {"not checked"})
        waits = proctable.voluntary_switches(daemon.pid)
        wait_until(lambda: proctable.voluntary_switches(daemon.pid) > waits + 20)
        assert health() == {"not checked"}
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, limits)
        wait_until(lambda: health() == {"ok"})
        assert [daemon.info(name)["pid"] for name in scripts] == before
        log = daemon.log_text()
        for name in scripts:
            assert log.count(f"WARN {name}: liveness check not run: too many open files") == 1
        assert "Traceback" not in log


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 ",
        b"\x00" * 100_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
        b"SSH-2.0\r\n",
    ],
    ids=["closes", "stops in the middle", "binary", "endless", "another protocol"],
)
def test_a_bad_server_harms_nothing(directory: Path, answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        config = f"{PROGRAM}readiness_check_script={url}\nreadiness_check_timeout=300ms\n"
        with Daemon(directory, f"{config}{QUICK}") as daemon:
            fds = proctable.fd_count(daemon.pid)
            for _ in range(3):
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(5)
                    try:
                        connection.sendall(answer)
                        if b"1.1 " in answer[-5:]:
                            connection.recv(4096)  # the request
                            assert connection.recv(4096) == b""  # the timeout
                    except (BrokenPipeError, ConnectionResetError):
                        continue
            assert daemon.info("x")["statename"] == "STARTING"
            assert is_answering(daemon)
            daemon.rpc.supervisor.stopProcess("x")
            wait_until(lambda: proctable.fd_count(daemon.pid) <= fds)
            assert "Traceback" not in daemon.log_text()


SENDS = """
import os, socket, sys
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sender.connect(os.environ["NOTIFY_SOCKET"])
print("READY", flush=True)
while True:
    try:
        sender.send({data})
    except OSError:
        pass
"""


@pytest.mark.parametrize(
    "data",
    ["b''", "os.urandom(500)", "b'STATUS=' + bytes(60000)", "b'READY=0\\nSTATUS=x' * 100"],
    ids=["nothing", "binary", "too long", "many lines"],
)
def test_a_flood_of_notifications_harms_nothing(directory: Path, data: str) -> None:
    """The log gets a few lines, and the loop serves others."""
    (directory / "sends.py").write_text(SENDS.replace("{data}", data), encoding="utf-8")
    python = child("exits").partition(" ")[0]
    config = (
        f"[program:x]\ncommand={python} -S %(here)s/sends.py\nnotify=true\nstartsecs=0\n{QUICK}"
    )
    with Daemon(directory, config) as daemon:
        wait_until(lambda: "READY" in str(daemon.rpc.supervisor.readProcessStdoutLog("x", 0, 0)))
        for _ in range(20):
            assert is_answering(daemon)
        assert daemon.info("x")["statename"] == "STARTING"
        daemon.rpc.supervisor.stopProcess("x")
        assert len([line for line in daemon.log_text().splitlines() if " x: " in line]) <= 8
        assert "Traceback" not in daemon.log_text()


@pytest.mark.parametrize(
    "command",
    [
        "/bin/sh -c 'yes >&3'",
        "/bin/sh -c 'cat /dev/zero >&3'",
        "/bin/sh -c 'exec 3>&-; exec sleep 1000'",
    ],
    ids=["ready again and again", "never a newline", "closed"],
)
def test_a_flood_on_the_notification_fd_harms_nothing(directory: Path, command: str) -> None:
    config = (
        f"[program:x]\ncommand={command}\nnotification_fd=3\nstartsecs=0\nstartretries=0\n{QUICK}"
    )
    with Daemon(directory, config) as daemon:
        expected = ("RUNNING", "EXITED") if "yes" in command else ("STARTING", "FATAL")
        for _ in range(5):
            assert is_answering(daemon)
        daemon.rpc.supervisor.startProcess("second")  # a second later
        daemon.wait_for_state("x", *expected)
        assert "Traceback" not in daemon.log_text()


def remove(path: Path) -> None:
    """Remove a directory of sockets, as a cleaner of temporary files does."""
    for file in path.iterdir():
        file.unlink()
    path.rmdir()


NOTIFIES = f"[program:x]\ncommand={child('readies', 'notify', '/', 'main')}\nnotify=true\n"


def test_a_removed_runtimedir_is_a_failed_start(directory: Path) -> None:
    """The user has chosen it, so it is not made again."""
    (directory / "run").mkdir(mode=0o711)
    config = f"runtimedir=%(here)s/run\n{NOTIFIES}startretries=0\nstartsecs=0\n{QUICK}"
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("x", "RUNNING")
        remove(directory / "run")
        daemon.rpc.supervisor.stopProcess("x")
        with pytest.raises(xmlrpc.client.Fault, match="SPAWN_ERROR"):
            daemon.rpc.supervisor.startProcess("x")
        info = daemon.wait_for_state("x", "FATAL")
        assert info["spawnerr"] == "cannot make the notify socket of 'x': No such file or directory"
        assert is_answering(daemon)
        assert "Traceback" not in daemon.log_text()


@pytest.mark.parametrize("is_replaced", [False, pytest.param(True, marks=needs_root)])
def test_a_removed_directory_of_the_daemon_is_made_again(
    directory: Path, *, is_replaced: bool
) -> None:
    """Another user who has made one of the same name does not get a socket into it."""
    environment = {"TMPDIR": str(directory)}
    with Daemon(directory, f"{NOTIFIES}startsecs=0\n", environment=environment) as daemon:
        daemon.wait_for_state("x", "RUNNING")
        (made,) = directory.glob("supervisor-*")
        remove(made)
        if is_replaced:
            made.mkdir(mode=0o777)
            give_away(made)
        daemon.rpc.supervisor.stopProcess("x")
        assert daemon.rpc.supervisor.startProcess("x") is True
        assert daemon.info("x")["statename"] == "RUNNING"
        directories = set(directory.glob("supervisor-*"))
        assert len(directories) == 1 + is_replaced
        assert not is_replaced or not list(made.iterdir())
    assert list(directory.glob("supervisor-*")) == [made] * is_replaced
