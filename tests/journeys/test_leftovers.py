"""Journey: a daemon is killed, and the next one finds its state file and its processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import proctable
from tests.support.daemon import Daemon
from tests.support.namespaces import private_mounts
from tests.support.strangers import needs_root
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.slow

SLEEPER = "command=sleep 1000\nstartsecs=0\nautorestart=true\n"
"""Without output: it would die of the closed pipe if its daemon is killed before it writes."""

STUBBORN = "sh -c 'trap \"\" TERM; echo >%(here)s/ready; while :; do sleep 0.1; done'"

FAMILY = "sh -c 'sleep 1000 & echo $! >%(here)s/member; wait'"


def settings(leftovers: str) -> str:
    return f"statefile=%(here)s/state\nleftovers={leftovers}\n"


def saved(daemon: Daemon) -> dict[str, Any]:
    """Return the state file, with the processes by name."""
    found = json.loads(daemon.text("state") or '{"processes": []}')
    return {**found, "processes": {each["name"]: each for each in found["processes"]}}


def save(daemon: Daemon, state: Mapping[str, Any], **values: Any) -> None:
    """Write the state file, with other values for each process."""
    processes = [each | values for each in state["processes"].values()]
    text = json.dumps({**state, "processes": processes})
    (daemon.directory / "state").write_text(text, encoding="utf-8")


def kill(daemon: Daemon, *names: str) -> list[int]:
    """Kill a daemon once its file has the processes with these names; return their pids."""
    pids = [daemon.wait_for_state(name, "RUNNING")["pid"] for name in names]

    def is_saved() -> bool:
        processes = saved(daemon)["processes"]
        return [processes.get(name, {}).get("pid") for name in names] == pids

    wait_until(is_saved)
    daemon.close_rpc()
    daemon.signal(signal.SIGKILL)
    daemon.wait_for_exit()
    return pids


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that no daemon has started."""
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def test_leftovers_are_stopped_before_their_programs_start(directory: Path) -> None:
    programs = f"""\
{settings("kill")}
[program:web]
{SLEEPER}
[program:stubborn]
command={STUBBORN}
stopwaitsecs=2
startsecs=0
[program:manual]
{SLEEPER}
autostart=false
"""
    with Daemon(directory, programs) as daemon:
        daemon.rpc.supervisor.startProcess("manual")
        daemon.wait_for_text("ready", "\n")
        pids = kill(daemon, "web", "stubborn", "manual")
        daemon.start()
        info = daemon.info("stubborn")
        assert (info["statename"], info["description"]) == (
            "STOPPED",
            f"waiting for pid {pids[1]} of an earlier supervisord (stopping)",
        )
        status = daemon.ctl("status", "stubborn").stdout
        assert f"waiting for pid {pids[1]} of an earlier supervisord (stopping)" in status
        assert daemon.wait_for_state("web", "RUNNING")["pid"] != pids[0]
        assert proctable.is_alive(pids[1])
        assert daemon.rpc.supervisor.getProcessDetails("stubborn")["waiting_for"]
        daemon.wait_for_state("stubborn", "RUNNING")
        wait_until(lambda: not any(map(proctable.is_alive, pids)))
        assert daemon.info("manual")["statename"] == "STOPPED"
        assert daemon.rpc.supervisor.startProcess("manual") is True
        log = daemon.log_text()
        left = "which an earlier supervisord has left"
        assert f"WARN stopping 'web' (pid {pids[0]}), {left}" in log
        assert f"WARN killing 'stubborn' ({pids[1]}) with SIGKILL" in log
        assert f"INFO stopped: stubborn (pid {pids[1]}), {left}" in log


def test_many_leftovers_are_stopped_in_turn(directory: Path) -> None:
    numbered = "process_name=%(program_name)s_%(process_num)d\nnumprocs=60\n"
    programs = f"{settings('kill')}[program:web]\n{SLEEPER}{numbered}"
    with Daemon(directory, programs) as daemon:
        pids = kill(daemon, *(f"web:web_{number}" for number in range(60)))
        daemon.start()
        for number in range(60):
            assert daemon.wait_for_state(f"web:web_{number}", "RUNNING")["pid"] not in pids
        assert not any(map(proctable.is_alive, pids))
        assert daemon.log_text().count("INFO stopped: web:web_") == 60


def test_a_whole_process_group_is_stopped(directory: Path) -> None:
    programs = f"{settings('kill')}[program:family]\ncommand={FAMILY}\nstopasgroup=true\n"
    with Daemon(directory, f"{programs}startsecs=0\n") as daemon:
        member = int(daemon.wait_for_text("member", "\n"))
        (leader,) = kill(daemon, "family")
        (directory / "member").unlink()
        daemon.start()
        daemon.wait_for_state("family", "RUNNING")
        assert not proctable.is_alive(leader)
        assert not proctable.is_alive(member)


def test_a_program_that_was_removed_is_stopped_too(directory: Path) -> None:
    programs = f"{settings('kill')}[program:web]\n{SLEEPER}[program:old]\n{SLEEPER}"
    with Daemon(directory, programs) as daemon:
        pids = kill(daemon, "web", "old")
        daemon.write_config(f"{settings('kill')}[program:web]\n{SLEEPER}")
        daemon.start()
        wait_until(lambda: not any(map(proctable.is_alive, pids)))
        wait_until(lambda: list(saved(daemon)["processes"]) == ["web"])


