"""Surroundings that wait, fill up or lag: the daemon answers within a second, and ends by SIGTERM.

Each is a context manager that yields a daemon in its trouble; `test_the_daemon_answers` is the
same for all of them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.leases import leased
from tests.support.namespaces import dead_mount, private_mounts
from tests.support.strangers import needs_root
from tests.support.transport import proxy
from tests.support.waiting import wait_until

pytestmark = needs_root

ANSWER_SECONDS = 1
QUESTIONS = 20
END_SECONDS = 10
NOBODY = 65534

# Look-ups take a minute once the file exists.
SLOW_DIRECTORY_SERVICE = """
import grp, os, pwd, time

def slowly(look_up):
    def slow(*arguments):
        if os.path.exists({flag!r}):
            time.sleep(60)
        return look_up(*arguments)
    return slow

os.getgrouplist = slowly(os.getgrouplist)
for module in (grp, pwd):
    for name in dir(module):
        if name.startswith("get"):
            setattr(module, name, slowly(getattr(module, name)))
"""


def program(name: str, command: object, *options: str) -> str:
    """Return a section of a program that is killed a second after SIGTERM."""
    lines = (f"[program:{name}]", f"command={command}", "stopwaitsecs=1", *options, "")
    return "\n".join(lines)


def answer(daemon: Daemon) -> dict[str, str]:
    """Return the states by name, asked for on a new connection; raises TimeoutError if late."""
    rpc = proxy(str(daemon.socket_path), ANSWER_SECONDS)
    try:
        rows = rpc.supervisor.getAllProcessInfo()
    finally:
        rpc("close")()
    assert isinstance(rows, list)
    return {row["name"]: row["statename"] for row in rows}


@contextmanager
def dead_place(directory: Path, section: str) -> Iterator[Daemon]:
    """A daemon whose program needs something in `dead`, which never answers."""
    (directory / "dead").mkdir()
    within = private_mounts(dead_mount(directory / "dead"))
    config = section + program("good", child("sleeper"))
    with Daemon(directory, config, within=within) as daemon:
        daemon.wait_for_state("waits", "STARTING")
        daemon.wait_for_state("good", "RUNNING")
        yield daemon


def dead_directory(directory: Path) -> AbstractContextManager[Daemon]:
    """`directory=` on a dead mount."""
    return dead_place(directory, program("waits", "/bin/sleep 1000", "directory=%(here)s/dead"))


def dead_link(directory: Path) -> AbstractContextManager[Daemon]:
    """`directory=` leads to a dead mount by a symbolic link."""
    (directory / "link").symlink_to("dead/below")
    return dead_place(directory, program("waits", "/bin/sleep 1000", "directory=%(here)s/link"))


def dead_executable(directory: Path) -> AbstractContextManager[Daemon]:
    """The executable is on a dead mount."""
    return dead_place(directory, program("waits", "%(here)s/dead/program"))


def dead_interpreter(directory: Path) -> AbstractContextManager[Daemon]:
    """The executable is a script whose interpreter is on a dead mount."""
    script = directory / "script"
    script.write_text(f"#!{directory}/dead/sh\n")
    script.chmod(0o755)
    return dead_place(directory, program("waits", script))


def dead_path(directory: Path) -> AbstractContextManager[Daemon]:
    """A directory of the program's PATH is on a dead mount."""
    path = 'environment=PATH="%(here)s:%(here)s/dead:/bin"'
    return dead_place(directory, program("waits", "sleep 1000", path))


def dead_env_file(directory: Path) -> AbstractContextManager[Daemon]:
    """Variables of the program are in a file on a dead mount."""
    return dead_place(
        directory, program("waits", "/bin/sleep 1000", "envfiles=-%(here)s/dead/a.env")
    )


