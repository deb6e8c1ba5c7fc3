"""Readiness: STARTING lasts until the program itself, or a check, says that it is ready."""

from __future__ import annotations

import os
import xmlrpc.client
from pathlib import Path

import pytest

from supervisor.common.faults import Faults
from tests.support import proctable
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.ports import free_port
from tests.support.strangers import needs_root
from tests.support.waiting import wait_until

GO = "%(here)s/go"


def shell(script: str) -> str:
    """Return a command that runs a script once the file `go` exists, and then sleeps."""
    wait = f"while ! test -e {GO}; do sleep 0.02; done"
    return f'/bin/sh -c "{wait}; {script}; exec sleep 1000"'


KINDS = {
    "notify": f"command={child('readies', 'notify', GO, 'main')}\nnotify=true",
    "notify all": f"command={child('readies', 'notify', GO, 'worker')}\nnotify=all",
    "fd 3": f"command={shell('echo >&3')}\nnotification_fd=3",
    "fd 200": f"command={shell('echo ready >/dev/fd/200')}\nnotification_fd=200",
    "fd in a variable": f"command={shell('echo >/dev/fd/$LISTENING')}\nnotification_fd=LISTENING",
    "line on stdout": f"command={shell('echo starting; echo ready: 5 ms')}\n"
    "ready_log_line=^ready: [0-9]+ ms$",
    "line on stderr": f"command={shell('echo ready >&2')}\nready_log_line=ready",
    "line on both": f"command={shell('echo ready >&2')}\nready_log_line=ready\n"
    "redirect_stderr=true",
    "line without a log": f"command={shell('echo ready')}\nready_log_line=ready\n"
    "stdout_logfile=NONE\nstderr_logfile=NONE",
    "tcp": f"command={child('readies', 'tcp', GO, '<port>')}\n"
    "readiness_check_script=tcp://localhost:<port>",
    "http": f"command={child('readies', 'http', GO, '<port>')}\n"
    "readiness_check_script=http://127.0.0.1:<port>/health",
    "unix": f"command={child('readies', 'unix', GO, '%(here)s/x.sock')}\n"
    "readiness_check_script=unix://%(here)s/x.sock",
    "command": f"command={child('sleeper')}\nreadiness_check_script=test -e {GO}",
    "message and check": f"command={child('readies', 'notify', GO, 'main')}\nnotify=true\n"
    "readiness_check_script=true",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_is_running_when_it_is_ready(directory: Path, kind: str) -> None:
    """A start that waits returns then, and nothing of the readiness is left."""
    config = (
        f"[program:x]\nautostart=false\nstartsecs=0\nreadiness_check_period=50ms\n{KINDS[kind]}"
    )
    with Daemon(directory, config.replace("<port>", str(free_port()))) as daemon:
        before = proctable.fd_count(daemon.pid)
        daemon.rpc.supervisor.startProcess("x", False)
        daemon.wait_for_log("spawned: 'x'")
        with pytest.raises(xmlrpc.client.Fault, match="ALREADY_STARTED"):
            daemon.rpc.supervisor.startProcess("x")
        assert daemon.info("x")["statename"] == "STARTING"
        daemon.rpc.supervisor.stopProcess("x")
        wait_until(lambda: proctable.fd_count(daemon.pid) == before)
        assert "success: x" not in daemon.log_text()

        (directory / "go").touch()
        assert daemon.rpc.supervisor.startProcess("x") is True
        assert daemon.info("x")["statename"] == "RUNNING"
        daemon.wait_for_log("success: x entered RUNNING state, process was ready after")
        daemon.rpc.supervisor.stopProcess("x")
        wait_until(lambda: proctable.fd_count(daemon.pid) == before)
        assert proctable.children(daemon.pid) == []


@needs_root
@pytest.mark.parametrize("runtimedir", ["", "runtimedir=%(here)s/run\n"])
def test_a_notify_socket_for_another_user(directory: Path, runtimedir: str) -> None:
    """Its user may write to it, in a directory of the daemon."""
    directory.chmod(0o755)
    (directory / "go").touch()
    (directory / "run").mkdir(mode=0o711)
    config = f"{runtimedir}[program:x]\nuser=nobody\n{KINDS['notify']}"
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("x", "RUNNING")
        environment = Path(f"/proc/{daemon.info('x')['pid']}/environ").read_bytes().split(b"\0")
        (path,) = [each[14:].decode() for each in environment if each.startswith(b"NOTIFY_SOCKET=")]
        assert os.stat(path).st_mode & 0o777 == 0o600
        if runtimedir:
            assert Path(path).parent == directory / "run"
    assert not Path(path).exists()
    assert Path(path).parent.exists() == bool(runtimedir)


NOTIFY = """
import os, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
    sender.connect(os.environ["NOTIFY_SOCKET"])
    sender.send(b"READY=1")
"""


@pytest.mark.parametrize(
    ("startsecs", "state", "text"),
    [
        (0, "EXITED", "exited: x (exit status 0; expected)"),
        (5, "FATAL", "exited: x (exit status 0; not expected)"),
    ],
)
def test_a_program_that_reports_and_exits_at_once(
    directory: Path, startsecs: int, state: str, text: str
) -> None:
    """The message counts, and so does `startsecs`."""
    (directory / "x.py").write_text(NOTIFY, encoding="utf-8")
    config = f"""
        [program:x]
        command={child("exits", 0).partition(" ")[0]} -S %(here)s/x.py
        notify=true
        startsecs={startsecs}
        startretries=0
        autorestart=false
    """
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("x", state)
        assert text in daemon.log_text()
        assert ("success: x entered RUNNING" in daemon.log_text()) == (state == "EXITED")


def test_the_message_of_a_worker_is_refused(directory: Path) -> None:
    """Unless the program has notify=all."""
    (directory / "go").touch()
    config = f"[program:x]\ncommand={child('readies', 'notify', GO, 'worker')}\nnotify=true"
    with Daemon(directory, config) as daemon:
        daemon.wait_for_log("x: ignored a notification from pid")
        assert "(notify=all accepts all processes)" in daemon.log_text()
        wait_until(lambda: "READY" in str(daemon.rpc.supervisor.readProcessStdoutLog("x", 0, 0)))
        assert daemon.info("x")["statename"] == "STARTING"


@pytest.mark.slow
def test_a_program_that_is_not_ready_in_time(directory: Path) -> None:
    """It is stopped, tried again, and not given up before `startretries` are used."""
    config = f"""
        [program:x]
        command={child("stubborn")}
        ready_log_line=never
        ready_timeout=1
        stopwaitsecs=1
        startretries=1
    """
    with Daemon(directory, config) as daemon:
        info = daemon.wait_for_state("x", "FATAL", seconds=30)
        assert info["spawnerr"] == "not ready after 1 second"
        log = daemon.log_text()
        assert log.count("x is not ready after 1 second, stopping it") == 2
        assert log.count("with SIGKILL") == 2
        assert log.count("spawned: 'x'") == 2


def test_a_start_that_waits_for_readiness_in_vain(directory: Path) -> None:
    config = f"[program:x]\ncommand={child('exits', 3)}\nautostart=false\nnotify=true\nstartsecs=0"
    with Daemon(directory, config) as daemon:
        with pytest.raises(xmlrpc.client.Fault) as caught:
            daemon.rpc.supervisor.startProcess("x")
        assert caught.value.faultCode == Faults.SPAWN_ERROR
        text = "Exited before it was ready (process log may have details)"
        assert daemon.info("x")["spawnerr"] == text


@pytest.mark.slow
def test_a_line_of_an_earlier_run_does_not_count(directory: Path) -> None:
    """The log still has it, and so has the pipe."""
    script = "test -e %(here)s/again && exec sleep 1000; touch %(here)s/again; echo ready"
    config = f"""
        [program:x]
        command=/bin/sh -c "{script}; sleep 0.1; exit 3"
        ready_log_line=ready
        startsecs=0
    """
    with Daemon(directory, config) as daemon:
        daemon.wait_for_log("exited: x (exit status 3")
        wait_until(lambda: daemon.log_text().count("spawned: 'x'") == 2)
        assert daemon.info("x")["statename"] == "STARTING"
        assert "ready" in daemon.rpc.supervisor.readProcessStdoutLog("x", 0, 0)


@pytest.mark.slow
def test_no_probe_follows_readiness(directory: Path) -> None:
    """Nor while the program is stopped, or down."""
    config = f"""
        [program:x]
        command={child("sleeper")}
        readiness_check_script=/bin/sh -c "echo >>%(here)s/probes; test -e {GO}"
        readiness_check_period=50ms
        startsecs=0
        [program:y]
        command={child("sleeper")}
        startsecs=2
    """
    with Daemon(directory, config) as daemon:
        wait_until(lambda: len(daemon.text("probes")) >= 3)
        assert daemon.info("x")["statename"] == "STARTING"
        (directory / "go").touch()
        daemon.wait_for_state("x", "RUNNING")
        probes = daemon.text("probes")
        daemon.wait_for_state("y", "RUNNING")  # later
        assert daemon.text("probes") == probes
        daemon.rpc.supervisor.stopProcess("x")
        (directory / "go").unlink()
        daemon.rpc.supervisor.startProcess("x", False)
        wait_until(lambda: len(daemon.text("probes")) > len(probes) + 1)
        daemon.rpc.supervisor.stopProcess("x")
        probes = daemon.text("probes")
        daemon.rpc.supervisor.stopProcess("y")
        daemon.rpc.supervisor.startProcess("y")  # two seconds
        assert daemon.text("probes") == probes
