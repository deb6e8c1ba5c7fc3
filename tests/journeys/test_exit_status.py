"""Journey: the daemon exits because of its programs, with a status that its parent can trust."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support import proctable
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

OTHER = f"""
    [program:other]
    command={child("sleeper")}
    startsecs=0
"""

ONCE = "startsecs=0\n    autorestart=false"


def program(command: str, options: str = ONCE, name: str = "web") -> str:
    """Return the section of an essential program."""
    return f"\n    [program:{name}]\n    command={command}\n    essential=true\n    {options}\n"


def killed_by(name: str) -> str:
    """Return the command of a program that ends itself by a signal."""
    return f"sh -c 'kill -{name} $$'"


NEVER_READY = f"ready_timeout=0.2\n    notify=true\n    startretries=0\n    {ONCE}"

STATUSES: dict[str, tuple[str, int, str]] = {
    "exit 0": (program(child("exits", 0)), 0, "exit status 0"),
    "exit 3": (program(child("exits", 3)), 3, "exit status 3"),
    "a signal": (program(killed_by("KILL")), 137, "terminated by SIGKILL"),
    "a status that is ok": (
        program(killed_by("TERM"), f"exit_codes_ok=130, 143\n    {ONCE}"),
        0,
        "terminated by SIGTERM",
    ),
    "FATAL after a run": (
        program(child("exits", 4), "startretries=0"),
        4,
        "FATAL, exit status 4",
    ),
    "FATAL after a run with 0": (
        program(child("exits", 0), "startretries=0"),
        1,
        "FATAL, exit status 0",
    ),
    "no such command": (
        program("/no/such", "startretries=0"),
        127,
        "FATAL, can't find command '/no/such'",
    ),
    "no such directory": (
        program(child("sleeper"), "startretries=0\n    directory=/no/such"),
        126,
        "FATAL, couldn't chdir to /no/such: ENOENT",
    ),
    "not ready in time": (
        program(child("sleeper"), NEVER_READY),
        11,
        "FATAL, not ready after 0.2 seconds",
    ),
    "too many restarts": (
        program(
            child("exits", 5),
            "startsecs=0\n    autorestart=true\n    startlimit_burst=1\n    startlimit_interval=60",
        ),
        5,
        "FATAL, exit status 5",
    ),
}


def outcome(daemon: Daemon) -> tuple[int | None, str]:
    """Return the exit status of a daemon that ends by itself, and its last log line."""
    daemon.wait_for_exit(30)
    status = daemon._started.returncode if daemon._started else None
    last = daemon.log_text().splitlines()[-1]
    wait_until(lambda: not proctable.marked(str(daemon.directory)))
    return status, last.split(" ", 3)[3]


def run(directory: Path, config: str) -> tuple[int | None, str]:
    """Run a daemon to its end; see `outcome`."""
    daemon = Daemon(directory, config)
    daemon.launch()
    try:
        return outcome(daemon)
    except BaseException:
        daemon.kill()
        raise


@pytest.mark.parametrize("case", STATUSES)
def test_the_status_of_an_essential_program(directory: Path, case: str) -> None:
    config, status, text = STATUSES[case]
    line = f"exiting with status {status} because of 'web' ({text})"
    assert run(directory, config + OTHER) == (status, line)


def test_two_essential_programs_that_end_at_once(directory: Path) -> None:
    """The first one that the daemon reaps counts, and both are in the log."""
    config = program(child("exits", 3)) + program(child("exits", 4), name="api")
    status, line = run(directory, config)
    name = {3: "web", 4: "api"}[status or 0]
    assert line == f"exiting with status {status} because of {name!r} (exit status {status})"


def test_any_process_of_an_essential_program(directory: Path) -> None:
    command = "sh -c 'test %(process_num)d = 0 && exec sleep 60; exit 3'"
    options = f"numprocs=2\n    process_name=p_%(process_num)d\n    {ONCE}"
    line = "exiting with status 3 because of 'web:p_1' (exit status 3)"
    assert run(directory, program(command, options)) == (3, line)


ALL = f"""
    exit_when_all_exited=true
    [program:second]
    command={child("exits", 4)}
    {ONCE}
    depends_on_completed=paused
    [program:first]
    command={child("exits", 3)}
    {ONCE}
    [program:paused]
    command=sh -c 'test -e %(here)s/flag && exit 0; touch %(here)s/flag; exit 9'
    startsecs=0
    restartpause=300ms
    [program:by_hand]
    command={child("sleeper")}
    autostart=false
    [eventlistener:listener]
    command={child("listener")}
    events=PROCESS_STATE
"""


def test_all_programs_have_exited(directory: Path) -> None:
    """The first failure in the order of the file; pauses and dependencies are waited for."""
    line = "exiting with status 4 because of 'second' (exit status 4)"
    assert run(directory, ALL) == (4, line)


def test_nothing_to_run(directory: Path) -> None:
    config = f"""
        exit_when_all_exited=true
        [program:by_hand]
        command={child("sleeper")}
        autostart=false
    """
    line = "exiting with status 0 because there is no program to run"
    assert run(directory, config) == (0, line)


def test_a_dependency_that_fails(directory: Path) -> None:
    """The dependent is stopped with it, and cannot start again."""
    web = program(
        child("sleeper"), "startsecs=0\n    depends_on=db\n    on_dependency_failure=stop"
    )
    db = f"\n    [program:db]\n    command={child('exits', 6, 0.5)}\n    {ONCE}\n"
    line = "exiting with status 6 because of 'db' (exit status 6), which 'web' needs"
    assert run(directory, web + db) == (6, line)


BY_HAND = f"""
    exit_when_all_exited=true
    [program:web]
    command={child("sleeper")}
    startsecs=0
    essential=true
    [program:job]
    command={child("exits", 3)}
    startsecs=0
    autostart=false
    autorestart=false
