"""Dependencies between real programs: chains, and what has gone wrong with them elsewhere."""

from __future__ import annotations

import os
import signal
import xmlrpc.client
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from supervisor.common.faults import Faults
from tests.support import proctable
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.transport import proxy
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

SLEEPER = f"command={child('sleeper')}\nstartsecs=0\n"
GATED = f"{SLEEPER}readiness_check_script=test -e %(here)s/up\nreadiness_check_period=50ms\n"
"""A program that is ready once the file `up` exists."""


def states(daemon: Daemon) -> dict[str, str]:
    """Return the state of each process."""
    return {each["name"]: each["statename"] for each in daemon.rpc.supervisor.getAllProcessInfo()}


def wait_for_states(daemon: Daemon, expected: dict[str, str], seconds: float = 10) -> None:
    """Wait until the processes are in these states."""
    wait_until(
        lambda: {**states(daemon), **expected} == states(daemon),
        seconds,
        what=lambda: f"{expected}, not {states(daemon)}\n{daemon.log_text()}",
    )


def spawned(daemon: Daemon) -> list[str]:
    """Return the names of the programs in the order of their starts."""
    lines = daemon.log_text().splitlines()
    return [line.split("'")[1] for line in lines if "INFO spawned: '" in line]


def test_an_application_starts_after_its_database_and_its_migration(directory: Path) -> None:
    """Priorities and the order in the file say the opposite."""
    config = f"""
        [program:app]
        {SLEEPER}
        priority=1
        depends_on=db
        depends_on_completed=migrate
        [program:migrate]
        command=/bin/sh -c "test -e %(here)s/up && echo migrated >%(here)s/done"
        priority=2
        startsecs=0
        autorestart=false
        depends_on=db
        [program:db]
        {GATED}
        priority=3
    """
    with Daemon(directory, config.replace("\n        ", "\n")) as daemon:
        daemon.wait_for_log("spawned: 'db'")
        assert states(daemon) == {"app": "STOPPED", "migrate": "STOPPED", "db": "STARTING"}
        (directory / "up").touch()
        wait_for_states(daemon, {"app": "RUNNING", "migrate": "EXITED", "db": "RUNNING"})
        assert spawned(daemon) == ["db", "migrate", "app"]
        assert daemon.text("done") == "migrated\n"
        order = daemon.ctl("shutdown")
        assert order.returncode == 0
        daemon.wait_for_exit()
        stops = [line for line in daemon.log_text().splitlines() if "stopped: " in line]
        assert [line.split("stopped: ")[1].split()[0] for line in stops] == ["app", "db"]


def test_a_migration_that_fails_holds_the_application_up(directory: Path) -> None:
    """It is started when the migration has succeeded at last."""
    config = f"[program:app]\n{SLEEPER}depends_on_completed=migrate\n"
    config += "[program:migrate]\ncommand=/usr/bin/test -e %(here)s/up\nstartsecs=0\n"
    with Daemon(directory, f"{config}autorestart=false\n") as daemon:
        daemon.wait_for_log("exited: migrate (exit status 1; not expected)")
        assert states(daemon) == {"app": "STOPPED", "migrate": "EXITED"}
        (directory / "up").touch()
        daemon.rpc.supervisor.startProcess("migrate", False)
        wait_for_states(daemon, {"app": "RUNNING", "migrate": "EXITED"})


@pytest.mark.slow
def test_a_worker_that_flaps_pauses_and_is_given_up(directory: Path) -> None:
    config = f"""
        [program:worker]
        command={child("exits", 3)}
        startsecs=0
        restartpause=200ms
        restartfactor=2
        startlimit_burst=2
        startlimit_interval=1m
    """
    with Daemon(directory, config) as daemon:
        info = daemon.wait_for_state("worker", "FATAL")
        assert info["spawnerr"] == "restarted 2 times in 60 seconds (startlimit_burst)"
        assert "gave up: worker entered FATAL state, restarted too often" in daemon.log_text()
        assert spawned(daemon) == ["worker"] * 3
        daemon.rpc.supervisor.startProcess("worker")  # by hand: always
        assert spawned(daemon) == ["worker"] * 4