def test_a_daemon_that_is_killed_again_leaves_nothing_behind(directory: Path) -> None:
    """The processes that it was stopping are still in the file."""
    programs = f"{settings('kill')}[program:x]\ncommand={STUBBORN}\nautorestart=false\n"
    with Daemon(directory, f"{programs}startsecs=0\nstopwaitsecs=60\n") as daemon:
        daemon.wait_for_text("ready", "\n")
        (pid,) = kill(daemon, "x")
        daemon.start()
        wait_until(lambda: saved(daemon)["daemon"]["pid"] == daemon.pid)
        assert saved(daemon)["processes"]["x"]["pid"] == pid
        daemon.close_rpc()
        daemon.signal(signal.SIGKILL)
        daemon.wait_for_exit()
        state = saved(daemon)
        save(daemon, state, stopwaitsecs=0)
        daemon.start()
        new = daemon.wait_for_state("x", "RUNNING")["pid"]
        assert new != pid
        assert not proctable.is_alive(pid)
        os.kill(new, signal.SIGKILL)  # it would take a minute to stop


def test_ignored_leftovers_are_reported(directory: Path) -> None:
    programs = f"{settings('ignore')}[program:web]\n{SLEEPER}"
    with Daemon(directory, programs) as daemon:
        (pid,) = kill(daemon, "web")
        daemon.start()
        text = f"'web' (pid {pid}) is still running, which an earlier supervisord has left"
        daemon.wait_for_log(f"WARN {text} (fix: leftovers=kill)")
        assert daemon.wait_for_state("web", "RUNNING")["pid"] != pid
        assert proctable.is_alive(pid)
        os.kill(pid, signal.SIGKILL)


STRANGERS: dict[str, dict[str, Any]] = {
    "a pid that has been reused": {"started": -1},
    "another machine, or an earlier boot": {"machine": "another one"},
    "an unknown machine": {"machine": ""},
    "no start time": {"started": None},
    "no such process": {"pid": 2**22 - 1},
    "no stop signal": {"stopsignal": 0},
}


def test_no_stranger_is_signalled(directory: Path, stranger: subprocess.Popen[bytes]) -> None:
    """Each time the file names a stranger in some way, and one real leftover."""
    programs = f"{settings('kill')}[program:web]\n{SLEEPER}"
    stat = Path(f"/proc/{stranger.pid}/stat").read_text(encoding="ascii")
    started = int(stat.rpartition(")")[2].split()[19])
    with Daemon(directory, programs) as daemon:
        for case, changes in STRANGERS.items():
            (pid,) = kill(daemon, "web")
            state = saved(daemon)
            values = {"pid": stranger.pid, "started": started, **changes}
            state["machine"] = values.pop("machine", state["machine"])
            if changes.get("started"):
                values["started"] += started
            save(daemon, state, **values)
            daemon.start()
            daemon.wait_for_state("web", "RUNNING")
            assert stranger.poll() is None, case
            assert proctable.is_alive(pid)
            os.kill(pid, signal.SIGKILL)
        # A file that names it rightly does reach it: the cases above differ from this one alone.
        (pid,) = kill(daemon, "web")
        save(daemon, saved(daemon), pid=stranger.pid, started=started)
        daemon.start()
        assert stranger.wait(10) == -signal.SIGTERM
        os.kill(pid, signal.SIGKILL)


@needs_root
def test_a_leftover_that_cannot_be_signalled(
    directory: Path, stranger: subprocess.Popen[bytes]
) -> None:
    """A daemon that has become another user may not stop a process of root."""
    directory.chmod(0o777)
    os.chown(directory, 65534, 65534)
    options = f"user=65534\n{settings('kill')}"
    with Daemon(directory, f"{options}[program:web]\n{SLEEPER}") as daemon:
        (pid,) = kill(daemon, "web")
        stat = Path(f"/proc/{stranger.pid}/stat").read_text(encoding="ascii")
        state = saved(daemon)
        save(daemon, state, pid=stranger.pid, started=int(stat.rpartition(")")[2].split()[19]))
        daemon.start()
        daemon.wait_for_state("web", "RUNNING")
        text = f"cannot stop 'web' (pid {stranger.pid}): Operation not permitted"
        assert f"CRIT {text}" in daemon.log_text()
        os.kill(pid, signal.SIGKILL)


# -- what is remembered ------------------------------------------------------------------------


REMEMBERING = (
    f"statefile=%(here)s/state\n[program-default]\nautostart=remember\n"
    f"[program:web]\n{SLEEPER}[program:db]\n{SLEEPER}"
)


