"""Daemons that execute themselves, in all their surroundings: nothing of these changes."""

from __future__ import annotations

import os
import signal
import socket
import xmlrpc.client
from pathlib import Path

import pytest

from tests.support import proctable
from tests.support.containers import running
from tests.support.daemon import Daemon
from tests.support.meddler import SECTION as MEDDLER
from tests.support.ports import free_port
from tests.support.strangers import UID, needs_root
from tests.support.transport import proxy
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]

TWO = """
[program:before]
command=/bin/sleep 1000
startsecs=0
[program:after]
command=/bin/sleep 1000
autostart=false
startsecs=0
"""

LEAVER = """
[program:leaver]
command=/bin/sh -c "(sleep 1000 & echo $! >orphan.new; mv orphan.new orphan); exec sleep 1000"
directory=%(here)s
autostart=false
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
"""

ORPHANS = """
[program:leaver]
command=/bin/sh -c "(sleep 0.3 &); exec sleep 1000"
autostart=false
startsecs=0
"""


def replace(daemon: Daemon, number: int = 1) -> None:
    """Replace the daemon, and wait until it responds."""
    assert daemon.rpc.supervisor.reexec() is True
    wait_until(lambda: daemon.log_text().count("INFO resumed ") == number, what=daemon.log_text)
    daemon.close_rpc()


def traits(pid: int) -> dict[str, object]:
    """Return what a process inherits from its parent and from the way in which it is started."""
    environment = proctable.environment(pid)
    environment.pop("SUPERVISOR_PROCESS_NAME", None)
    environment.pop("SUPERVISOR_GROUP_NAME", None)
    return {
        **proctable.status_fields(pid),
        "limits": proctable.limits(pid),
        "environment": environment,
        "directory": os.readlink(f"/proc/{pid}/cwd"),
        "session": os.getsid(pid),
    }


def check(daemon: Daemon) -> None:
    """Fail unless a reexec changes nothing of the daemon, and of programs started later."""
    pid = daemon.pid
    started = daemon.wait_for_state("before", "RUNNING")["pid"]
    own = own_traits(pid)
    for number in (1, 2):
        replace(daemon, number)
        assert own_traits(pid) == own
    assert daemon.info("before")["pid"] == started
    daemon.rpc.supervisor.startProcess("after")
    later = daemon.wait_for_state("after", "RUNNING")["pid"]
    wait_until(lambda: os.readlink(f"/proc/{later}/exe") == os.readlink(f"/proc/{started}/exe"))
    assert traits(later) == traits(started)
    assert proctable.shared_fds(later, pid) == set()
    daemon.rpc.supervisor.stopProcess("after")
    assert own_traits(pid) == own
    for text in (daemon.log_text(), daemon.output_text()):
        assert "Traceback" not in text, text


def own_traits(pid: int) -> dict[str, object]:
    """Return the traits of the daemon, and its open files except connections of clients."""
    found = traits(pid)
    del found["environment"]
    files = [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()]
    kept = [each for each in files if not each.startswith(("socket:", "/proc/"))]
    return {**found, "files": sorted(kept), "owner": os.stat(f"/proc/{pid}/environ").st_uid}


@pytest.mark.parametrize("arguments", [("-n",), ()], ids=["foreground", "background"])
def test_in_the_foreground_and_in_the_background(
    directory: Path, arguments: tuple[str, ...]
) -> None:
    """With a relative `-c`, another current directory, another umask and raised limits."""
    options = "directory=/usr\numask=027\nminfds=1500\nminprocs=300\nenvironment=COLOUR=blue\n"
    within = ("sh", "-c", 'ulimit -Sn 1100; exec "$1" "$2" "$3" -c supervisord.conf $6', "sh")
    with Daemon(directory, f"{options}{TWO}", arguments=arguments, within=within) as daemon:
        check(daemon)
        assert daemon.pid_path.read_text() == f"{daemon.pid}\n"
        assert "SUPERVISOR_RESUME" not in proctable.environment(daemon.info("before")["pid"])


def test_after_its_directory_has_been_removed(directory: Path) -> None:
    """Deployments remove old releases, in one of which the daemon may have been started."""
    release = directory / "release"
    release.mkdir()
    within = ("sh", "-c", f'cd {release}; exec "$@"', "sh")
    with Daemon(directory, TWO, within=within) as daemon:
        daemon.wait_for_state("before", "RUNNING")
        release.rmdir()
        replace(daemon)
        assert daemon.info("before")["statename"] == "RUNNING"


@needs_root
def test_as_another_user(directory: Path) -> None:
    """Files that only root may read can no longer be read: that is a reason to refuse."""
    os.chown(directory, UID, UID)
    daemon = Daemon(directory, f"user={UID}\n{TWO}")
    with daemon:
        with pytest.raises(xmlrpc.client.Fault) as caught:
            daemon.rpc.supervisor.reexec()
        assert "supervisord.conf: Permission denied" in caught.value.faultString
        os.chown(daemon.config_path, UID, UID)
        check(daemon)


