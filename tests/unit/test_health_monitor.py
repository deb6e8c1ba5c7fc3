"""Supervision of running programs: when they are restarted, stopped or aborted, and how."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from supervisor import events
from supervisor.common.notify_protocol import parse_notification
from supervisor.common.probes import NotRun, parse_probe
from supervisor.config.health import failure_action
from supervisor.daemon.exit_watch import last_run
from supervisor.process.child import Subprocess
from supervisor.process.details import process_details, process_info
from supervisor.process.groups import ProcessGroup
from supervisor.process.health_monitor import HealthMonitor
from supervisor.process.probes import ProbeRunner
from supervisor.process.usage import UsageMonitor
from supervisor.rpc import control
from supervisor.states import ProcessStates, SupervisorStates
from tests.support.world import World

S = ProcessStates
TERM, KILL, ABRT = signal.SIGTERM, signal.SIGKILL, signal.SIGABRT
EXIT_0, EXIT_3 = 0, 3 << 8
MIB = 1024 * 1024
REFUSED = "connection refused"


class Program:
    """A program that is RUNNING, with a check each ten seconds, the first one after ten."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        self.world = world
        self.probes: list[tuple[str, float]] = []
        self.answer: Callable[[str | None], object] = lambda _failure: None
        self.answers: list[tuple[str, Callable[[str | None], object]]] = []
        self.cancelled: list[str] = []

        def start(_runner: ProbeRunner, probe: Any, timeout: float, on_result: Any) -> None:
            self.probes.append((probe.text, timeout))
            self.answer = on_result
            self.answers.append((probe.text, on_result))

        monkeypatch.setattr(ProbeRunner, "start", start)
        monkeypatch.setattr(ProbeRunner, "cancel", lambda each: self.cancelled.append(each._name))
        defaults = {
            "startsecs": 0,
            "liveness_check_script": parse_probe("tcp://127.0.0.1:1"),
            "liveness_check_initial_delay": 10.0,
            "liveness_check_period": 10.0,
            "liveness_check_failure_threshold": 2,
        }
        world.clock.advance(-world.clock.monotonic() % 10)
        self.process: Subprocess = world.process(**(defaults | options))
        self.process.transition()
        world.pass_time(0)
        assert self.state == S.RUNNING

    @property
    def state(self) -> int:
        return self.process.state

    @property
    def health(self) -> HealthMonitor:
        assert self.process.health is not None
        return self.process.health

    @property
    def description(self) -> str:
        return str(process_info(self.group, self.process)["description"])

    @property
    def group(self) -> ProcessGroup:
        assert isinstance(self.process.group, ProcessGroup)
        return self.process.group

    @property
    def reasons(self) -> list[str]:
        return [reason for _, _, reason in self.process.history.transitions]

    def fail(self, reason: str | None = REFUSED) -> None:
        """Let the next check end, with a failure or None."""
        before = len(self.probes)
        self.world.pass_time(10)
        assert len(self.probes) == before + 1
        self.answer(reason)
        self.world.pass_time(0)

    def die(self, status: int = EXIT_0) -> None:
        self.process.finish(self.process.pid, status)
        self.world.pass_time(0)

    def notify(self, text: str) -> None:
        self.health.notified(parse_notification(text.encode()))
        self.world.pass_time(0)


Make = Callable[..., Program]


@pytest.fixture
def make(world: World, monkeypatch: pytest.MonkeyPatch) -> Make:
    return lambda **options: Program(world, monkeypatch, **options)


# -- the check -------------------------------------------------------------------


def test_checks_run_while_the_program_is_running(make: Make, world: World) -> None:
    program = make(liveness_check_timeout=7.0)
    world.pass_time(9.9)
    assert program.probes == []
    program.world.pass_time(0.1)
    assert program.probes == [("tcp://127.0.0.1:1", 7.0)]
    world.pass_time(100)
    assert len(program.probes) == 1  # the first one has not ended
    program.answer(None)
    program.process.stop()
    world.pass_time(100)
    assert len(program.probes) == 1
    assert "liveness check of p" in program.cancelled