def test_a_stop_outlives_restart_reload_and_kill(directory: Path) -> None:
    with Daemon(directory, REMEMBERING) as daemon:
        daemon.wait_for_state("db", "RUNNING")
        daemon.rpc.supervisor.stopProcess("web")
        wait_until(lambda: saved(daemon)["processes"].get("web", {}).get("stopped"))

        def states() -> tuple[str, str]:
            daemon.wait_for_state("db", "RUNNING")
            return daemon.info("web")["statename"], daemon.info("web")["description"]

        daemon.rpc.supervisor.restart()
        daemon.wait_for_start(2)
        assert states() == ("STOPPED", "Not started")
        daemon.close_rpc()
        daemon.stop()
        daemon.start()
        assert states() == ("STOPPED", "Not started")
        text = "INFO web stays stopped, as requested before supervisord was started"
        assert daemon.log_text().count(text) == 2
        (pid,) = kill(daemon, "db")
        os.kill(pid, signal.SIGKILL)
        daemon.start()
        assert states() == ("STOPPED", "Not started")
        assert daemon.rpc.supervisor.startProcess("web") is True
        details: Any = daemon.rpc.supervisor.getProcessDetails("db")
        assert (details["starts"], details["restarts"]) == (4, 0)
        daemon.close_rpc()
        daemon.stop()
        assert saved(daemon)["processes"]["web"]["stopped"] is False
        daemon.start()
        daemon.wait_for_state("web", "RUNNING")


CONTENTS = {
    "broken": ("{", "it is not complete JSON"),
    "of a newer version": ('{"format": 99}', "its format 99 is that of a newer version"),
    "of no version": ("[]", "it has no format number"),
}


def test_files_that_cannot_be_read(directory: Path) -> None:
    daemon = Daemon(directory, REMEMBERING)
    for contents, reason in CONTENTS.values():
        (directory / "state").write_text(contents, encoding="utf-8")
        with daemon:
            daemon.wait_for_state("web", "RUNNING")
            text = f"WARN the state file {directory}/state is ignored: {reason}"
            daemon.wait_for_log(text)
        assert set(saved(daemon)["processes"]) == {"web", "db"}


@needs_root
def test_a_file_on_a_full_disk(directory: Path) -> None:
    disk = directory / "disk"
    disk.mkdir()
    setup = (
        f"mount -t tmpfs -o size=64k,mode=700 tmpfs {disk}\n"
        f"head -c 1000000 /dev/zero >{disk}/full 2>/dev/null"
    )
    programs = REMEMBERING.replace("%(here)s/state", f"{disk}/state")
    with Daemon(directory, programs, within=private_mounts(setup)) as daemon:
        text = f"cannot write the state file {disk}/state: No space left on device"
        daemon.wait_for_log(f"WARN {text}")
        daemon.wait_for_state("web", "RUNNING")
        daemon.rpc.supervisor.stopProcess("web")
        daemon.rpc.supervisor.startProcess("web")
        assert daemon.log_text().count(text) == 1


@needs_root
def test_a_file_on_a_read_only_disk(directory: Path) -> None:
    disk = directory / "disk"
    disk.mkdir()
    programs = REMEMBERING.replace("%(here)s/state", f"{disk}/state")
    setup = f"mount -t tmpfs -o ro tmpfs {disk}"
    with Daemon(directory, programs, within=private_mounts(setup)) as daemon:
        daemon.wait_for_log(f"WARN cannot write the state file {disk}/state: Read-only file system")
        daemon.wait_for_state("web", "RUNNING")


def test_two_daemons_with_one_file(directory: Path) -> None:
    """The second one leaves the processes of the first alone."""
    programs = f"statefile={directory}/state\nleftovers=kill\n[program:web]\n{SLEEPER}"
    second = directory / "second"
    second.mkdir()
    with Daemon(directory, programs) as daemon:
        pid = daemon.wait_for_state("web", "RUNNING")["pid"]
        wait_until(lambda: saved(daemon)["processes"].get("web", {}).get("pid") == pid)
        before = saved(daemon)
        with Daemon(second, programs) as other:
            other.wait_for_state("web", "RUNNING")
            other.wait_for_log(
                f"WARN the state file {directory}/state is ignored: supervisord with pid"
                f" {daemon.pid} uses it"
            )
        assert daemon.info("web")["pid"] == pid
        assert saved(daemon) == before


def test_a_number_of_processes_outlives_the_daemon(directory: Path) -> None:
    numbered = "process_name=%(program_name)s_%(process_num)d\n"
    programs = f"statefile=%(here)s/state\n[program:web]\n{SLEEPER}{numbered}"

    def count(daemon: Daemon) -> int:
        infos: Any = daemon.rpc.supervisor.getAllProcessInfo()
        return len(infos)

    with Daemon(directory, programs) as daemon:
        daemon.rpc.supervisor.setNumprocs("web", 3)
        assert count(daemon) == 3
        wait_until(lambda: len(saved(daemon)["processes"]) == 3)
        assert saved(daemon)["scales"] == {"program:web": {"count": 3, "configured": 1}}
        daemon.rpc.supervisor.restart()
        daemon.wait_for_start(2)
        assert count(daemon) == 3
        daemon.close_rpc()
        daemon.stop()
        daemon.write_config(f"{programs}numprocs=2\n")
        daemon.start()
        assert count(daemon) == 2
        daemon.wait_for_state("web:web_1", "RUNNING")