@contextmanager
def slow_directory_service(directory: Path) -> Iterator[Daemon]:
    """Users and groups come from a server that takes a minute for each look-up."""
    (directory / "python").mkdir()
    text = SLOW_DIRECTORY_SERVICE.format(flag=str(directory / "slow"))
    (directory / "python" / "sitecustomize.py").write_text(text)
    directory.chmod(0o755)
    config = program("other", "/bin/sleep 1000", "user=nobody", "autostart=false", "startsecs=0")
    environment = {"PYTHONPATH": str(directory / "python")}
    with Daemon(directory, config, environment=environment) as daemon:
        (directory / "slow").touch()
        rpc = proxy(str(daemon.socket_path), ANSWER_SECONDS)
        assert rpc.supervisor.startProcess("other")
        rpc("close")()
        yield daemon


@contextmanager
def lease_on_the_executable(directory: Path) -> Iterator[Daemon]:
    """The program belongs to a user, who holds a lease on it."""
    directory.chmod(0o755)
    executable = directory / "program"
    shutil.copy("/bin/sleep", executable)
    os.chown(executable, NOBODY, NOBODY)
    config = program("own", f"{executable} 1000", "startretries=100", "autostart=false")
    with Daemon(directory, config) as daemon, leased(executable):
        assert daemon.rpc.supervisor.startProcess("own", False)
        wait_until(lambda: daemon.info("own")["statename"] == "BACKOFF")
        yield daemon


@contextmanager
def lease_on_the_interpreter(directory: Path) -> Iterator[Daemon]:
    """The program is root's script, its interpreter a user's, who holds a lease on it."""
    directory.chmod(0o755)
    interpreter = directory / "interpreter"
    shutil.copy("/bin/sh", interpreter)
    os.chown(interpreter, NOBODY, NOBODY)
    script = directory / "script"
    script.write_text(f"#!{interpreter}\nexec sleep 1000\n")
    script.chmod(0o755)
    config = program("own", script, "autostart=false")
    with Daemon(directory, config) as daemon, leased(interpreter):
        assert daemon.rpc.supervisor.startProcess("own", False)
        daemon.wait_for_state("own", "STARTING")
        yield daemon


@contextmanager
def fifo_as_log(directory: Path) -> Iterator[Daemon]:
    """Logs are fifos, one without a reader, one without a writer; a client asks for both."""
    for name in ("unread", "unwritten"):
        os.mkfifo(directory / name)
    flood = child("flood", 100_000)
    config = program("flood", flood, "stdout_logfile=%(here)s/unread", "startsecs=0")
    config += program("idle", flood, "stdout_logfile=%(here)s/unwritten", "autostart=false")
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("flood", "RUNNING")
        for name in ("flood", "idle"):
            rpc = proxy(str(daemon.socket_path), ANSWER_SECONDS)
            with suppress(xmlrpc.client.Fault, TimeoutError):
                rpc.supervisor.readProcessStdoutLog(name, 0, 100)
            rpc("close")()
        yield daemon


@contextmanager
def full_disk(directory: Path) -> Iterator[Daemon]:
    """The file system of a log is full."""
    (directory / "full").mkdir()
    within = private_mounts(f"mount -t tmpfs -o size=64k full {directory}/full")
    command = child("flood", 1_000_000)
    config = program("flood", command, "stdout_logfile=%(here)s/full/log")
    with Daemon(directory, config, within=within) as daemon:
        daemon.wait_for_log("cannot write to log")
        yield daemon