# -- what went wrong elsewhere -----------------------------------------------------------------


def start_in_background(daemon: Daemon, pool: ThreadPoolExecutor, name: str) -> object:
    """Start a program on a connection of its own, and wait; return the future result."""

    def start() -> object:
        server = proxy(str(daemon.socket_path))
        try:
            return server.supervisor.startProcess(name)
        except xmlrpc.client.Fault as fault:
            return fault.faultString
        finally:
            server("close")()

    return pool.submit(start)


def test_a_wait_for_a_dependency_that_dies_ends(directory: Path) -> None:
    """With a fault for the caller, and not when the dependency is up again."""
    config = f"[program:web]\n{SLEEPER}depends_on=db\nautostart=false\n"
    config += f"[program:db]\n{GATED}autostart=false\nstartretries=0\n"
    with Daemon(directory, config) as daemon, ThreadPoolExecutor() as pool:
        result = start_in_background(daemon, pool, "web")
        pid = daemon.wait_for_state("db", "STARTING")["pid"]
        os.kill(pid, signal.SIGKILL)
        assert result.result(10) == "SPAWN_ERROR: web: dependency 'db' is FATAL"
        (directory / "up").touch()
        daemon.rpc.supervisor.startProcess("db")
        assert states(daemon) == {"web": "STOPPED", "db": "RUNNING"}


@pytest.mark.slow
def test_a_wait_survives_restarts_of_the_dependency(directory: Path) -> None:
    """It crashes while it starts, more than once, and the caller goes on waiting."""
    config = f"[program:web]\n{SLEEPER}depends_on=db\nautostart=false\n"
    config += f"[program:db]\n{GATED}autostart=false\n"
    with Daemon(directory, config) as daemon, ThreadPoolExecutor() as pool:
        result = start_in_background(daemon, pool, "web")
        for _ in range(2):
            os.kill(daemon.wait_for_state("db", "STARTING")["pid"], signal.SIGKILL)
            daemon.wait_for_state("db", "BACKOFF")
        (directory / "up").touch()
        assert result.result(10) is True
        assert states(daemon) == {"web": "RUNNING", "db": "RUNNING"}


@pytest.mark.parametrize("by_request", [False, True])
def test_a_waiting_program_that_is_stopped_stays_stopped(
    directory: Path, *, by_request: bool
) -> None:
    """It neither blocks nor starts later, and can be started again."""
    config = f"[program:web]\n{SLEEPER}depends_on=db\nautostart={str(not by_request).lower()}\n"
    with Daemon(directory, f"{config}[program:db]\n{GATED}") as daemon:
        daemon.wait_for_state("db", "STARTING")
        if by_request:
            daemon.rpc.supervisor.startProcess("web", False)
        assert daemon.rpc.supervisor.stopProcess("web") is True
        with pytest.raises(xmlrpc.client.Fault, match="NOT_RUNNING"):
            daemon.rpc.supervisor.stopProcess("web")
        (directory / "up").touch()
        daemon.wait_for_state("db", "RUNNING")
        daemon.rpc.supervisor.stopProcess("db")
        daemon.rpc.supervisor.startProcess("db")
        assert states(daemon) == {"web": "STOPPED", "db": "RUNNING"}
        assert daemon.rpc.supervisor.startProcess("web") is True


@pytest.mark.slow
def test_a_failed_readiness_does_not_end_a_program_for_good(directory: Path) -> None:
    """It is tried again, and those that wait for it start then."""
    config = f"[program:web]\n{SLEEPER}depends_on=db\n"
    config += f"[program:db]\n{GATED}ready_timeout=500ms\n"
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("db", "BACKOFF")
        (directory / "up").touch()
        wait_for_states(daemon, {"web": "RUNNING", "db": "RUNNING"})