def test_what_users_see(make: Make, world: World) -> None:
    program = make(liveness_check_failure_threshold=3)
    changed: list[Any] = []
    world.runtime.services.description_subscribers.append(changed.append)
    assert program.health.text == ""
    program.fail(None)
    assert (program.health.text, program.description[:9]) == ("ok", "pid 1001,")
    assert program.description.count(",") == 1
    for number in (1, 2):
        program.fail()
        assert program.description.split(", ")[2:] == [f"health: failing ({number}/3)"]
        assert process_details(program.group, program.process)["health"] == f"failing ({number}/3)"
    assert len(changed) == 3
    program.fail(None)
    assert program.description.count(",") == 1
    assert world.lines("warn") == [
        "p: liveness check failing (1/3): connection refused",
        "p: liveness check failing (2/3): connection refused",
    ]
    assert "p: liveness check ok" in world.lines("info")


def test_a_failed_program_is_restarted_as_after_a_crash(make: Make, world: World) -> None:
    program = make(autorestart=False, restartpause=5.0)
    program.fail()
    program.fail()
    assert (program.state, world.signals) == (S.STOPPING, [(1001, TERM)])
    assert world.lines("warn")[-1] == (
        "restarting p: liveness check failed 2 times in a row: connection refused"
    )
    program.die(TERM)
    assert program.state == S.STOPPED
    assert program.description.endswith(", restart in 5 s")
    world.pass_time(4.9)
    assert program.state == S.STOPPED
    world.pass_time(0.1)
    assert (program.state, program.process.pid) == (S.RUNNING, 1002)
    assert program.process.history.restarts == 1
    assert program.reasons[-4:] == [
        "liveness check failed 2 times in a row: connection refused",
        "terminated by SIGTERM",
        "automatic restart",
        "up for startsecs",
    ]
    assert program.health.text == ""
    assert program.description.count(",") == 1


def test_a_program_that_ignores_the_stop_is_killed(make: Make, world: World) -> None:
    program = make(stopwaitsecs=3, liveness_check_failure_threshold=1)
    program.fail()
    world.pass_time(3)
    assert world.signals == [(1001, TERM), (1001, KILL)]


def test_such_restarts_count_for_the_start_limit(make: Make, world: World) -> None:
    program = make(
        liveness_check_failure_threshold=1, startlimit_burst=2, startlimit_interval=1000.0
    )
    for _ in range(3):
        program.fail()
        program.die(TERM)
        world.pass_time(1)
    assert program.state == S.FATAL
    assert program.process.spawnerr == "restarted 2 times in 1000 seconds (startlimit_burst)"
    assert last_run(program.process).timed_out


def test_the_action_stop_is_for_good(make: Make, world: World) -> None:
    program = make(
        liveness_check_failure_action="stop",
        liveness_check_failure_threshold=1,
        autorestart=True,
    )
    program.fail()
    assert (program.state, world.signals) == (S.STOPPING, [(1001, TERM)])
    program.die()
    assert program.state == S.FATAL
    assert program.process.is_down_for_good
    assert program.process.spawnerr == "liveness check failed: connection refused"
    assert program.description == "liveness check failed: connection refused"
    run = last_run(program.process)
    assert (run.exit_status(), str(run)) == (11, f"FATAL, liveness check failed: {REFUSED}")
    world.pass_time(1000)
    assert program.state == S.FATAL
    program.process.spawn()
    program.process.transition()
    assert program.state == S.RUNNING
    assert not last_run(program.process).timed_out


def test_a_command_runs_once_for_each_failure(make: Make, world: World) -> None:
    program = make(
        liveness_check_failure_action=failure_action("page-me --now"), liveness_check_timeout=5.0
    )

    def fail(failure: str | None) -> None:
        world.pass_time(10)
        program.answer(failure)

    fail(REFUSED)
    fail(REFUSED)
    assert program.probes[2:] == [("page-me --now", 5.0)]
    program.answer("exit status 3")
    assert world.lines("warn")[-2:] == [
        "p: running liveness_check_failure_action: page-me --now",
        "p: liveness_check_failure_action failed: exit status 3",
    ]
    for failure in (REFUSED, REFUSED, None, REFUSED):
        fail(failure)
    assert [text for text, _ in program.probes].count("page-me --now") == 1
    fail(REFUSED)
    assert [text for text, _ in program.probes].count("page-me --now") == 2
    assert program.state == S.RUNNING


def test_a_command_that_restarts_the_program_is_not_killed_with_it(make: Make) -> None:
    """It is killed only if the daemon shuts down."""
    program = make(liveness_check_failure_action=failure_action("supervisorctl restart p"))
    action = "liveness_check_failure_action of p"
    program.cancelled.clear()
    program.process.stop()
    assert action not in program.cancelled
    program.world.runtime.daemon_state = SupervisorStates.SHUTDOWN
    program.die()
    assert action in program.cancelled


