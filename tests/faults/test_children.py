"""Children: none is lost, none is started twice, none stays behind."""

from __future__ import annotations

import os
import signal
import sys
import xmlrpc.client
from pathlib import Path

import pytest

from supervisor.common.faults import Faults
from tests.support import proctable
from tests.support.children import child
from tests.support.daemon import Daemon, Implementation
from tests.support.waiting import wait_until

PR_SET_CHILD_SUBREAPER = 36

# Becomes the one to whom orphans go, as PID 1 of a container is, and then the daemon.
REAPER = f"""
import ctypes, runpy, sys
ctypes.CDLL(None).prctl({PR_SET_CHILD_SUBREAPER}, 1)
module = sys.argv[1]
del sys.argv[1]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def test_five_hundred_that_are_killed_at_once_come_back_once_each(directory: Path) -> None:
    config = """
minfds=4096
[program:many]
command=/bin/sleep 1000
process_name=%(process_num)03d
numprocs=500
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
"""
    with Daemon(directory, config) as daemon:

        def running() -> set[int]:
            infos = daemon.rpc.supervisor.getAllProcessInfo()
            assert isinstance(infos, list)
            return {info["pid"] for info in infos if info["statename"] == "RUNNING"}

        before = wait_until(lambda: pids if len(pids := running()) == 500 else None, 30)
        assert before is not None
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        after = wait_until(
            lambda: pids if len(pids := running()) == 500 and not pids & before else None, 30
        )
        assert after is not None
        children = {row.pid for row in proctable.children(daemon.pid)}
        assert children == after
        assert daemon.log_text().count("spawned:") == 1000


def test_nothing_of_a_killed_group_survives(directory: Path) -> None:
    """The leader obeys at once, its child never; `killasgroup` means both."""
    config = f"""
[program:family]
command={child("parent", directory / "kin")}
killasgroup=true
stopwaitsecs=1
startsecs=0
"""
    with Daemon(directory, config) as daemon:
        kin = int(wait_until(lambda: daemon.text("kin")))
        assert daemon.rpc.supervisor.stopProcess("family")
        wait_until(lambda: not proctable.is_alive(kin))


def test_nothing_of_a_killed_group_survives_the_daemon(directory: Path) -> None:
    """It does not wait for the time to be over."""
    config = f"""
[program:family]
command={child("parent", directory / "kin")}
killasgroup=true
stopwaitsecs=600
startsecs=0
"""
    with Daemon(directory, config) as daemon:
        kin = int(wait_until(lambda: daemon.text("kin")))
    assert not proctable.is_alive(kin)


def test_a_crash_looping_group_is_stopped(directory: Path) -> None:
    """Also the one that has just died and would be started again in a moment."""
    config = f"""
[program:crash]
command={child("exits", 1)}
startsecs=0
process_name=%(process_num)d
numprocs=5
[program:clock]
command={child("exits", 1)}
startsecs=0
"""
    with Daemon(directory, config) as daemon:
        crashed = daemon.info
        wait_until(lambda: all(crashed(f"crash:{n}")["statename"] == "EXITED" for n in range(5)))
        results = daemon.rpc.supervisor.stopProcessGroup("crash")
        assert isinstance(results, list)
        assert {result["description"] for result in results} <= {"OK"}
        starts = [crashed(f"crash:{n}")["start"] for n in range(5)]
        seen = daemon.log_text().count("spawned: 'clock'")
        # Two more starts of the other take longer than one of these would.
        wait_until(lambda: daemon.log_text().count("spawned: 'clock'") >= seen + 2, 20)
        assert [crashed(f"crash:{n}")["start"] for n in range(5)] == starts
        assert daemon.rpc.supervisor.startProcess("crash:0", False)


def test_a_stopped_child_is_killed_in_the_end(directory: Path) -> None:
    """SIGSTOP keeps SIGTERM from acting, not SIGKILL."""
    config = f"""
[program:frozen]
command={child("sleeper")}
startsecs=0
stopwaitsecs=1
"""
    with Daemon(directory, config) as daemon:
        pid = daemon.wait_for_state("frozen", "RUNNING")["pid"]
        os.kill(pid, signal.SIGSTOP)
        assert daemon.rpc.supervisor.stopProcess("frozen")
        assert not proctable.is_alive(pid)


def test_every_orphan_is_reaped(directory: Path) -> None:
    """As PID 1 of a container: thousands that nobody knows."""
    config = """