# -- harm ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_crash_of_a_dependency_while_its_dependents_start(directory: Path) -> None:
    """Those that wait go on waiting, those that are up stay up."""
    config = f"[program:db]\n{SLEEPER}[program:first]\n{SLEEPER}depends_on=db\n"
    config += f"[program:slow]\n{GATED}depends_on=db\n"
    config += f"[program:last]\n{SLEEPER}depends_on=db,slow\n"
    with Daemon(directory, config) as daemon:
        wait_for_states(daemon, {"first": "RUNNING", "slow": "STARTING", "last": "STOPPED"})
        pids = {name: daemon.info(name)["pid"] for name in ("db", "first", "slow")}
        os.kill(pids["db"], signal.SIGKILL)
        wait_until(lambda: daemon.info("db")["pid"] not in {0, pids["db"]})
        (directory / "up").touch()
        wait_for_states(daemon, dict.fromkeys(("db", "first", "slow", "last"), "RUNNING"))
        assert daemon.info("first")["pid"] == pids["first"]
        assert daemon.info("slow")["pid"] == pids["slow"]


@pytest.mark.parametrize(("policy", "restarts"), [("ignore", 0), ("stop", 1), ("restart", 1)])
def test_a_dependency_that_is_stopped(directory: Path, policy: str, restarts: int) -> None:
    config = f"[program:db]\n{SLEEPER}[program:web]\n{SLEEPER}depends_on=db\n"
    with Daemon(directory, f"{config}on_dependency_failure={policy}\n") as daemon:
        daemon.wait_for_state("web", "RUNNING")
        daemon.rpc.supervisor.stopProcess("db")
        daemon.wait_for_state("web", "STOPPED" if restarts else "RUNNING")
        daemon.rpc.supervisor.startProcess("db")
        wait_for_states(daemon, {"db": "RUNNING", "web": "RUNNING"})
        assert spawned(daemon).count("web") == 1 + restarts


CHAIN = f"""
[program:web]
{SLEEPER}depends_on=db
[program:db]
{GATED}
"""


@pytest.mark.parametrize("how", ["SIGHUP", "SIGTERM", "reload", "shutdown"])
def test_a_daemon_ends_while_programs_wait(directory: Path, how: str) -> None:
    """One is not ready, one waits for it, and a probe hangs."""
    probe = f"[program:probed]\n{SLEEPER}readiness_check_script=/bin/sh -c 'sleep 1000; :'\n"
    with Daemon(directory, f"{CHAIN}{probe}readiness_check_timeout=500\n") as daemon:
        wait_until(lambda: len(proctable.children(daemon.pid)) >= 3)
        if how.startswith("SIG"):
            daemon.signal(signal.Signals[how])
        else:
            assert daemon.ctl(how).returncode == 0
        if how in {"SIGHUP", "reload"}:
            daemon.wait_for_start(2)
            (directory / "up").touch()
            wait_for_states(daemon, {"web": "RUNNING", "db": "RUNNING", "probed": "STARTING"})
            assert spawned(daemon).count("web") == 1
        else:
            daemon.wait_for_exit()
            assert "spawned: 'web'" not in daemon.log_text()
        log = daemon.log_text()
        assert "Traceback" not in log
        assert "reaped unknown pid" not in log


def test_a_daemon_ends_in_the_middle_of_a_boot(directory: Path) -> None:
    """Programs that have not had their turn are not started, and none is left."""
    config = "[program:many]\ncommand=/bin/sleep 1000\nnumprocs=400\nstartsecs=0\n"
    config += "process_name=%(process_num)d\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
    daemon = Daemon(directory, f"minfds=2048\n{config}")
    try:
        daemon.launch()
        daemon.wait_for_log("spawned: ", 20)
        daemon.signal(signal.SIGTERM)
        daemon.wait_for_exit()
    finally:
        daemon.stop()
    log = daemon.log_text()
    assert log.count("stopped: ") == log.count("spawned: ")
    assert "Traceback" not in log


def test_commands_on_a_program_that_waits(directory: Path) -> None:
    with Daemon(directory, CHAIN) as daemon:
        daemon.wait_for_state("db", "STARTING")
        assert daemon.rpc.supervisor.startProcess("web", False) is True  # joins the wait
        assert daemon.ctl("start", "web").stdout == "web: ERROR (already started)\n"
        assert daemon.ctl("stop", "web").stdout == "web: stopped\n"
        assert daemon.ctl("stop", "web").stdout == "web: ERROR (not running)\n"
        assert daemon.rpc.supervisor.startProcess("web", False) is True
        assert states(daemon) == {"web": "STOPPED", "db": "STARTING"}
        (directory / "up").touch()
        daemon.wait_for_state("web", "RUNNING")
        assert spawned(daemon) == ["db", "web"]