def shown(program: Program) -> tuple[str, str, float]:
    """Return the health of a program as clients get it, with the time since when it fails."""
    found = process_details(program.group, program.process)
    since = found["health_since"]
    seconds = program.world.clock.time() - since if since else 0.0
    return found["health"], found["health_reason"], round(seconds, 3)


def test_the_reason_and_the_begin_of_a_failure(make: Make, world: World) -> None:
    """Since when it fails is the time of the first failure after a success."""
    program = make(liveness_check_failure_threshold=3, liveness_check_success_threshold=2)
    changed: list[Any] = []
    world.runtime.services.description_subscribers.append(changed.append)
    for result, expected in (
        (REFUSED, ("failing (1/3)", REFUSED, 0)),
        (None, ("", "", 0)),
        (None, ("ok", "", 0)),
        (REFUSED, ("failing (1/3)", REFUSED, 0)),
        ("HTTP 500", ("failing (2/3)", "HTTP 500", 10)),
        (None, ("ok", "", 0)),
        ("HTTP 502", ("failing (1/3)", "HTTP 502", 0)),
    ):
        program.fail(result)
        assert shown(program) == expected
    assert len(changed) == 7
    program.process.stop()
    assert shown(program) == ("", "", 0)


def test_an_unhealthy_program_has_a_reason_until_it_is_healthy(make: Make, world: World) -> None:
    """Whose changes are shown, though the number of failures stays the same."""
    program = make(
        liveness_check_failure_action=failure_action("true"),
        liveness_check_failure_threshold=1,
        liveness_check_success_threshold=2,
    )
    changed: list[Any] = []
    world.runtime.services.description_subscribers.append(changed.append)
    for number, (result, expected) in enumerate(
        [
            (REFUSED, ("failing (1/1)", REFUSED, 0)),
            ("HTTP 500", ("failing (1/1)", "HTTP 500", 10)),
            (None, ("failing (1/1)", "HTTP 500", 20)),
            (None, ("ok", "", 0)),
        ]
    ):
        world.pass_time(10)
        # The latest probe; the one before may have been the command of the action.
        [check for check in program.answers if check[0] != "true"][-1][1](result)
        assert shown(program) == expected, number
    assert len(changed) == 3


def test_a_check_that_cannot_be_run_is_no_failure(make: Make, world: World) -> None:
    """Without fds or memory for checks, a daemon would restart all of its programs."""
    program = make(liveness_check_failure_threshold=2)
    lacking = NotRun("too many open files")
    for result, expected in (
        (None, ("ok", "", 0)),
        (lacking, ("not checked", lacking, 0)),
        (lacking, ("not checked", lacking, 10)),
        (None, ("ok", "", 0)),
        (REFUSED, ("failing (1/2)", REFUSED, 0)),
        (lacking, ("failing (1/2)", REFUSED, 10)),
        (None, ("ok", "", 0)),
        (lacking, ("not checked", lacking, 0)),
        (REFUSED, ("failing (1/2)", REFUSED, 10)),
    ):
        program.fail(result)
        assert shown(program) == expected
    assert [line for line in world.lines("warn", "info") if "liveness" in line] == [
        "p: liveness check not run: too many open files",
        "p: liveness check ok",
        "p: liveness check failing (1/2): connection refused",
        "p: liveness check not run: too many open files",
        "p: liveness check ok",
        "p: liveness check not run: too many open files",
        "p: liveness check failing (1/2): connection refused",
    ]
    program.fail(lacking)
    assert program.state == S.RUNNING
    program.fail()
    assert program.state == S.STOPPING


@pytest.mark.parametrize("results", [(None, None, REFUSED, None, None), (REFUSED, None, None)])
def test_the_log_of_a_recovery(make: Make, world: World, results: list[str | None]) -> None:
    """Nothing about a success that is not enough, and `ok` once it is."""
    program = make(liveness_check_failure_threshold=3, liveness_check_success_threshold=2)
    for result in results:
        program.fail(result)
    assert [line for line in world.lines("warn", "info") if "liveness" in line] == [
        "p: liveness check failing (1/3): connection refused",
        "p: liveness check ok",
    ]


