"""Descriptors that commands are started with: standard streams that are closed, further ones."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import proctable
from tests.support.children import child
from tests.support.daemon import OURS, Daemon, clean_environment

pytestmark = pytest.mark.slow

CLOSED = [fds for count in range(4) for fds in itertools.combinations((0, 1, 2), count)]
"""Every subset of the standard descriptors."""

CONFIG = f"""
    [program:web]
    command={child("sleeper")}
    autorestart=false
    startsecs=0
    stdout_logfile=/dev/stdout
    stdout_logfile_maxbytes=0
    stderr_logfile=/dev/stderr
    stderr_logfile_maxbytes=0
"""


OPEN_MORE = """
import os, resource, sys
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (2000, hard))
for fd in (3, 30, 1500):
    os.dup2(0, fd)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Opens further descriptors (a shell knows those of one digit only), then execs the command."""


def closing(fds: tuple[int, ...]) -> tuple[str, ...]:
    """Return a command prefix that closes descriptors, then execs the command."""
    return ("sh", "-c", f'exec "$@" {" ".join(f"{fd}>&-" for fd in fds)}', "sh")


@pytest.mark.parametrize("closed", CLOSED, ids=str)
@pytest.mark.parametrize("arguments", [("-n",), ()], ids=["foreground", "background"])
def test_a_daemon_takes_closed_descriptors_itself(
    directory: Path, arguments: tuple[str, ...], closed: tuple[int, ...]
) -> None:
    """Otherwise its poller, a log or a socket gets the number, and is replaced or written to."""
    with Daemon(directory, CONFIG, arguments=arguments, within=closing(closed)) as daemon:
        pid = daemon.wait_for_state("web", "RUNNING")["pid"]
        open_fds = proctable.open_fds(daemon.pid)
        for fd in (0, 1, 2) if not arguments else closed:
            assert open_fds[fd] == "/dev/null"
        os.kill(pid, signal.SIGKILL)
        daemon.wait_for_log("exited: web (terminated by SIGKILL")
        assert daemon.rpc.supervisor.startProcess("web")  # an automatic start takes a second
        assert daemon.info("web")["pid"] != pid
        log = daemon.log_text()
    assert "cannot log" not in log + daemon.output_text()
    assert "Traceback" not in log + daemon.output_text()
    assert log.count("\n") == sum(line[:2] == "20" for line in log.splitlines()), log


@pytest.mark.parametrize("arguments", [("-n",), ()], ids=["foreground", "background"])
def test_children_inherit_their_own_pipes_only(directory: Path, arguments: tuple[str, ...]) -> None:
    """Also if the daemon was started with a descriptor above `minfds` (1024)."""
    config = f"""
        [program:x]
        command={child("report")}
        stdout_logfile=%(here)s/report
    """
    within = (sys.executable, "-c", OPEN_MORE)
    with Daemon(directory, config, arguments=arguments, within=within) as daemon:
        report = json.loads(daemon.wait_for_text("report", "}\n"))
        assert not {3, 30, 1500}.intersection(
            fd for fd, name in proctable.open_fds(daemon.pid).items() if name == os.devnull
        )
    assert list(report["fds"]) == ["0", "1", "2"]


@pytest.mark.parametrize("closed", CLOSED, ids=str)
@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("supervisord", "-v"), 0),
        (("supervisord", "-x"), 2),
        (("supervisorctl", "-c", "/nonexistent"), 2),
        (("supervisorctl", "-s", "unix:///nonexistent/s.sock", "status"), 4),
        (("echo_supervisord_conf",), 0),
        (("pidproxy",), 1),
        (("pidproxy", "nonsense.pid", "sh", "-c", "kill -HUP $PPID"), 0),
    ],
    ids=str,
)
def test_commands_end_as_usual(
    directory: Path, command: tuple[str, ...], status: int, closed: tuple[int, ...]
) -> None:
    """Each stream that is open gets what it gets when all are open."""
    (directory / "nonsense.pid").write_text("nonsense", encoding="ascii")
    words = [*OURS.command(command[0]), *command[1:]]

    def run(fds: tuple[int, ...]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*closing(fds), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=directory,
            env=clean_environment(directory),
            timeout=20,
            check=False,
        )

    found, usual = run(closed), run(())
    assert usual.returncode == status
    assert found.returncode == status
    assert found.stdout == (b"" if 1 in closed else usual.stdout)
    assert found.stderr == (b"" if 2 in closed else usual.stderr)
