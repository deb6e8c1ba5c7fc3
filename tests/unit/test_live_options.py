"""Options that are changed while a process runs: no new pid, and the new value takes effect."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor import events
from supervisor.common.dependency_graph import parse_requirements
from supervisor.common.probes import parse_probe
from supervisor.common.records import names
from supervisor.common.rotation_period import RotationPeriod
from supervisor.config.model import ProcessConfig, ProcessGroupConfig
from supervisor.config.option import options_of
from supervisor.daemon.update_plan import RunningGroup, make_plan
from supervisor.datatypes import Automatic, RestartUnconditionally
from supervisor.process import streams
from supervisor.process.child import Subprocess
from supervisor.process.health import make_health_monitor
from supervisor.process.probes import ProbeRunner
from supervisor.process.reconfigure import reconfigure
from supervisor.states import ProcessStates
from tests.support.option_texts import COUNTING, TEXTS
from tests.support.programs import EXIT_0, EXIT_3, Programs
from tests.support.world import World

S = ProcessStates

ROWS = {row.name: row for row in options_of(ProcessConfig) if row.name in TEXTS}


def config(name: str = "web", **options: Any) -> ProcessConfig:
    options = {"stdout_logfile": None, "stderr_logfile": None, "startsecs": 0} | options
    return ProcessConfig(name=name, **{"command": "/bin/cat"} | options)


@pytest.fixture
def programs(world: World) -> Iterator[Programs]:
    made = Programs(world)
    yield made
    for group in made.groups.values():
        for each in group.processes.values():
            each._close_dispatchers()
            if each.startup.readiness is not None:
                each.startup.readiness.close()


def running(programs: Programs, **options: Any) -> Subprocess:
    """Return the process of a program that has just been started."""
    process = programs.add_group("web", [config(**options)])
    programs.boot()
    assert process.pid
    return process


def change(process: Subprocess, **options: Any) -> None:
    """Change some options of a process, as an update does."""
    present = {name: getattr(process.config, name) for name in names(ProcessConfig)}
    changed = ProcessConfig(**{**present, **options})
    changed.section = process.config.section
    reconfigure(process, changed)
    process.runtime.services.processes.groups_changed()


def test_the_table_has_every_option() -> None:
    assert {row.name for row in options_of(ProcessConfig)} - COUNTING == TEXTS.keys()


@pytest.mark.parametrize("name", TEXTS)
def test_an_option_restarts_its_process_or_is_changed_while_it_runs(
    name: str, programs: Programs, tmp_path: Path
) -> None:
    row = ROWS[name]
    base = {"stdout_logfile": str(tmp_path / "o"), "stderr_logfile": str(tmp_path / "e")}
    process = running(programs, **base)
    pid = process.pid
    values = {**base, row.attribute: row.convert(TEXTS[name])}
    changed = config(values.pop("name", "web"), **values)
    group = ProcessGroupConfig("web", 999, [changed])
    steps = make_plan([group], {"web": RunningGroup(group, {"web": process.config})})
    if not row.live:
        actions = ["add", "remove"] if name == "process_name" else ["restart"]
        assert [step.action for step in steps] == actions
        return
    assert [(step.action, [each.name for each in step.changes]) for step in steps] == [
        ("apply", [name])
    ]
    reconfigure(process, changed)
    programs.world.pass_time(0)
    assert (process.pid, process.state) == (pid, S.RUNNING)
    assert getattr(process.config, row.attribute) == row.convert(TEXTS[name])
    assert len(programs.world.plans) == 1
    assert programs.world.signals == []


# -- timers and pauses in progress -----------------------------------------------------------------


@pytest.mark.parametrize("seconds", [5, 30])
def test_the_time_to_stop_changes_during_a_stop(programs: Programs, seconds: int) -> None:
    process = running(programs, stopwaitsecs=10)
    process.stop()
    programs.world.pass_time(2)
    change(process, stopwaitsecs=seconds)
    programs.world.pass_time(seconds - 2.1)
    killed = (process.pid, signal.SIGKILL)
    assert killed not in programs.world.signals
    programs.world.pass_time(0.2)
    assert killed in programs.world.signals


def test_an_unlimited_time_to_stop_gets_an_end(programs: Programs) -> None:
    process = running(programs, stopwaitsecs=2**63 - 1)
    process.stop()
    programs.world.pass_time(8)
    change(process, stopwaitsecs=10)
    programs.world.pass_time(1.9)
    assert (process.pid, signal.SIGKILL) not in programs.world.signals
    programs.world.pass_time(0.2)
    assert (process.pid, signal.SIGKILL) in programs.world.signals


@pytest.mark.parametrize("seconds", [3, 30])
def test_startsecs_change_while_starting(programs: Programs, seconds: int) -> None:
    process = running(programs, startsecs=10)
    programs.world.pass_time(1)
    change(process, startsecs=seconds)
    programs.world.pass_time(seconds - 1.1)
    assert process.state == S.STARTING
    programs.world.pass_time(0.2)
    assert process.state == S.RUNNING


def test_a_pause_is_shortened_and_prolonged(programs: Programs) -> None:
    process = running(programs, autorestart=RestartUnconditionally, restartpause=60.0)
    programs.die(process)
    programs.world.pass_time(2)
    change(process, restartpause=100.0)
    programs.world.pass_time(60)
    assert process.state == S.EXITED
    change(process, restartpause=70.0)
    programs.world.pass_time(7.9)
    assert process.state == S.EXITED
    programs.world.pass_time(0.2)
    assert process.state == S.RUNNING


def test_a_bound_shortens_the_delay_after_failed_starts(programs: Programs) -> None:
    process = running(programs, startsecs=5, startretries=50)
    for failures in range(1, 6):
        programs.die(process, EXIT_3)
        programs.world.pass_time(failures)
    programs.die(process, EXIT_3)
    programs.world.pass_time(3)
    assert process.state == S.BACKOFF
    change(process, maxbackoff=2.0)
    programs.world.pass_time(0)
    assert process.state == S.STARTING


def test_fewer_retries_end_them(programs: Programs) -> None:
    process = running(programs, startsecs=5, startretries=50)
    for failures in range(1, 4):
        programs.die(process, EXIT_3)
        programs.world.pass_time(failures)
    programs.die(process, EXIT_3)
    change(process, startretries=2)
    programs.world.pass_time(0)
    assert process.state == S.FATAL


def test_restarts_that_happened_count_for_a_new_limit(programs: Programs) -> None:
    limits = {"startlimit_burst": 5, "startlimit_interval": 100.0}
    process = running(programs, autorestart=RestartUnconditionally, **limits)
    for _ in range(2):
        programs.die(process)
        programs.world.pass_time(1)
    change(process, startlimit_burst=2)
    programs.die(process)
    programs.world.pass_time(1)
    assert process.state == S.FATAL


def test_an_exit_follows_the_new_rule(programs: Programs) -> None:
    process = running(programs, autorestart=False)
    change(process, autorestart=RestartUnconditionally)
    programs.die(process)
    programs.world.pass_time(1)
    assert process.state == S.RUNNING
    change(process, autorestart=False, exitcodes=[3])
    programs.die(process, EXIT_3)
    programs.world.pass_time(1)
    assert (process.state, process.has_completed, process.spawnerr) == (S.EXITED, True, None)


# -- dependencies ----------------------------------------------------------------------------------


def test_a_wait_ends_when_the_dependency_is_no_longer_configured(programs: Programs) -> None:
    web = programs.add("web", "db", startsecs=0)
    programs.add("db", autostart=False)
    programs.boot()
    assert programs.waits(web) == ["db (STOPPED)"]
    change(web, depends_on=())
    programs.world.pass_time(0)
    assert web.state == S.RUNNING
    assert web.is_plain


def test_a_wait_for_another_program_keeps_its_begin(programs: Programs) -> None:
    web = programs.add("web", "db", dependency_timeout=30.0)
    programs.add("db", autostart=False)
    programs.add("cache", autostart=False)
    programs.boot()
    programs.world.pass_time(20)
    change(web, depends_on=parse_requirements("cache"))
    assert programs.waits(web) == ["cache (STOPPED)"]
    programs.world.pass_time(9.9)
    assert web.state == S.STOPPED
    programs.world.pass_time(0.2)
    assert web.spawnerr == "waited 30 seconds for cache (STOPPED)"


def test_a_running_process_follows_new_dependencies(programs: Programs) -> None:
    db = programs.add("db", startsecs=0)
    web = programs.add("web", startsecs=0)
    programs.boot()
    change(web, depends_on=parse_requirements("db"), on_dependency_failure="stop")
    programs.world.pass_time(0)
    assert web.state == S.RUNNING
    db.stop()
    programs.die(db)
    assert web.state == S.STOPPING


def test_a_dependency_that_is_dropped_is_not_followed(programs: Programs) -> None:
    db = programs.add("db", startsecs=0)
    web = programs.add("web", "db", startsecs=0, on_dependency_failure="stop")
    programs.boot()
    programs.world.pass_time(0)
    change(web, depends_on=())
    db.stop()
    programs.die(db)
    assert web.state == S.RUNNING


def test_processes_that_are_added_to_a_dependency_are_followed(programs: Programs) -> None:
    programs.add("db", startsecs=0)
    web = programs.add("web", "db", startsecs=0, on_dependency_failure="stop")
    programs.boot()
    programs.world.pass_time(0)
    group = programs.groups["db"]
    second = config("db_2")
    second.section = "program:db"
    added = group.add_process(second)
    programs.world.runtime.services.processes.groups_changed()
    added.transition()
    programs.world.pass_time(0)
    assert (added.state, web.state) == (S.RUNNING, S.RUNNING)
    added.stop()
    programs.die(added)
    assert web.state == S.STOPPING


# -- readiness -------------------------------------------------------------------------------------

PROBE = parse_probe("tcp://127.0.0.1:1")


def missing(process: Subprocess) -> list[str]:
    monitor = process.startup.readiness
    assert monitor is not None
    return monitor.missing()


def test_a_check_is_added_to_a_start_in_progress_and_removed(programs: Programs) -> None:
    process = running(programs, startsecs=5)
    change(process, readiness_check_script=PROBE, readiness_check_initial_delay=60.0)
    programs.world.pass_time(5)
    assert process.state == S.STARTING
    assert missing(process) == ["readiness check: no result yet"]
    change(process, readiness_check_script=None)
    programs.world.pass_time(0)
    assert process.state == S.RUNNING


def test_a_check_that_is_added_later_applies_from_the_next_start(programs: Programs) -> None:
    process = running(programs)
    change(process, readiness_check_script=PROBE, readiness_check_initial_delay=60.0)
    programs.world.pass_time(5)
    assert (process.state, missing(process)) == (S.RUNNING, [])
    programs.die(process, EXIT_0)
    assert process.state == S.EXITED


def test_a_time_limit_of_readiness_changes_in_a_start(programs: Programs) -> None:
    slow = {"readiness_check_script": PROBE, "readiness_check_initial_delay": 600.0}
    process = running(programs, **slow, ready_timeout=60.0)
    programs.world.pass_time(10)
    change(process, ready_timeout=20.0)
    programs.world.pass_time(9.9)
    assert programs.world.signals == []
    assert missing(process) == ["readiness check: no result yet"]  # its delay is as before
    programs.world.pass_time(0.2)
    assert programs.world.signals == [(process.pid, signal.SIGTERM)]


# -- output ----------------------------------------------------------------------------------------


def write(process: Subprocess, data: bytes) -> None:
    """Let the child write to its stdout, and the daemon read it."""
    dispatcher = next(iter(process.dispatchers.values()))
    assert isinstance(dispatcher, streams.OutputDispatcher)
    dispatcher.output_arrived(data)


def test_a_log_gets_another_size_and_format(programs: Programs, tmp_path: Path) -> None:
    log = tmp_path / "o.log"
    process = running(programs, stdout_logfile=str(log), stdout_logfile_maxbytes=10)
    write(process, b"one\n")
    change(process, stdout_logfile_maxbytes=0)
    write(process, b"a line beyond ten bytes\n")
    assert log.read_bytes() == b"one\na line beyond ten bytes\n"
    change(process, stdout_logfile_maxbytes=30, stdout_logfile_backups=1)
    write(process, b"12345678\n")
    assert log.with_name("o.log.1").read_bytes().startswith(b"one\n")
    change(process, stdout_logfile_format="%(process_name)s: %(message)s")
    write(process, b"formatted\n")
    assert log.read_bytes() == b"web: formatted\n"
    process._close_dispatchers()


def test_a_log_is_rotated_by_time_no_longer(programs: Programs, tmp_path: Path) -> None:
    log = tmp_path / "log"
    rotation = {"stdout_logfile_rotate": RotationPeriod(seconds=60.0), "stdout_logfile_mode": 0o600}
    process = running(programs, stdout_logfile=str(log), **rotation)
    write(process, b"1\n")
    programs.world.pass_time(60)
    assert (tmp_path / "log.1").read_bytes() == b"1\n"
    change(process, stdout_logfile_rotate=None, stdout_logfile_mode=None)
    write(process, b"2\n")
    programs.world.pass_time(60)
    assert log.read_bytes() == b"2\n"
    log.chmod(0o640)
    process.reopenlogs()
    assert log.stat().st_mode & 0o777 == 0o640


def test_events_begin_and_end(programs: Programs) -> None:
    seen: list[object] = []
    events.subscribe(events.ProcessLogEvent, seen.append)
    process = running(programs)
    for is_enabled in (True, False):
        change(process, stdout_events_enabled=is_enabled)
        write(process, b"text\n")
        assert len(seen) == 1


def test_a_log_that_cannot_be_opened_leaves_everything_as_it_was(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = {"stdout_logfile": str(tmp_path / "o"), "stderr_logfile": str(tmp_path / "e")}
    process = running(programs, **logs)
    before, opened = process.config, streams.open_child_log

    def fail(process: Any, channel: str, pid: Any) -> Any:
        if channel == "stderr":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(process, channel, pid)

    with monkeypatch.context() as patch:
        patch.setattr(streams, "open_child_log", fail)
        with pytest.raises(PermissionError):
            change(process, stdout_logfile_backups=1, stderr_logfile_backups=1, stopwaitsecs=1)
    assert process.config is before
    write(process, b"still there\n")
    assert (tmp_path / "o").read_bytes() == b"still there\n"


def test_a_generated_log_is_kept(programs: Programs, tmp_path: Path) -> None:
    log = tmp_path / "generated.log"
    process = running(programs, stdout_logfile=str(log))
    change(process, stdout_logfile=Automatic, stopwaitsecs=3)
    assert process.config.stdout.logfile == str(log)


# -- health ----------------------------------------------------------------------------------------


def test_a_running_process_gets_another_time(programs: Programs) -> None:
    """It counts from the begin of RUNNING, also if there was none before."""
    process = running(programs)
    programs.world.pass_time(50)
    change(process, max_runtime=60.0)
    assert not process.is_plain
    programs.world.pass_time(9.9)
    assert process.state == S.RUNNING
    change(process, max_runtime=70.0)
    programs.world.pass_time(9.9)
    assert process.state == S.RUNNING
    programs.world.pass_time(0.3)
    assert process.state == S.STOPPING


def test_a_running_process_is_no_longer_limited(programs: Programs) -> None:
    process = running(programs, max_runtime=60.0)
    change(process, max_runtime=0.0)
    assert (process.health, process.is_plain) == (None, True)
    programs.world.pass_time(100)
    assert process.state == S.RUNNING


def test_a_running_process_gets_another_check(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    probes: list[str] = []
    monkeypatch.setattr(ProbeRunner, "start", lambda _self, probe, *_: probes.append(probe.text))
    check = {"liveness_check_initial_delay": 10.0, "liveness_check_period": 10.0}
    process = running(programs, liveness_check_script=parse_probe("one"), **check)
    programs.world.pass_time(10)
    change(process, liveness_check_script=parse_probe("two"))
    programs.world.pass_time(10)
    assert probes == ["one", "two"]


def test_an_equal_check_goes_on(programs: Programs) -> None:
    """Its failures count, also after other changes."""
    process = running(programs, liveness_check_script=parse_probe("one"))
    monitor = process.health
    change(process, stopwaitsecs=77)
    assert process.health is monitor


def test_a_program_that_is_being_aborted_is_still_killed(programs: Programs) -> None:
    options = {"watchdog": 5.0, "max_runtime": 1000.0, "notify": "true", "stopwaitsecs": 10}
    process = running(programs)
    process.config = config(**options)
    process.health = make_health_monitor(process)
    assert process.health is not None
    process.health.entered(S.RUNNING)
    process.arm()
    programs.world.pass_time(5)
    assert programs.world.signals == [(process.pid, signal.SIGABRT)]
    change(process, max_runtime=2000.0)
    programs.world.pass_time(10)
    assert programs.world.signals[1:] == [(process.pid, signal.SIGKILL)]