def test_a_start_of_a_program_that_waits_for_one_that_has_failed(directory: Path) -> None:
    """It starts both, as if neither had been wanted since the boot."""
    config = f"""
        [program:web]
        {SLEEPER}
        depends_on=db
        [program:db]
        command=/bin/sh -c "test -e %(here)s/up && exec sleep 1000"
        startretries=0
    """
    with Daemon(directory, config.replace("\n        ", "\n")) as daemon:
        daemon.wait_for_state("db", "FATAL")
        failed = daemon.ctl("start", "web")
        assert failed.stdout.startswith("web: ERROR (spawn error)")
        assert failed.returncode != 0
        assert daemon.info("web")["description"] == "waiting for db (FATAL)"
        (directory / "up").touch()
        started = daemon.ctl("start", "web")
        assert (started.stdout, started.returncode) == ("web: started\n", 0)
        assert states(daemon) == {"web": "RUNNING", "db": "RUNNING"}
        assert daemon.ctl("start", "web").stdout == "web: ERROR (already started)\n"


@pytest.mark.parametrize("names", ["app db", "db app", "all"])
def test_a_start_reports_the_dependencies_that_it_names(directory: Path, names: str) -> None:
    config = f"""
        [program:app]
        {SLEEPER}
        autostart=false
        depends_on=db
        [program:db]
        {SLEEPER}
        autostart=false
    """
    with Daemon(directory, config.replace("\n        ", "\n")) as daemon:
        started = daemon.ctl("start", *names.split())
        assert sorted(started.stdout.splitlines()) == ["app: started", "db: started"]
        assert states(daemon) == {"app": "RUNNING", "db": "RUNNING"}
        again = daemon.ctl("start", "app", "db")
        error = "ERROR (already started)"
        assert again.stdout == f"app: {error}\ndb: {error}\n"


def test_commands_on_a_program_that_pauses(directory: Path) -> None:
    """A start by hand skips the pause, a stop ends it."""
    config = f"[program:x]\ncommand={child('exits', 0)}\nstartsecs=0\nrestartpause=1h\n"
    with Daemon(directory, f"{config}autorestart=true\n") as daemon:
        daemon.wait_for_state("x", "EXITED")
        assert daemon.ctl("start", "x").stdout == "x: started\n"
        wait_until(lambda: daemon.log_text().count("exited: x") == 2)
        assert daemon.ctl("restart", "x").stdout == "x: stopped\nx: started\n"
        wait_until(lambda: daemon.log_text().count("exited: x") == 3)
        assert daemon.ctl("stop", "x").stdout == "x: stopped\n"
        assert daemon.ctl("stop", "x").stdout == "x: ERROR (not running)\n"
        assert daemon.info("x")["statename"] == "EXITED"
        assert daemon.ctl("remove", "x").stdout == "x: removed process group\n"
        assert daemon.ctl("add", "x").stdout == "x: added process group\n"
        wait_until(lambda: daemon.log_text().count("exited: x") == 4)


def test_an_update_changes_what_others_depend_on(directory: Path) -> None:
    """A group is changed, removed and added while others wait for it, or run."""
    base = f"[program:web]\n{SLEEPER}depends_on=db\n[program:db]\n"
    with Daemon(directory, f"{base}{GATED}") as daemon:
        daemon.wait_for_state("db", "STARTING")
        daemon.write_config(f"{base}{SLEEPER}environment=A=1\n")
        assert daemon.ctl("update").returncode == 0
        wait_for_states(daemon, {"web": "RUNNING", "db": "RUNNING"})
        pid = daemon.info("web")["pid"]

        daemon.write_config(f"[program:web]\n{SLEEPER}depends_on=db\n")
        refused = daemon.ctl("update")
        assert "unknown program 'db' in section 'program:web'" in refused.stdout
        assert states(daemon) == {"web": "RUNNING", "db": "RUNNING"}

        daemon.write_config(f"{base}{SLEEPER}environment=A=2\n")
        assert daemon.ctl("update").returncode == 0
        wait_for_states(daemon, {"web": "RUNNING", "db": "RUNNING"})
        assert daemon.info("web")["pid"] == pid
        assert "Traceback" not in daemon.log_text()


