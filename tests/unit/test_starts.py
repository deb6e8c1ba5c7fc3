"""Starts of processes that are down: pauses and limits, dependencies, and the way of a request."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from supervisor.common.faults import Faults, RPCError
from supervisor.datatypes import RestartUnconditionally
from supervisor.engine.deferred import NOT_DONE_YET
from supervisor.process.child import Subprocess
from supervisor.rpc import control
from supervisor.states import ProcessStates, SupervisorStates
from tests.support.programs import EXIT_0, EXIT_3, Programs
from tests.support.world import World

S = ProcessStates


@pytest.fixture
def programs(world: World) -> Programs:
    return Programs(world)


# -- pauses and limits -------------------------------------------------------------------------


def flapping(programs: Programs, count: int, **options: Any) -> list[float]:
    """Return when a program that exits at once is restarted, in seconds from its first start."""
    process = programs.add("web", autorestart=RestartUnconditionally, startsecs=0, **options)
    programs.boot()
    began, times = programs.world.clock.monotonic(), []
    for _ in range(count):
        programs.world.pass_time(0)
        programs.die(process)
        while process.state == S.EXITED:
            programs.world.pass_time(0.5)
        times.append(programs.world.clock.monotonic() - began)
    return times


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [1.0, 2.0, 3.0]),
        ({"restartpause": 0.5}, [1.0, 2.0, 3.0]),  # a second after the start in any case
        ({"restartpause": 3}, [3.0, 6.0, 9.0]),
        ({"restartpause": 1, "restartfactor": 2}, [1.0, 3.0, 7.0]),
        ({"restartpause": 2, "restartfactor": 2, "maxbackoff": 3}, [2.0, 5.0, 8.0]),
    ],
    ids=str,
)
def test_pauses_after_an_exit(
    programs: Programs, options: dict[str, float], expected: list[float]
) -> None:
    assert flapping(programs, 3, **options) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [1.0, 3.0, 6.0]),  # the linear delay
        ({"restartpause": 2}, [2.0, 4.0, 7.0]),
        ({"maxbackoff": 1.5}, [1.0, 2.5, 4.0]),
    ],
    ids=str,
)
def test_pauses_after_a_failed_start(
    programs: Programs, options: dict[str, float], expected: list[float]
) -> None:
    process = programs.add("web", startretries=10, **options)
    programs.boot()
    began, times = programs.world.clock.monotonic(), []
    for _ in range(3):
        programs.die(process, EXIT_3)
        while process.state == S.BACKOFF:
            programs.world.pass_time(0.5)
        times.append(programs.world.clock.monotonic() - began)
    assert times == expected


def test_too_many_restarts_end_in_fatal(programs: Programs) -> None:
    limit = {"startlimit_burst": 3, "startlimit_interval": 10}
    assert flapping(programs, 4, **limit) == [1.0, 2.0, 3.0, 4.0]
    process = programs.process("web")
    assert process.state == S.FATAL
    assert process.spawnerr == "restarted 3 times in 10 seconds (startlimit_burst)"
    assert programs.world.lines("info")[-1] == (
        "gave up: web entered FATAL state, restarted too often"
    )
    assert process.next_deadline() is None


def test_a_start_by_hand_skips_the_pause_and_is_not_counted(programs: Programs) -> None:
    process = programs.add(
        "web",
        autorestart=RestartUnconditionally,
        startsecs=0,
        restartpause=100,
        startlimit_burst=1,
        startlimit_interval=1000,
    )
    programs.boot()
    for _ in range(5):
        programs.die(process)
        assert process.state == S.EXITED
        programs.start("web")
        assert process.state == S.RUNNING
    assert process.starts.restarts.limits is not None
    assert process.starts.restarts.limits.restarts_in_a_row == 0


def test_a_stop_cancels_the_pause(programs: Programs) -> None:
    process = programs.add("web", autorestart=RestartUnconditionally, startsecs=0, restartpause=5)
    programs.boot()
    programs.die(process)
    assert control.stop(process, "web", wait=True) is True
    programs.world.pass_time(100)
    assert process.state == S.EXITED
    with pytest.raises(RPCError, match="NOT_RUNNING"):
        control.stop(process, "web", wait=True)


def test_a_clock_that_is_set_does_not_move_a_pause(programs: Programs) -> None:
    process = programs.add("web", autorestart=RestartUnconditionally, startsecs=0, restartpause=5)
    programs.boot()
    programs.die(process)
    programs.world.clock.set_wall(programs.world.clock.time() + 100_000)
    programs.world.pass_time(4.9)
    assert process.state == S.EXITED
    programs.world.clock.set_wall(5)
    programs.world.pass_time(0.1)
    assert process.state == S.RUNNING


# -- the queue ---------------------------------------------------------------------------------


def slow_starts(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each start take 4 ms."""
    spawn = Subprocess.spawn

    def slow_spawn(process: Subprocess) -> int | None:
        programs.world.clock.advance(0.004)
        return spawn(process)

    monkeypatch.setattr(Subprocess, "spawn", slow_spawn)