"""


def test_changes_by_hand_do_not_count(directory: Path) -> None:
    """Stops, restarts and removals; the end by itself that follows counts."""
    with Daemon(directory, BY_HAND) as daemon:
        assert daemon.ctl("restart", "web").stdout == "web: stopped\nweb: started\n"
        assert daemon.ctl("stop", "web").stdout == "web: stopped\n"
        daemon.write_config(BY_HAND.replace("[program:web]", "[program:new]"))
        updated = daemon.ctl("update")
        assert updated.stdout.endswith("web: removed process group\nnew: added process group\n")
        daemon.wait_for_state("new", "RUNNING")
        assert daemon.ctl("stop", "all").stdout == "new: stopped\n"
        assert daemon.ctl("health").returncode == 1
        assert daemon.ctl("start", "job").returncode == 0
        line = "exiting with status 3 because of 'job' (exit status 3)"
        assert outcome(daemon) == (3, line)


def test_a_reload_reads_the_options_again(directory: Path) -> None:
    before = program(child("sleeper"), "startsecs=0\n    autorestart=false")
    with Daemon(directory, before) as daemon:
        daemon.write_config(before.replace("essential=true", "exitcodes=0"))
        assert daemon.ctl("reload").stdout == "Restarted supervisord\n"
        daemon.wait_for_start(2)
        daemon.wait_for_state("web", "RUNNING")
        daemon.ctl("signal", "KILL", "web")
        daemon.wait_for_state("web", "EXITED")
        daemon.write_config("exit_code_from=web\n" + before)
        daemon.ctl("reload")
        daemon.wait_for_start(3)
        daemon.wait_for_state("web", "RUNNING")
        daemon.ctl("shutdown")
        line = "exiting with status 143 because of 'web' (terminated by SIGTERM)"
        assert outcome(daemon) == (143, line)


STUBBORN = f"""
    shutdown_timeout=%s
    exit_code_from=web
    [program:web]
    command={child("stubborn")}
    startsecs=0
    stopwaitsecs=unlimited
    depends_on=db
    [program:db]
    command={child("sleeper")}
    startsecs=0
"""


def ready(daemon: Daemon) -> Daemon:
    """Wait until `web` ignores the stop signal."""
    daemon.wait_for_state("web", "RUNNING")
    wait_until(lambda: "READY" in daemon.rpc.supervisor.readProcessStdoutLog("web", 0, 0))
    return daemon


def test_programs_that_do_not_stop_in_time_are_killed(directory: Path) -> None:
    with Daemon(directory, STUBBORN % "500ms") as daemon:
        ready(daemon)
        daemon.signal(signal.SIGTERM)
        line = "exiting with status 137 because of 'web' (terminated by SIGKILL)"
        assert outcome(daemon) == (137, line)
        reason = "still running 0.5 seconds after the start of the shutdown"
        assert f"WARN {reason}, killing with SIGKILL: db, web\n" in daemon.log_text()


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_second_exit_signal_kills_at_once(directory: Path, second: signal.Signals) -> None:
    with Daemon(directory, STUBBORN % "1h") as daemon:
        ready(daemon)
        daemon.signal(signal.SIGTERM)
        daemon.wait_for_log("waiting for")
        daemon.signal(second)
        assert outcome(daemon)[0] == 137
        reason = f"received {second.name} as a second exit request"
        assert f"WARN {reason}, killing with SIGKILL: db, web\n" in daemon.log_text()


def test_without_a_timeout_a_second_signal_is_only_logged(directory: Path) -> None:
    config = (STUBBORN % "0").replace("unlimited", "2")
    with Daemon(directory, config) as daemon:
        ready(daemon)
        daemon.signal(signal.SIGTERM)
        daemon.wait_for_log("waiting for")
        daemon.signal(signal.SIGTERM)
        daemon.wait_for_exit()
        assert "killing with SIGKILL" not in daemon.log_text()
        assert "killing 'web'" in daemon.log_text()


def test_an_essential_program_that_ends_during_a_shutdown(directory: Path) -> None:
    """Its end by a stop signal is none by itself: the daemon exits with 0, as without options."""
    config = program(child("sleeper"), "startsecs=0\n    autorestart=false") + OTHER
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("web", "RUNNING")
        daemon.signal(signal.SIGTERM)
        assert daemon.wait_for_exit() == 0
        assert "exiting with" not in daemon.log_text()


def test_health_of_a_real_daemon(directory: Path) -> None:
    config = program(child("sleeper"), "startsecs=0") + OTHER.replace(
        "startsecs=0", "startsecs=0\n    autostart=false"
    )
    daemon = Daemon(directory, config)
    assert daemon.ctl("health").returncode == 1
    with daemon:
        daemon.wait_for_state("web", "RUNNING")
        healthy = daemon.ctl("health")
        assert (healthy.returncode, healthy.stdout) == (0, "")
        daemon.ctl("stop", "web")
        unhealthy = daemon.ctl("health")
        assert unhealthy.returncode == 1
        assert unhealthy.stdout.startswith("web  ")


def test_in_the_background_it_ends_as_well(directory: Path) -> None:
    config = program(child("exits", 3, 0.5)) + OTHER
    with Daemon(directory, config, arguments=()) as daemon:
        daemon.wait_for_log("exiting with status 3 because of 'web' (exit status 3)")
        daemon.wait_for_exit()
        assert not daemon.pid_path.exists()