@needs_root
def test_as_a_user_who_may_not_enter_the_directory_of_the_start(directory: Path) -> None:
    """For example root's home directory, where an administrator has typed the command."""
    start = directory / "start"
    start.mkdir(mode=0o700)
    within = ("sh", "-c", f'cd {start}; exec "$@"', "sh")
    daemon = Daemon(directory, f"user={UID}\n{TWO}", within=within)
    os.chown(directory, UID, UID)
    os.chown(daemon.config_path, UID, UID)
    with daemon:
        check(daemon)


@needs_root
def test_as_pid_1(directory: Path) -> None:
    """It goes on to reap the orphans of its programs."""
    config = f"""
[supervisord]
[unix_http_server]
file={directory}/s.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
{TWO}{ORPHANS}"""
    with running(directory, config, "--container") as started:
        started.wait_for("success: before entered RUNNING")
        pid = started.main_process().pid
        (program,) = proctable.children(pid)
        own = own_traits(pid)
        for number in (1, 2):
            rpc = proxy(str(directory / "s.sock"))
            assert rpc.supervisor.reexec() is True
            wait_until(lambda number=number: started.text().count("INFO resumed ") == number)
            rpc("close")()
        assert own_traits(pid) == own
        assert proctable.children(pid) == [program]
        rpc = proxy(str(directory / "s.sock"))
        assert rpc.supervisor.getPID() == 1
        rpc.supervisor.startProcess("leaver")
        rpc.supervisor.stopProcess("leaver")
        rpc.supervisor.startProcess("after")
        rpc("close")()
        wait_until(lambda: len(proctable.children(pid)) == 2, what=started.text)
        assert "Traceback" not in started.text()
        started.signal(signal.SIGTERM)
        assert started.wait() == 0


def test_as_a_subreaper(directory: Path) -> None:
    """It goes on to adopt orphans and to reap them, until the option is gone."""
    with Daemon(directory, f"subreaper=true\n{TWO}{LEAVER}") as daemon:
        check(daemon)
        orphan = orphan_of(daemon)
        assert orphan.parent == daemon.pid
        os.kill(orphan.pid, signal.SIGKILL)
        wait_until(lambda: proctable.status(orphan.pid) is None)
        keep(daemon, f"{TWO}{LEAVER}")
        orphan = orphan_of(daemon)
        assert orphan.parent != daemon.pid
        os.kill(orphan.pid, signal.SIGKILL)


def orphan_of(daemon: Daemon) -> proctable.ProcessStatus:
    """Start the program that leaves an orphan, and return this."""
    path = daemon.directory / "orphan"
    path.unlink(missing_ok=True)
    daemon.rpc.supervisor.startProcess("leaver")
    leaver = daemon.info("leaver")["pid"]
    wait_until(path.exists)
    pid = int(path.read_text())

    wait_until(lambda: len(proctable.children(leaver)) == 0)
    daemon.rpc.supervisor.stopProcess("leaver")
    found = proctable.status(pid)
    assert found is not None
    return found