def test_a_boot_is_spread_over_iterations(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_starts(programs, monkeypatch)
    for name in "abcdefg":
        programs.add(name, startsecs=100)
    counts = []
    for group in programs.groups.values():
        group.transition()
    while programs.world.runtime.services.start_queue:
        counts.append(list(programs.states().values()).count(S.STARTING))
        programs.world.runtime.loop.run_once(0)
    assert max(after - before for before, after in itertools.pairwise(counts)) <= 3
    assert set(programs.states().values()) == {S.STARTING}


def test_all_are_spawned_before_the_first_is_running(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of the log is that of Supervisor 4, in which starts hold up everything else."""
    slow_starts(programs, monkeypatch)
    for name in "abcdefg":
        programs.add(name, startsecs=0)
    for group in programs.groups.values():
        group.transition()
    while set(programs.states().values()) != {S.RUNNING}:
        programs.world.runtime.loop.run_once(0)
    lines = [line.split("'")[1] for line in programs.world.lines("info") if "spawned" in line]
    lines += [line.split()[1] for line in programs.world.lines("info") if "success" in line]
    assert "".join(lines) == "abcdefgabcdefg"


def test_what_is_queued_counts_as_starting_and_can_be_stopped(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_starts(programs, monkeypatch)
    for name in "abcdefg":
        programs.add(name, startsecs=100)
    for group in programs.groups.values():
        group.transition()
    assert programs.process("g").state == S.STOPPED
    assert programs.process("g").get_state() == S.STARTING  # as clients of Supervisor 4 see it
    with pytest.raises(RPCError, match="ALREADY_STARTED"):
        control.start(programs.process("g"), "g", wait=True)
    assert control.stop(programs.process("f"), "f", wait=True) is True
    assert programs.process("f").get_state() == S.STOPPED
    while programs.world.runtime.services.start_queue:
        programs.world.runtime.loop.run_once(0)
    assert programs.states()["f"] == S.STOPPED
    assert len(programs.world.plans) == 6


def test_a_shutdown_starts_nothing_more(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_starts(programs, monkeypatch)
    for name in "abcdefg":
        programs.add(name, startsecs=100)
    for group in programs.groups.values():
        group.transition()
    before = len(programs.world.plans)
    programs.world.runtime.daemon_state = SupervisorStates.SHUTDOWN
    while programs.world.runtime.services.start_queue:
        programs.world.runtime.loop.run_once(0)
    assert len(programs.world.plans) == before


def test_a_group_start_is_spread_and_keeps_its_order(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_starts(programs, monkeypatch)
    programs.add("web", count=7, autostart=False, startsecs=0)
    group = programs.groups["web"]
    function = control.make_allfunc(
        [(group, process) for process in group.processes.values()],
        control.is_not_running,
        lambda name, wait: control.start(group.processes[name.partition(":")[2]], name, wait=wait),
        programs.world.runtime.services.start_queue.put,
        wait=True,
    )
    iterations = 0
    while (result := function()) is NOT_DONE_YET:
        programs.world.runtime.loop.run_once(0)
        iterations += 1
    assert [each["name"] for each in result] == [f"web_{number}" for number in range(7)]
    assert iterations > 2


# -- dependencies ------------------------------------------------------------------------------


def test_a_program_starts_when_its_dependencies_are_up(programs: Programs) -> None:
    web = programs.add("web", "db, cache")
    programs.add("db", startsecs=2)
    programs.add("cache", startsecs=5)
    programs.boot()
    assert (web.state, programs.waits(web)) == (S.STOPPED, ["db (STARTING)", "cache (STARTING)"])
    programs.world.pass_time(2)
    assert programs.waits(web) == ["cache (STARTING)"]
    programs.world.pass_time(3)
    assert web.state == S.STARTING


def test_a_waiting_program_costs_no_timer(programs: Programs) -> None:
    programs.add("db", autostart=False)
    for number in range(100):
        programs.add(f"web{number}", "db")
    programs.boot()
    assert programs.world.runtime.loop._poll_timeout(None) is None


@pytest.mark.parametrize(
    ("kind", "requirement", "ends", "starts", "text"),
    [
        ("depends_on", "a", "running", True, ""),
        ("depends_on", "a", "starting", False, "a (STARTING)"),
        ("depends_on", "a", "completed", False, "a (EXITED)"),
        ("depends_on", "a", "failed", False, "a (EXITED)"),
        ("depends_on", "a", "fatal", False, "a (FATAL)"),
        ("depends_on", "-a", "running", True, ""),
        ("depends_on", "-a", "starting", False, "a (STARTING)"),
        ("depends_on", "-a", "fatal", True, ""),
        ("depends_on", "-a", "failed", True, ""),
        ("depends_on", "-gone", "running", True, ""),
        ("depends_on", "gone", "running", False, "gone (unknown)"),
        ("depends_on", "a:*", "running", True, ""),
        ("depends_on", "a:a", "running", True, ""),
        ("depends_on", "a:b", "running", False, "a:b (unknown)"),
        ("depends_on_completed", "a", "running", False, "a (not completed)"),
        ("depends_on_completed", "a", "completed", True, ""),
        ("depends_on_completed", "a", "failed", False, "a (not completed)"),
        ("depends_on_exited", "a", "running", False, "a (not exited)"),
        ("depends_on_exited", "a", "completed", True, ""),
        ("depends_on_exited", "a", "failed", True, ""),
    ],
)
def test_conditions(
    *, programs: Programs, kind: str, requirement: str, ends: str, starts: bool, text: str
) -> None:
    retries = {"startretries": 0, "startsecs": 5} if ends in {"fatal", "starting"} else {}
    a = programs.add("a", autorestart=False, **({"startsecs": 0} | retries))
    programs.boot()
    if ends in {"completed", "failed", "fatal"}:
        programs.die(a, EXIT_0 if ends == "completed" else EXIT_3)
        programs.world.pass_time(1)
    web = programs.add("web", startsecs=100, **{kind: requirement})
    programs.boot()
    assert web.state == (S.STARTING if starts else S.STOPPED)
    assert programs.waits(web) == ([] if starts else [text])


def test_all_processes_of_a_program_are_waited_for(programs: Programs) -> None:
    programs.add("db", count=3, startsecs=1)
    web = programs.add("web", "db")
    programs.boot()
    programs.die(programs.groups["db"].processes["db_2"], EXIT_3)
    programs.world.pass_time(0.9)
    assert programs.waits(web) == ["db (STARTING)"]
    programs.world.pass_time(0.1)
    assert programs.waits(web) == ["db (STARTING)"]  # the third, which has been started again
    programs.world.pass_time(1)
    assert web.state == S.STARTING


def test_a_dependency_that_fails_and_recovers_is_waited_for(programs: Programs) -> None:
    db = programs.add("db", startretries=0, startsecs=1)
    web = programs.add("web", "db")
    programs.boot()
    programs.die(db, EXIT_3)
    programs.world.pass_time(1)
    assert (db.state, programs.waits(web)) == (S.FATAL, ["db (FATAL)"])
    programs.start("db")
    programs.world.pass_time(1)
    assert web.state == S.STARTING


def test_a_start_pulls_its_dependencies_in(programs: Programs) -> None:
    programs.add("disk", autostart=False)
    programs.add("db", "disk", autostart=False)
    programs.add("other", autostart=False)
    web = programs.add("web", "db", autostart=False)
    waiting = programs.start("web")
    assert programs.states() == {
        "disk": S.STARTING,
        "db": S.STOPPED,
        "other": S.STOPPED,
        "web": S.STOPPED,
    }
    assert programs.waits(web) == ["db (STOPPED)"]
    for _ in range(3):
        assert waiting() is NOT_DONE_YET
        programs.world.pass_time(1)
    assert waiting() is True
    assert programs.states()["other"] == S.STOPPED


def start_all(programs: Programs) -> list[str]:
    """Start all processes; return the names of those that are reported."""
    members = [
        (group, each) for group in programs.groups.values() for each in group.processes.values()
    ]
    by_name = {each.name: each for _, each in members}

    def start(name: str) -> Any:
        process = by_name[name.rpartition(":")[2]]
        return control.start(process, name, wait=True)

    put = programs.world.runtime.services.start_queue.put
    function = control.make_allfunc(members, control.to_be_started(members), start, put)
    while (result := function()) is NOT_DONE_YET:
        programs.world.pass_time(1)
    assert {each["description"] for each in result} <= {"OK"}
    return sorted(each["name"] for each in result)


def test_a_start_of_all_reports_those_that_it_starts_or_waits_for(programs: Programs) -> None:
    programs.add("app", "web", autostart=False, startsecs=0)  # pulls the others in
    programs.add("web", "db", count=2)
    programs.add("db", startretries=0)
    programs.add("other")
    programs.boot()
    programs.die(programs.process("db"), EXIT_3)
    programs.world.pass_time(1)
    assert programs.states()["db"] == S.FATAL
    assert start_all(programs) == ["app", "db", "web_0", "web_1"]
    assert set(programs.states().values()) == {S.RUNNING}
    assert start_all(programs) == []


def test_a_start_of_all_passes_over_those_that_were_requested(programs: Programs) -> None:
    """As over those that are starting."""
    programs.add("db", startsecs=5)
    programs.add("web", "db", autostart=False)
    programs.boot()
    waiting = programs.start("web")
    assert start_all(programs) == []
    programs.world.pass_time(5)
    programs.world.pass_time(1)
    assert waiting() is True


def test_the_first_request_joins_a_wait_since_the_boot(programs: Programs) -> None:
    """It pulls the dependencies in; the second one is an error."""
    db = programs.add("db", startretries=0)
    web = programs.add("web", "db")
    programs.boot()
    programs.die(db, EXIT_3)
    programs.world.pass_time(1)
    assert (db.state, programs.waits(web)) == (S.FATAL, ["db (FATAL)"])
    waiting = programs.start("web")
    assert (waiting(), db.state) == (NOT_DONE_YET, S.STARTING)
    with pytest.raises(RPCError, match="ALREADY_STARTED"):
        programs.start("web")
    programs.world.pass_time(1)
    programs.world.pass_time(1)
    assert (waiting(), web.state) == (True, S.RUNNING)
    with pytest.raises(RPCError, match="ALREADY_STARTED"):
        programs.start("web")


def test_a_failed_request_leaves_a_wait_since_the_boot_as_it_was(programs: Programs) -> None:
    db = programs.add("db", startretries=0)
    web = programs.add("web", "db", startsecs=0)
    programs.boot()
    programs.die(db, EXIT_3)
    waiting = programs.start("web")
    programs.die(db, EXIT_3)
    with pytest.raises(RPCError, match="SPAWN_ERROR: web: dependency 'db' is FATAL"):
        waiting()
    assert programs.waits(web) == ["db (FATAL)"]
    waiting = programs.start("db")
    programs.world.pass_time(1)
    programs.world.pass_time(1)
    assert (waiting(), web.state) == (True, S.RUNNING)


@pytest.mark.parametrize("failed", [0, 1])
def test_one_process_that_has_failed_ends_a_request(programs: Programs, failed: int) -> None:
    """Although another process of the same program is still being started."""
    programs.add("db", count=2, autostart=False, startsecs=1000)
    programs.add("web", "db", autostart=False)
    programs.boot()
    poll = programs.start("web")
    assert poll() is NOT_DONE_YET
    list(programs.groups["db"].processes.values())[failed].fail("it is a test")
    programs.world.pass_time(0)
    with pytest.raises(RPCError, match="SPAWN_ERROR: web: dependency 'db' is FATAL"):
        poll()


def test_a_dependency_that_fails_again_at_once_fails_the_request(programs: Programs) -> None:
    """Within one iteration of the loop, so that all looks as before the request."""
    db = programs.add("db", startretries=0)
    web = programs.add("web", "db")
    programs.boot()
    programs.die(db, EXIT_3)
    programs.world.pass_time(1)
    waiting: Any = control.start(web, "web", wait=True)
    assert waiting() is NOT_DONE_YET
    woken: list[bool] = []
    for source in waiting.wake_sources:
        source.add(lambda: woken.append(True))
    db.finish(db.pid, EXIT_3)
    db.transition()
    assert db.state == S.FATAL
    programs.world.pass_time(0)
    assert woken
    with pytest.raises(RPCError, match="SPAWN_ERROR: web: dependency 'db' is FATAL"):
        waiting()


def test_the_first_request_joins_a_start_for_a_dependent(programs: Programs) -> None:
    """In each state, once: `start app db` starts the database as well."""
    for seconds in (0, 0.5, 1):  # STARTING, STARTING, RUNNING
        db = programs.add("db", autostart=False)
        programs.add("app", "db", autostart=False)
        programs.start("app")
        programs.world.pass_time(seconds)
        result = programs.start("db")
        programs.world.pass_time(1)
        assert result is True or result() is True
        assert db.state == S.RUNNING
        with pytest.raises(RPCError, match="ALREADY_STARTED"):
            programs.start("db")


def test_a_start_for_a_dependent_can_be_joined_until_it_ends(programs: Programs) -> None:
    """An automatic restart is none that was requested."""
    db = programs.add("db", autostart=False)
    programs.add("app", "db", autostart=False)
    programs.start("app")
    programs.world.pass_time(1)
    programs.die(db, EXIT_3)
    programs.world.pass_time(1)
    programs.world.pass_time(1)
    assert db.state == S.RUNNING
    with pytest.raises(RPCError, match="ALREADY_STARTED"):
        programs.start("db")


def test_a_start_that_is_joined_in_the_queue_waits_for_its_end(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier failure of the program is not the result."""
    disk = programs.add("disk", autorestart=False, startsecs=0)
    db = programs.add("db", "disk", startsecs=0)
    programs.add("app", "db", autostart=False, startsecs=0)
    programs.boot()
    programs.world.pass_time(0)
    programs.die(disk)
    programs.die(db, EXIT_3)
    programs.world.pass_time(5)
    assert (db.state, programs.waits(db)) == (S.EXITED, ["disk (EXITED)"])
    slow_starts(programs, monkeypatch)
    control.start(programs.process("app"), "app", wait=True)
    for name in "abcdefg":
        programs.add(name, startsecs=100).transition()
    disk.mark_running()
    db.transition()
    assert db.starts.is_queued
    waiting = control.start(db, "db", wait=True)
    assert waiting() is NOT_DONE_YET  # type: ignore[operator]
    for _ in range(10):
        programs.world.pass_time(0)
    assert waiting() is True  # type: ignore[operator]


def test_a_start_alone_waits_for_nothing(programs: Programs) -> None:
    programs.add("db", autostart=False)
    web = programs.add("web", "db", autostart=False)
    programs.start("web", alone=True)
    assert (web.state, programs.states()["db"]) == (S.STARTING, S.STOPPED)


def test_a_start_pulls_in_what_its_dependencies_share(programs: Programs) -> None:
    """Each order of a program's dependencies, one of which needs the other."""
    for number, needed in enumerate(("a{0}, b{0}", "b{0}, a{0}")):
        programs.add(f"b{number}", autostart=False)
        programs.add(f"a{number}", f"b{number}", autostart=False)
        programs.add(f"web{number}", needed.format(number), autostart=False)
        waiting = control.start(programs.process(f"web{number}"), "web", wait=True)
        assert waiting() is NOT_DONE_YET
        programs.world.pass_time(1)
        programs.world.pass_time(1)
        assert waiting() is NOT_DONE_YET
        programs.world.pass_time(1)
        assert waiting() is True


def test_a_start_revives_a_dependency_that_waits_in_vain(programs: Programs) -> None:
    db = programs.add("db")
    app = programs.add("app", "db", on_dependency_failure="stop")
    programs.add("web", "app", autostart=False)
    programs.boot()
    for _ in range(2):
        programs.world.pass_time(1)
    control.stop(db, "db", wait=False)
    programs.die(db)
    programs.die(app)
    assert (programs.waits(app), app.is_down_for_good) == (["db (STOPPED)"], True)
    waiting = control.start(programs.process("web"), "web", wait=True)
    assert waiting() is NOT_DONE_YET
    for _ in range(3):
        programs.world.pass_time(1)
    assert waiting() is True


def test_a_dependency_that_gives_up_fails_the_request(programs: Programs) -> None:
    db = programs.add("db", startretries=0, autostart=False)
    web = programs.add("web", "db", autostart=False)
    waiting = programs.start("web")
    assert waiting() is NOT_DONE_YET
    programs.die(db, EXIT_3)
    programs.world.pass_time(1)
    with pytest.raises(RPCError) as error:
        waiting()
    assert (error.value.code, error.value.text) == (
        Faults.SPAWN_ERROR,
        "SPAWN_ERROR: web: dependency 'db' is FATAL",
    )
    programs.start("db")
    programs.world.pass_time(1)
    assert (db.state, web.state) == (S.RUNNING, S.STOPPED)  # the request has been withdrawn


def test_a_long_chain_learns_that_it_waits_in_vain(programs: Programs) -> None:
    db = programs.add("p0", startretries=0, autostart=False)
    for number in range(1, 1500):
        programs.add(f"p{number}", f"p{number - 1}", autostart=False)
    waiting = programs.start("p1499")
    programs.die(db, EXIT_3)
    for _ in range(1600):
        programs.world.pass_time(0)
    with pytest.raises(RPCError, match="dependency 'p1498' is STOPPED"):
        waiting()


def test_a_second_start_and_a_stop_of_a_waiting_program(programs: Programs) -> None:
    db = programs.add("db", autostart=False)
    web = programs.add("web", "db", autostart=False)
    waiting = programs.start("web")
    with pytest.raises(RPCError, match="ALREADY_STARTED"):
        programs.start("web")
    assert control.stop(web, "web", wait=True) is True
    with pytest.raises(RPCError, match="ABNORMAL_TERMINATION"):
        waiting()
    programs.world.pass_time(1)
    programs.world.pass_time(1)
    assert (db.state, web.state) == (S.RUNNING, S.STOPPED)


def test_a_stop_of_a_program_that_waits_since_the_boot_is_kept(programs: Programs) -> None:
    db = programs.add("db", startsecs=5)
    web = programs.add("web", "db")
    programs.boot()
    assert control.stop(web, "web", wait=True) is True
    programs.world.pass_time(5)
    assert (db.state, web.state) == (S.RUNNING, S.STOPPED)


def test_a_program_that_is_restarted_waits_again(programs: Programs) -> None:
    db = programs.add("db", autorestart=False, startsecs=0)
    web = programs.add("web", "db", autorestart=RestartUnconditionally, startsecs=0)
    programs.boot()
    programs.world.pass_time(0)
    programs.die(db)
    programs.die(web)
    programs.world.pass_time(5)
    assert (web.state, programs.waits(web)) == (S.EXITED, ["db (EXITED)"])
    programs.start("db")
    programs.world.pass_time(0)
    assert web.state in {S.STARTING, S.RUNNING}


def test_a_wait_that_takes_too_long_ends_in_fatal(programs: Programs) -> None:
    programs.add("db", startsecs=100)
    web = programs.add("web", "db", dependency_timeout=30.0)
    programs.boot()
    programs.world.pass_time(29.9)
    assert web.state == S.STOPPED
    programs.world.pass_time(0.1)
    assert (web.state, web.spawnerr) == (S.FATAL, "waited 30 seconds for db (STARTING)")
    programs.world.pass_time(100)
    assert web.state == S.FATAL  # a person has to look
    programs.start("web")
    assert web.state == S.STARTING


def test_groups_that_come_and_go_are_looked_up_again(programs: Programs) -> None:
    web = programs.add("web", "db")
    programs.boot()
    assert programs.waits(web) == ["db (unknown)"]
    programs.add("db", startsecs=0)
    programs.world.runtime.services.processes.groups_changed()
    programs.boot()
    programs.world.pass_time(0)
    assert web.state == S.STARTING