@contextmanager
def lagging_reader(directory: Path) -> Iterator[Daemon]:
    """A client follows a log that grows quickly, and reads nothing."""
    config = program("flood", child("flood", 10_000_000), "stdout_logfile=%(here)s/log")
    with Daemon(directory, config) as daemon, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(daemon.socket_path))
        client.sendall(b"GET /logtail/flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"
        yield daemon


@contextmanager
def lagging_output(directory: Path) -> Iterator[Daemon]:
    """A program logs to the daemon's own standard output, a pipe whose reader is busy."""
    command = child("flood", 1_000_000)
    config = program("flood", command, "stdout_logfile=/dev/stdout", "stdout_logfile_maxbytes=0")
    os.mkfifo(directory / "pipe")
    reader = os.open(directory / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    within = ("sh", "-c", 'exec "$@" > pipe', "sh")
    try:
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
        with Daemon(directory, config, within=within) as daemon:
            daemon.wait_for_state("flood", "RUNNING")
            yield daemon
    finally:
        os.close(reader)


@contextmanager
def many_backups(directory: Path) -> Iterator[Daemon]:
    """A log is rotated all the time; it has ten thousand backups, and may have a million."""
    for number in range(1, 10_001):
        (directory / f"log.{number}").touch()
    options = ("stdout_logfile_maxbytes=1MB", "stdout_logfile_backups=1000000")
    command = child("flood", 500_000, 100)
    config = program("flood", command, "stdout_logfile=%(here)s/log", *options)
    with Daemon(directory, config) as daemon:
        yield daemon


SURROUNDINGS: tuple[Callable[[Path], AbstractContextManager[Daemon]], ...] = (
    dead_directory,
    dead_link,
    dead_executable,
    dead_interpreter,
    dead_path,
    dead_env_file,
    slow_directory_service,
    lease_on_the_executable,
    lease_on_the_interpreter,
    fifo_as_log,
    full_disk,
    lagging_reader,
    lagging_output,
    many_backups,
)


@pytest.mark.parametrize("surroundings", SURROUNDINGS, ids=lambda made: made.__name__)
def test_the_daemon_answers(
    directory: Path, surroundings: Callable[[Path], AbstractContextManager[Daemon]]
) -> None:
    with surroundings(directory) as daemon:
        for _ in range(QUESTIONS):
            assert answer(daemon)
        assert daemon.ctl("status").stdout.split()[0] in answer(daemon)
        began = time.monotonic()
        daemon.signal(signal.SIGTERM)
        daemon.wait_for_exit()
        assert time.monotonic() - began < END_SECONDS


@pytest.mark.parametrize("surroundings", SURROUNDINGS[:6], ids=lambda made: made.__name__)
def test_a_start_that_waits_can_be_stopped(
    directory: Path, surroundings: Callable[[Path], AbstractContextManager[Daemon]]
) -> None:
    """Also one that a client waits for, who hears of it."""
    with surroundings(directory) as daemon:
        assert daemon.rpc.supervisor.stopProcess("waits")
        assert daemon.info("waits")["statename"] == "STOPPED"
        supervisorctl = daemon.implementation.command("supervisorctl")
        client = subprocess.Popen(
            [*supervisorctl, "-c", daemon.config_path, "start", "waits"],
            stdout=subprocess.PIPE,
            cwd=directory,
            env=daemon.environment,
        )
        daemon.wait_for_state("waits", "STARTING")
        assert daemon.rpc.supervisor.stopProcess("waits")
        assert client.communicate(timeout=20)[0] == b"waits: ERROR (abnormal termination)\n"
        assert client.returncode == 7
        assert "spawned: 'waits'" not in daemon.log_text()
        assert "exited: waits" not in daemon.log_text()


def test_a_lease_is_the_reason(directory: Path) -> None:
    with lease_on_the_executable(directory) as daemon:
        reason = f"couldn't exec {directory}/program: EAGAIN (a lease is held on the file)"
        assert daemon.info("own")["spawnerr"] == reason
        said = Path(daemon.info("own")["stderr_logfile"]).read_text(encoding="utf-8")
        assert said.startswith(f"supervisor: {reason}\nsupervisor: child process was not spawned\n")
        assert f"spawnerr: {reason}" in daemon.log_text()


def test_a_reload_while_a_start_waits(directory: Path) -> None:
    with dead_directory(directory) as daemon:
        assert daemon.rpc.supervisor.restart()
        daemon.wait_for_start(2)
        daemon.wait_for_state("waits", "STARTING")
        daemon.wait_for_state("good", "RUNNING")


def test_nothing_of_the_daemon_is_held_by_a_start_that_waits(directory: Path) -> None:
    """A connection that it kept open would never end for its client."""
    with dead_directory(directory) as daemon:
        pid = daemon.info("waits")["pid"]
        fds = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        assert fds == {0, 1, 2, 3}
        kinds = {os.readlink(f"/proc/{pid}/fd/{fd}").partition(":")[0] for fd in fds}
        assert kinds == {"pipe"}