[program:makes-orphans]
command=/bin/sh -c "for i in $(seq 3000); do (sleep 0.1 &); done; exec sleep 1000"
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
"""
    reaper = Implementation("ours", (sys.executable, "-c", REAPER, "supervisor."))
    with Daemon(directory, config, implementation=reaper) as daemon:
        wait_until(lambda: daemon.log_text().count("reaped unknown pid") == 3000, 50)
        (only,) = proctable.children(daemon.pid)
        assert only.pid == daemon.info("makes-orphans")["pid"]


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        (b"#!/bin/sh\n", 0o600, "is not executable"),
        (b"#!/nonexistent/shell\n", 0o755, "ENOENT"),
        (b"\x7fELF rubbish", 0o755, "ENOEXEC"),
        (Path("/bin/sleep").read_bytes(), 0o755, "ETXTBSY"),
    ],
    ids=["no permission", "no interpreter", "no program", "busy"],
)
def test_a_program_that_cannot_be_executed(
    directory: Path, content: bytes, mode: int, reason: str
) -> None:
    """Its status tells why."""
    path = directory / "program"
    config = f"""
[program:cannot]
command={path} 1000
startretries=0
"""
    with path.open("wb") as file:  # open for writing, it is busy
        file.write(content)
        file.flush()
        path.chmod(mode)
        if reason == "ETXTBSY":
            with Daemon(directory, config) as daemon:
                assert reason in daemon.wait_for_state("cannot", "FATAL")["spawnerr"]
            return
    with Daemon(directory, config) as daemon:
        assert reason in daemon.wait_for_state("cannot", "FATAL")["spawnerr"]


def test_a_shutdown_while_programs_start(directory: Path) -> None:
    config = f"""
[program:slow]
command={child("sleeper")}
startsecs=600
process_name=%(process_num)d
numprocs=10
"""
    with Daemon(directory, config) as daemon:
        daemon.wait_for_log("spawned: '9'")  # STARTING may mean that its turn is still to come
        assert daemon.info("slow:9")["statename"] == "STARTING"
    assert daemon.log_text().count("stopped: ") == 10


def test_two_reloads_in_a_row(directory: Path) -> None:
    """SIGHUP, and another one at once: one daemon, one of each child."""
    config = f"""
[program:one]
command={child("sleeper")}
startsecs=0
"""
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("one", "RUNNING")
        daemon.signal(signal.SIGHUP)
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_start(2)
        daemon.wait_for_state("one", "RUNNING")
        assert len(proctable.children(daemon.pid)) == 1


def test_updates_while_programs_crash(directory: Path) -> None:
    """Groups come, change and go while all of them die again and again."""

    def config(count: int) -> str:
        return f"""
[program:crash]
command={child("exits", 1, 0.2)} {count}
process_name=%(process_num)d
numprocs={count}
startsecs=0
[program:only{count}]
command={child("exits", 1, 0.2)}
startsecs=0
[program:stays]
command={child("sleeper")}
startsecs=0
"""

    with Daemon(directory, config(1)) as daemon:
        stays = daemon.wait_for_state("stays", "RUNNING")["pid"]
        for count in (3, 5, 2, 4, 1, 3):
            daemon.write_config(config(count))
            result = daemon.ctl("update")
            assert result.returncode == 0, result.stdout
            infos = daemon.rpc.supervisor.getAllProcessInfo()
            assert isinstance(infos, list)
            expected = {f"only{count}", "stays", *map(str, range(count))}
            assert {info["name"] for info in infos} == expected
            daemon.wait_for_state(f"crash:{count - 1}", "RUNNING")
        for group in ("crash", "only3"):
            daemon.rpc.supervisor.stopProcessGroup(group)
        assert [row.pid for row in proctable.children(daemon.pid)] == [stays]
        assert "Traceback" not in daemon.log_text()


def test_a_program_that_never_reads_its_stdin(directory: Path) -> None:
    """What waits for it is bounded, and a call that is refused leaves nothing behind."""
    config = f"[program:deaf]\ncommand={child('sleeper')}\nstartsecs=0\n"
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("deaf", "RUNNING")

        def send() -> None:
            for _ in range(8):
                daemon.rpc.supervisor.sendProcessStdin("deaf", "x" * 1_000_000)

        with pytest.raises(xmlrpc.client.Fault) as caught:
            send()
        assert caught.value.faultCode == Faults.FAILED
        assert "deaf does not read its stdin" in caught.value.faultString
        assert daemon.info("deaf")["statename"] == "RUNNING"