def test_remove_and_add_of_a_dependency(directory: Path) -> None:
    with Daemon(directory, CHAIN) as daemon:
        daemon.wait_for_state("db", "STARTING")
        assert daemon.ctl("stop", "db").returncode == 0
        assert daemon.ctl("remove", "db").returncode == 0
        assert states(daemon) == {"web": "STOPPED"}
        fault = "SPAWN_ERROR: web: dependency 'db' is unknown"
        daemon.rpc.supervisor.stopProcess("web")
        with pytest.raises(xmlrpc.client.Fault) as caught:
            daemon.rpc.supervisor.startProcess("web")
        assert (caught.value.faultCode, caught.value.faultString) == (Faults.SPAWN_ERROR, fault)
        daemon.rpc.supervisor.startProcess("web", False)
        (directory / "up").touch()
        assert daemon.ctl("add", "db").returncode == 0
        wait_for_states(daemon, {"web": "RUNNING", "db": "RUNNING"})
        assert daemon.ctl("stop", "web").returncode == 0
        assert daemon.ctl("remove", "web").returncode == 0
        assert states(daemon) == {"db": "RUNNING"}


def test_all_processes_of_a_program_are_needed(directory: Path) -> None:
    """Each has a check of its own."""
    config = f"[program:web]\n{SLEEPER}depends_on=db\n[program:db]\ncommand={child('sleeper')}\n"
    config += "startsecs=0\nnumprocs=3\nprocess_name=db_%(process_num)d\n"
    config += "readiness_check_script=test -e %(here)s/up_%(process_num)d\n"
    with Daemon(directory, f"{config}readiness_check_period=50ms\n") as daemon:
        for number in range(3):
            assert states(daemon)["web"] == "STOPPED"
            (directory / f"up_{number}").touch()
            daemon.wait_for_state(f"db:db_{number}", "RUNNING")
        daemon.wait_for_state("web", "RUNNING")


MISTAKES = {
    "depends_on=nosuch": "unknown program 'nosuch'",
    "depends_on=web": "dependency cycle: web -> web",
    "restartpause=soon": "not a time in seconds, such as 0.5, 500ms, 30s or 5m: 'soon'",
    "notify=true\nnotification_fd=3": (
        "notify and notification_fd are two kinds of readiness, use one"
    ),
    "ready_log_line=(": (
        "not a regular expression: '(': missing ), unterminated subpattern at position 0"
    ),
}


@pytest.mark.parametrize("lines", MISTAKES)
def test_a_mistake_is_one_line_wherever_the_file_is_read(directory: Path, lines: str) -> None:
    """A running daemon goes on as it was; another one does not start."""
    with Daemon(directory, CHAIN) as daemon:
        daemon.write_config(f"[program:web]\n{SLEEPER}{lines}\n")
        option = lines.rpartition("\n")[2].partition("=")[0]
        where = f"in section 'program:web' (file: '{daemon.config_path}'), option '{option}'"
        line = f"{MISTAKES[lines]} {where}"
        with pytest.raises(xmlrpc.client.Fault) as caught:
            daemon.rpc.supervisor.reloadConfig()
        assert caught.value.faultCode == Faults.CANT_REREAD
        assert caught.value.faultString == f"CANT_REREAD: {line}"
        for command in ("reread", "update"):
            refused = daemon.ctl(command)
            assert (refused.returncode, refused.stdout) == (1, f"ERROR: CANT_REREAD: {line}\n")
        assert states(daemon) == {"web": "STOPPED", "db": "STARTING"}
    other = Daemon(directory, f"[program:web]\n{SLEEPER}{lines}\n")
    assert other.launch().wait(other.seconds) == 2
    assert other.output_text().splitlines()[-2] == f"Error: {line}"