def test_events_of_a_program_with_a_check(make: Make) -> None:
    heard: list[str] = []
    events.subscribe(
        events.ProcessHealthEvent,
        lambda event: heard.append(type(event).__name__ + event.payload()),
    )
    program = make()
    for failure in (None, None, REFUSED, None, REFUSED, "timed out"):
        program.fail(failure)
    assert heard == [
        "ProcessHealthOkEventprocessname:p groupname:p pid:1001 failures:0\n",
        "ProcessHealthFailedEventprocessname:p groupname:p pid:1001 failures:2\ntimed out",
    ]


@pytest.mark.parametrize("request_name", ["stop", "stop all", "start", "retire", "shutdown"])
@pytest.mark.parametrize("action", ["restart", "stop"])
def test_requests_while_it_is_being_stopped(make: Make, request_name: str, action: str) -> None:
    """A request of a client decides, and not the plan of the daemon."""
    program = make(liveness_check_failure_action=action, liveness_check_failure_threshold=1)
    process, world = program.process, program.world
    program.fail()
    assert program.state == S.STOPPING
    if request_name == "stop":
        control.stop(process, "p", wait=False)
    elif request_name == "stop all":
        process.stop_or_give_up()
    elif request_name == "start":
        control.start(process, "p", wait=False)
    elif request_name == "retire":
        process.retire()
    else:
        world.runtime.daemon_state = SupervisorStates.SHUTDOWN
    program.die(TERM)
    world.pass_time(10)
    if request_name == "start":
        assert (program.state, process.history.restarts) == (S.RUNNING, 0)
    elif request_name in {"retire", "shutdown"} and action == "stop":
        assert program.state == S.FATAL
    else:
        assert program.state == S.STOPPED
    world.pass_time(100)
    assert process.history.starts == (2 if request_name == "start" else 1)


def test_a_stop_during_the_pause_cancels_the_restart(make: Make, world: World) -> None:
    program = make(liveness_check_failure_threshold=1, restartpause=5.0)
    program.fail()
    program.die(TERM)
    assert program.process.awaits_start
    control.stop(program.process, "p", wait=False)
    world.pass_time(100)
    assert program.state == S.STOPPED
    assert program.process.is_down_for_good


def test_a_late_result_does_not_concern_the_next_run(make: Make, world: World) -> None:
    program = make(liveness_check_failure_threshold=1, autorestart=True)
    world.pass_time(10)
    late = program.answer
    program.die(EXIT_3)
    world.pass_time(1)
    assert program.process.pid == 1002
    late(REFUSED)
    world.pass_time(0)
    assert (program.state, program.health.text) == (S.RUNNING, "")


def test_checks_of_many_programs_share_a_wakeup(make: Make, world: World) -> None:
    """After their first ones, checks of one period are due at the same time."""
    first = make(name="a")
    world.pass_time(3.7)
    monkeys = [world.process(**{**vars_of(first), "name": f"p{number}"}) for number in range(5)]
    for each in monkeys:
        each.transition()
        world.pass_time(0.3)
    for _ in range(40):
        world.pass_time(1)
        first.answer(None)
        for each in monkeys:
            if each.health is not None and each.health._liveness is not None:
                each.health._liveness._checked(None)
    timers = {each._timer.when for each in [first.process, *monkeys] if each._timer is not None}
    assert len(timers) == 1


def vars_of(program: Program) -> dict[str, Any]:
    health = program.process.config.health
    return {"startsecs": 0} | vars(health)


# -- the watchdog ----------------------------------------------------------------

WATCHDOG: dict[str, Any] = {"liveness_check_script": None, "watchdog": 5.0}