def test_under_systemd(directory: Path) -> None:
    """The service manager hears of a reload; the main process stays the same."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(directory / "notify"))
        manager.settimeout(20)
        environment = {"NOTIFY_SOCKET": str(directory / "notify")}
        with Daemon(directory, TWO, environment=environment) as daemon:
            assert manager.recv(1000).startswith(b"READY=1\n")
            for number in (1, 2):
                replace(daemon, number)
                reloading, usec, *_ = manager.recv(1000).split(b"\n")
                assert reloading == b"RELOADING=1"
                assert usec.removeprefix(b"MONOTONIC_USEC=").isdigit()
                assert manager.recv(1000).startswith(b"READY=1\n")
            pid = daemon.info("before")["pid"]
            assert "NOTIFY_SOCKET" not in proctable.environment(pid)
        assert manager.recv(1000).startswith(b"STOPPING=1\n")


def test_a_reload_that_follows_at_once(directory: Path) -> None:
    """Garbage is collected again, though the daemon has resumed without."""
    found = directory / "found"
    with Daemon(directory, f"{TWO}{MEDDLER}", environment={"PYTHONPATH": str(ROOT)}) as daemon:
        replace(daemon)
        daemon.rpc.supervisor.restart()
        wait_until(lambda: daemon.log_text().count("supervisord started with pid") == 2)
        daemon.close_rpc()
        code = f"import gc; open({str(found)!r}, 'w').write(str(gc.isenabled()))"
        daemon.rpc.meddler.run(code)
        assert found.read_text() == "True"


# -- changed settings -----------------------------------------------------------------


def keep(daemon: Daemon, config: str) -> str:
    """Apply a changed configuration by `reload --keep`; return the new lines of the log."""
    before = len(daemon.log_text())
    number = daemon.log_text().count("INFO resumed ") + 1
    daemon.write_config(config)
    done = daemon.ctl("reload", "--keep")
    assert done.returncode == 0, done
    wait_until(lambda: daemon.log_text().count("INFO resumed ") == number, what=daemon.log_text)
    daemon.close_rpc()
    return daemon.log_text()[before:]


def test_changed_settings_are_applied(directory: Path) -> None:
    with Daemon(directory, TWO) as daemon:
        pid = daemon.wait_for_state("before", "RUNNING")["pid"]
        keep(daemon, f"loglevel=debug\n{TWO}")
        assert " DEBG " in daemon.log_text()
        keep(daemon, f"identifier=other\npidfile={directory}/other.pid\n{TWO}")
        assert daemon.rpc.supervisor.getIdentification() == "other"
        assert daemon.text("other.pid") == f"{daemon.pid}\n"
        assert not daemon.pid_path.exists()
        warned = keep(daemon, f"umask=077\ndirectory=/usr\nuser=0\n{TWO}")
        text = (
            "WARN options of [supervisord] have changed that only its start applies:"
            " user, directory, umask\n"
        )
        assert text in warned
        assert text not in keep(daemon, f"umask=077\ndirectory=/usr\nuser=0\n{TWO}")
        assert daemon.pid_path.exists()
        assert daemon.info("before")["pid"] == pid


def test_another_activity_log(directory: Path) -> None:
    """One that cannot be opened is refused by the check, as any other mistake."""
    with Daemon(directory, TWO) as daemon:
        pid = daemon.wait_for_state("before", "RUNNING")["pid"]
        daemon.write_config(f"logfile={directory}/other.log\n{TWO}")
        assert daemon.rpc.supervisor.reexec() is True
        daemon.wait_for_text("other.log", "INFO resumed 1 process")
        daemon.close_rpc()
        daemon.write_config(f"logfile={directory}/missing/x.log\n{TWO}")
        done = daemon.ctl("reload", "--keep")
        assert done.returncode == 1
        assert "missing" in done.stdout
        assert daemon.info("before")["pid"] == pid
        daemon.write_config(TWO)
        assert daemon.ctl("reload", "--keep").returncode == 0


def test_the_pid_file_of_another_daemon_is_left_alone(directory: Path) -> None:
    folders = directory / "one", directory / "other"
    for folder in folders:
        folder.mkdir()
    with Daemon(folders[0], TWO) as daemon, Daemon(folders[1], TWO) as other:
        text = keep(daemon, f"pidfile={other.pid_path}\n{TWO}")
        assert f"CRIT Another supervisord (pid {other.pid}) holds the pid file" in text
        assert other.pid_path.read_text() == f"{other.pid}\n"
        assert not daemon.pid_path.exists()
        keep(daemon, TWO)
        assert daemon.pid_path.read_text() == f"{daemon.pid}\n"


def test_changed_servers_are_opened_and_others_closed(directory: Path) -> None:
    with Daemon(directory, TWO) as daemon:
        pid = daemon.wait_for_state("before", "RUNNING")["pid"]
        identity = os.stat(daemon.socket_path).st_ino
        ports = free_port(), free_port()
        for port in ports:
            keep(daemon, f"{TWO}[inet_http_server]\nport=127.0.0.1:{port}\n")
            with socket.create_connection(("127.0.0.1", port), 5):
                pass
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", ports[0]), 5)
        keep(daemon, f"{TWO}[inet_http_server]\nport=127.0.0.1:{ports[1]}\nusername=a\npassword=b")
        with pytest.raises(xmlrpc.client.ProtocolError) as refused:
            xmlrpc.client.ServerProxy(f"http://127.0.0.1:{ports[1]}").supervisor.getState()
        assert refused.value.errcode == 401
        keep(daemon, TWO)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", ports[1]), 5)
        assert os.stat(daemon.socket_path).st_ino == identity
        text = daemon.config_path.read_text()
        daemon.config_path.write_text(text.replace("s.sock\n[rpc", "s.sock\nchmod=0770\n[rpc"))
        assert daemon.ctl("reload", "--keep").returncode == 0
        assert os.stat(daemon.socket_path).st_mode & 0o777 == 0o770
        assert sorted(path.name for path in directory.glob("s.sock*")) == ["s.sock"]
        assert daemon.info("before")["pid"] == pid


def test_another_unix_socket(directory: Path) -> None:
    """The client that asks for it does not know the new one: it says where it has looked."""
    with Daemon(directory, TWO) as daemon:
        pid = daemon.wait_for_state("before", "RUNNING")["pid"]
        text = daemon.config_path.read_text()
        daemon.config_path.write_text(text.replace("s.sock", "t.sock"))
        done = daemon.ctl("-s", f"unix://{directory}/s.sock", "reload", "--keep")
        assert done.returncode == 1
        assert f"unix://{directory}/s.sock" in done.stdout
        assert not daemon.socket_path.exists()
        assert f"RUNNING   pid {pid}" in daemon.ctl("status", "before").stdout
        daemon.socket_path = directory / "t.sock"
        daemon.close_rpc()