@pytest.fixture
def watched(make: Make, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Programs with a watchdog, that are RUNNING; how they become ready does not matter here."""
    monkeypatch.setattr("supervisor.process.startup._monitor", lambda _process: None)
    return lambda **options: make(**(WATCHDOG | {"notify": "true"} | options))


def test_a_program_that_does_not_report_is_aborted(watched: Make, world: World) -> None:
    """It is a crash: the restart is up to `autorestart`, and the exit is not expected."""
    program = watched(stopwaitsecs=3, autorestart=False)
    for _ in range(4):
        world.pass_time(4)
        program.notify("WATCHDOG=1")
    world.pass_time(4.9)
    assert world.signals == []
    world.pass_time(0.1)
    assert world.signals == [(1001, ABRT)]
    assert program.state == S.RUNNING
    assert program.description.endswith(", health: failing (watchdog)")
    assert shown(program) == ("failing (watchdog)", "watchdog: no WATCHDOG=1 for 5 seconds", 0)
    assert world.lines("warn") == [
        "aborting 'p' (1001) with SIGABRT: watchdog: no WATCHDOG=1 for 5 seconds"
    ]
    world.pass_time(3)
    assert world.signals[1:] == [(1001, KILL)]
    assert shown(program)[2] == 3
    program.die(KILL)
    assert shown(program) == ("", "", 0)
    assert (program.state, program.process.exitstatus) == (S.EXITED, -1)
    assert program.process.spawnerr == "watchdog: no WATCHDOG=1 for 5 seconds"
    assert program.reasons[-1] == "watchdog: no WATCHDOG=1 for 5 seconds"


def test_an_exit_with_0_after_sigabrt_is_not_expected(watched: Make, world: World) -> None:
    heard: list[str] = []
    events.subscribe(events.ProcessStateExitedEvent, lambda event: heard.append(event.payload()))
    program = watched()
    world.pass_time(5)
    program.die(EXIT_0)
    assert heard == ["processname:p groupname:p from_state:RUNNING expected:0 pid:1001"]
    world.pass_time(1)
    assert (program.state, program.process.history.restarts) == (S.RUNNING, 1)
    assert program.description.count(",") == 1


def test_a_trigger_acts_at_once(watched: Make, world: World) -> None:
    program = watched()
    program.notify("WATCHDOG=trigger")
    assert world.signals == [(1001, ABRT)]


def test_another_time(watched: Make, world: World) -> None:
    program = watched()
    program.notify("WATCHDOG_USEC=1000000")
    world.pass_time(1)
    assert world.signals == [(1001, ABRT)]


def test_a_stop_while_it_is_aborted(watched: Make, world: World) -> None:
    program = watched(stopwaitsecs=3)
    world.pass_time(5)
    program.process.stop()
    program.die(ABRT)
    assert program.state == S.STOPPED
    assert not program.process.awaits_start


def test_a_report_costs_no_new_timer(watched: Make, world: World) -> None:
    program = watched()
    timer = program.process._timer
    world.pass_time(1)
    program.notify("WATCHDOG=1")
    assert program.process._timer is timer


def test_a_watchdog_without_notify_has_no_effect(make: Make) -> None:
    assert make(**WATCHDOG).process.health is None


# -- memory and time -------------------------------------------------------------


def test_too_much_memory_in_three_looks(
    make: Make, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = [11, 9, 11, 11, 11]
    monkeypatch.setattr(UsageMonitor, "memory", lambda _self, _pid: used.pop(0) * MIB)
    monkeypatch.setattr(UsageMonitor, "_poll", lambda _self: True)
    program = make(liveness_check_script=None, max_memory_restart=10 * MIB)
    world.pass_time(0)
    for _ in range(6):
        if program.state == S.RUNNING:
            world.pass_time(30)
    assert (used, program.state, world.signals) == ([], S.STOPPING, [(1001, TERM)])
    assert world.lines("warn") == [
        "restarting p: uses 11.0 MB of memory (max_memory_restart: 10.0 MB)"
    ]
    program.die(TERM)
    world.pass_time(1)
    assert (program.state, program.process.history.restarts) == (S.RUNNING, 1)


@pytest.mark.parametrize(("share", "runtime"), [(0.0, 100), (0.5, 110)])
def test_a_program_that_has_run_long_enough(
    make: Make, world: World, share: float, runtime: float
) -> None:
    program = make(max_runtime=100.0, max_runtime_jitter=20.0, liveness_check_script=None)
    program.health._random_share = lambda: share
    for number in (1, 2):
        program.process.stop()
        program.die()
        program.process.spawn()
        program.process.transition()
        world.signals.clear()
        world.pass_time(runtime - 0.1)
        assert (number, world.signals) == (number, [])
        world.pass_time(0.1)
        assert (number, program.state) == (number, S.STOPPING)
    assert "restarting p: has run for 100 seconds (max_runtime)" in world.lines("info")
    program.die()
    world.pass_time(1)
    assert program.state == S.RUNNING


def test_a_plain_program_has_no_monitor(world: World) -> None:
    process = world.process()
    assert process.health is None
    assert process.is_plain
