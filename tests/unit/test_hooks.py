"""Hooks of a process: when they run, what they delay, and every end of them."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from supervisor import events
from supervisor.common.faults import Faults, RPCError
from supervisor.config.hooks import POST_START, POST_STOP, PRE_START, PRE_STOP, STOP_COMMAND
from supervisor.datatypes import RestartUnconditionally
from supervisor.process import child
from supervisor.process.description import describe, outlook
from supervisor.process.details import process_info
from supervisor.process.plan import SpawnError
from supervisor.rpc import control
from supervisor.states import ProcessStates, SupervisorStates
from tests.support.hooked import Hooked
from tests.support.programs import EXIT_0, EXIT_3

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.world import World

S = ProcessStates
TERM, KILL = signal.SIGTERM, signal.SIGKILL


def test_a_whole_life(world: World) -> None:
    """One hook at a time; the child is started and signalled between them."""
    web = Hooked(world)
    seen = []

    def look() -> None:
        seen.append((web.state, web.hook, bool(web.process.pid)))

    web.start()
    look()
    web.end_hook()
    look()
    world.pass_time(1)
    look()
    web.end_hook()
    look()
    web.process.stop()
    look()
    web.end_hook()
    look()
    assert world.signals == []
    web.end_hook()
    assert world.signals == [(web.process.pid, TERM)]
    look()
    web.die()
    look()
    web.end_hook()
    look()
    assert seen == [
        (S.STARTING, PRE_START, False),
        (S.STARTING, "", True),
        (S.RUNNING, POST_START, True),
        (S.RUNNING, "", True),
        (S.STOPPING, PRE_STOP, True),
        (S.STOPPING, STOP_COMMAND, True),
        (S.STOPPING, "", True),
        (S.STOPPED, POST_STOP, False),
        (S.STOPPED, "", False),
    ]


def test_startsecs_and_uptime_begin_with_the_program(world: World) -> None:
    web = Hooked(world, PRE_START, startsecs=5)
    web.start()
    world.pass_time(30)
    assert web.state == S.STARTING
    now = world.clock.time()
    web.end_hook()
    world.pass_time(4.9)
    assert web.state == S.STARTING
    assert web.process.laststart == now
    world.pass_time(0.1)
    assert web.state == S.RUNNING


def test_a_process_in_its_first_hook(world: World) -> None:
    """It has no pid, and can be neither started again nor signalled."""
    web = Hooked(world, PRE_START)
    web.start()
    group: Any = web.process.group
    info = process_info(group, web.process)
    assert (info["statename"], info["pid"]) == ("STARTING", 0)
    assert info["description"] == "running pre_start_hook"
    assert web.process.spawn() is None
    with pytest.raises(RPCError) as refused:
        web.start()
    assert refused.value.code == Faults.ALREADY_STARTED
    assert web.process.signal(signal.SIGHUP) is not None
    assert len(world.plans) == 1
    assert world.runtime.loop._poll_timeout(None) == pytest.approx(60)  # nothing polls


def test_the_first_hook_may_create_the_program(world: World, directory: Path) -> None:
    """Its command is looked for after the hook; without a hook, `start` refuses at once."""
    command = str(directory / "app")
    web = Hooked(world, PRE_START, command=command)
    web.start()
    (directory / "app").symlink_to("/bin/true")
    web.end_hook()
    assert web.process.pid
    other = Hooked(world, POST_STOP, command=f"{command}2")
    with pytest.raises(RPCError) as refused:
        other.start()
    assert refused.value.code == Faults.NO_FILE


FAILURES = [
    (EXIT_3, "pre_start_hook failed: exit status 3"),
    (KILL, "pre_start_hook failed: terminated by SIGKILL"),
]


@pytest.mark.parametrize(("status", "text"), FAILURES)
def test_a_failure_of_the_first_hook_is_a_failed_start(
    world: World, status: int, text: str
) -> None:
    web = Hooked(world, PRE_START, startretries=1)
    waiting = web.start()
    web.end_hook(status)
    assert (web.state, web.process.spawnerr) == (S.BACKOFF, text)
    assert web.process.history.transitions[-1][2] == text
    with pytest.raises(RPCError) as failure:
        waiting()
    assert failure.value.code == Faults.SPAWN_ERROR
    world.pass_time(1)
    assert (web.state, web.hook) == (S.STARTING, PRE_START)
    web.end_hook(status)
    world.pass_time(2)
    assert (web.state, web.process.spawnerr) == (S.FATAL, text)
    assert len(world.plans) == 2


def test_a_hook_that_takes_too_long_is_killed_with_its_group(world: World) -> None:
    web = Hooked(world, PRE_START, hook_timeout=2.5)
    web.start()
    pid = web.helper().pid
    world.pass_time(2.4)
    assert web.state == S.STARTING
    world.pass_time(0.1)
    assert world.signals == [(-pid, KILL)]
    assert web.process.spawnerr == "pre_start_hook failed: timed out after 2.5 seconds"
    assert web.state == S.BACKOFF


def test_a_first_hook_that_may_fail(world: World) -> None:
    web = Hooked(world, PRE_START, pre_start_hook="-/bin/false")
    web.start()
    web.end_hook(EXIT_3)
    assert (web.state, bool(web.process.pid)) == (S.STARTING, True)
    assert world.lines("info")[-2] == "web: pre_start_hook failed: exit status 3 (ignored)"


@pytest.mark.parametrize("mark", ["", "-"])
@pytest.mark.parametrize("name", [POST_START, PRE_STOP, STOP_COMMAND, POST_STOP])
def test_a_failure_of_another_hook_is_only_logged(world: World, name: str, mark: str) -> None:
    web = Hooked(world, name, **{name: f"{mark}/bin/false"})
    web.run()
    web.process.stop()
    if web.hook:
        web.end_hook(EXIT_3)
    assert world.signals == [(web.process.pid, TERM)]
    web.die()
    if web.hook:
        web.end_hook(EXIT_3)
    assert web.state == S.STOPPED
    text = f"web: {name} failed: exit status 3"
    if name == POST_START:  # it has succeeded in `run`
        return
    expected = f"{text} (ignored)" if mark else text
    assert expected in world.lines("info" if mark else "warn")


@pytest.mark.parametrize("name", [PRE_START, POST_START, PRE_STOP, STOP_COMMAND, POST_STOP])
def test_a_hook_that_cannot_be_started_has_failed(world: World, name: str) -> None:
    web = Hooked(world, name, **{name: "/no/such/file"})
    reason = f"{name} failed: can't find command '/no/such/file'"
    if name == PRE_START:
        with pytest.raises(RPCError, match="SPAWN_ERROR"):
            web.start()
        assert (web.state, web.process.spawnerr) == (S.BACKOFF, reason)
        return
    web.start()
    world.pass_time(1)
    assert web.state == S.RUNNING
    web.process.stop()
    assert world.signals == [(web.process.pid, TERM)]
    web.die()
    assert (web.state, web.hook) == (S.STOPPED, "")
    assert world.lines("warn").count(f"web: {reason}") == 1


def test_a_stop_in_the_first_hook(world: World) -> None:
    """The hook is killed, and the program STOPPED at once; the last hook cleans up."""
    web = Hooked(world, PRE_START, POST_STOP)
    web.start()
    pid = web.helper().pid
    assert control.stop(web.process, "web", wait=True) is True
    assert world.signals == [(-pid, KILL)]
    assert (web.state, web.hook) == (S.STOPPED, POST_STOP)
    assert [each[1] for each in web.process.history.transitions] == [
        S.STARTING,
        S.STOPPING,
        S.STOPPED,
    ]
    reason = "stopped before the program was started"
    assert web.process.history.transitions[-1][2] == reason
    assert web.plan.environment["SERVICE_RESULT"] == "success"
    web.end_hook()
    world.pass_time(100)
    assert (web.state, web.process.pid) == (S.STOPPED, 0)


def test_a_start_waits_for_the_last_hook_of_the_run_before(world: World) -> None:
    web = Hooked(world, PRE_START, POST_STOP)
    web.run()
    web.process.stop()
    web.die()
    assert web.hook == POST_STOP
    web.start()
    assert (web.state, web.hook) == (S.STARTING, POST_STOP)
    assert describe({"state": web.state}, outlook(web.process)) == "running post_stop_hook"
    web.end_hook()
    assert (web.state, web.hook) == (S.STARTING, PRE_START)
    web.end_hook()
    assert web.process.pid


def test_a_stop_of_a_start_that_waits_lets_the_last_hook_go_on(world: World) -> None:
    web = Hooked(world, PRE_START, POST_STOP)
    web.run()
    web.process.stop()
    web.die()
    web.start()
    world.signals.clear()
    web.process.stop()
    assert (web.state, web.hook, world.signals) == (S.STOPPED, POST_STOP, [])
    web.end_hook()
    assert (web.hook, web.process.pid) == ("", 0)


def test_an_automatic_restart_waits_for_the_last_hook(world: World) -> None:
    web = Hooked(world, POST_STOP, autorestart=RestartUnconditionally)
    web.run()
    web.die()
    assert (web.state, web.hook, web.process.pid) == (S.STARTING, POST_STOP, 0)
    web.end_hook()
    assert web.process.pid


def test_the_death_of_the_child_in_the_middle_of_the_hooks_of_a_stop(world: World) -> None:
    """The program is STOPPED; the hook goes on, no signal follows, and the last hook does."""
    web = Hooked(world)
    web.run()
    web.process.stop()
    web.die()
    assert (web.state, web.hook) == (S.STOPPED, PRE_STOP)
    web.end_hook()
    assert (web.hook, world.signals) == (POST_STOP, [])
    web.start()
    web.end_hook()
    assert (web.state, web.hook) == (S.STARTING, PRE_START)


@pytest.mark.parametrize("event", ["stop", "die", "kill"])
def test_the_hook_after_a_start_ends_with_the_run(world: World, event: str) -> None:
    web = Hooked(world, POST_START, POST_STOP)
    web.start()
    world.pass_time(1)
    pid = web.helper().pid
    if event == "stop":
        web.process.stop()
    elif event == "kill":
        web.process.kill(KILL)
    else:
        web.die()
    assert world.signals[0] == (-pid, KILL)
    assert web.hook == (POST_STOP if event == "die" else "")


def test_a_program_that_dies_as_it_becomes_running_has_no_hook_for_that(world: World) -> None:
    web = Hooked(world, POST_START, startsecs=5)
    web.start()
    world.clock.advance(5)  # the exit is noticed before the timer
    web.die()
    assert (web.state, web.hook, len(world.plans)) == (S.EXITED, "", 1)


def test_the_stop_signal_follows_a_command_that_takes_too_long(world: World) -> None:
    web = Hooked(world, STOP_COMMAND, stopwaitsecs=10)
    web.run()
    web.process.stop()
    hook, child = web.helper().pid, web.process.pid
    world.pass_time(9.9)
    assert world.signals == []
    world.pass_time(0.1)
    assert world.signals == [(-hook, KILL), (child, TERM)]
    world.pass_time(9.9)
    assert len(world.signals) == 2
    world.pass_time(0.1)
    assert world.signals[2:] == [(child, KILL)]


@pytest.mark.parametrize(
    ("options", "scopes"),
    [({}, [1, 1]), ({"stopasgroup": True, "killasgroup": True}, [-1, -1])],
)
@pytest.mark.parametrize("names", [[PRE_STOP], [POST_STOP]])
def test_signals_after_hooks_go_where_they_go_without(
    world: World, names: list[str], options: dict[str, Any], scopes: list[int]
) -> None:
    web = Hooked(world, *names, **options)
    web.run()
    pid = web.process.pid
    web.process.stop()
    if web.hook:
        web.end_hook()
    world.pass_time(10)
    assert world.signals == [
        (scope * pid, each) for scope, each in zip(scopes, (TERM, KILL), strict=True)
    ]


def test_a_second_stop_waits_like_the_first(world: World) -> None:
    web = Hooked(world, PRE_STOP)
    web.run()
    web.process.stop()
    web.process.stop()
    assert (world.signals, web.hook) == ([], PRE_STOP)
    web.end_hook()
    assert world.signals == [(web.process.pid, TERM)]
    web.process.stop()
    assert (web.hook, len(world.signals)) == ("", 2)


def test_kill_does_not_wait(world: World) -> None:
    web = Hooked(world, PRE_STOP, POST_STOP)
    web.run()
    web.process.stop()
    web.process.kill(KILL)
    assert world.signals == [(web.process.pid, KILL)]
    web.die(KILL)
    assert (web.state, web.end_hooks()) == (S.STOPPED, [PRE_STOP, POST_STOP])
    assert len(world.signals) == 1


def test_a_stop_is_reported_while_hooks_delay_it(world: World) -> None:
    web = Hooked(world, PRE_STOP)
    web.run()
    stopped: Any = control.stop(web.process, "web", wait=True)
    for _ in range(5):
        stopped()
        world.pass_time(1)
    assert world.lines("info").count("waiting for web to stop") == 3


def test_the_last_hook_knows_the_result(world: World) -> None:
    """As `ExecStopPost=` of systemd does."""
    stop = ("stop", 0)
    cases: list[tuple[list[Any], dict[str, Any], tuple[str, str, str]]] = [
        ([EXIT_0], {}, ("success", "exited", "0")),
        ([EXIT_3], {}, ("exit-code", "exited", "3")),
        ([EXIT_3], {"exitcodes": [3]}, ("success", "exited", "3")),
        ([TERM], {}, ("signal", "killed", "TERM")),
        ([signal.SIGSEGV | 0x80], {}, ("core-dump", "dumped", "SEGV")),
        ([stop, TERM], {}, ("success", "killed", "TERM")),
        ([stop, KILL], {}, ("timeout", "killed", "KILL")),
        ([stop, KILL], {"stopsignal": KILL}, ("success", "killed", "KILL")),
        ([stop, EXIT_3], {}, ("exit-code", "exited", "3")),
    ]
    for number, (steps, options, expected) in enumerate(cases):
        web = Hooked(world, POST_STOP, autorestart=False, **options)
        web.run()
        for step in steps:
            if step == stop:
                web.process.stop()
            else:
                web.die(step)
        found = web.plan.environment
        names = ("SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS")
        assert tuple(found[each] for each in names) == expected, number
        web.end_hook()


@pytest.mark.parametrize(
    ("names", "status", "result"),
    [
        ([PRE_START, POST_STOP], EXIT_3, "exit-code"),
        ([PRE_START, POST_STOP], KILL, "signal"),
        ([PRE_START, POST_STOP], None, "timeout"),
        ([POST_STOP], None, "resources"),
    ],
)
def test_the_last_hook_follows_a_failed_start(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    status: int | None,
    result: str,
) -> None:
    web = Hooked(world, *names, autorestart=False, startretries=1)
    if PRE_START in names:
        web.start()
    else:
        launch = Mock(side_effect=SpawnError("couldn't exec"))
        monkeypatch.setattr(child, "launch", launch)
        with pytest.raises(RPCError, match="SPAWN_ERROR"):
            web.start()
    if status is not None:
        web.end_hook(status)
    elif PRE_START in names:
        world.pass_time(60)
    assert (web.state, web.hook) == (S.BACKOFF, POST_STOP)
    found = web.plan.environment
    assert found["SERVICE_RESULT"] == result
    assert not {"EXIT_CODE", "EXIT_STATUS", "MAINPID"} & set(found)


def test_the_pid_is_in_environment_and_words(world: World) -> None:
    words = "/bin/echo $MAINPID ${MAINPID} x$MAINPID, $MAINPIDS"
    web = Hooked(world, **dict.fromkeys((PRE_START, PRE_STOP, POST_STOP), words))
    seen = {}
    web.start()
    seen[PRE_START] = web.plan
    web.end_hooks()
    pid = str(web.process.pid)
    web.process.stop()
    seen[PRE_STOP] = web.plan
    web.end_hooks()
    web.die()
    seen[POST_STOP] = web.plan
    unchanged = tuple(words.split())
    assert {name: plan.argv for name, plan in seen.items()} == {
        PRE_START: unchanged,
        PRE_STOP: ("/bin/echo", pid, pid, f"x{pid},", "$MAINPIDS"),
        POST_STOP: unchanged,
    }
    assert {name: plan.environment.get("MAINPID") for name, plan in seen.items()} == {
        PRE_START: None,
        PRE_STOP: pid,
        POST_STOP: None,
    }
    assert {plan.environment["SUPERVISOR_HOOK"] for plan in seen.values()} == set(seen)


def test_dependents_wait_for_running_not_for_the_hook_after_it(world: World) -> None:
    db = Hooked(world, PRE_START, POST_START)
    app = db.programs.add("app", "web", autostart=False)
    db.programs.start("app")
    assert (db.hook, app.state) == (PRE_START, S.STOPPED)
    db.end_hook()
    world.pass_time(1)
    assert (db.hook, app.state) == (POST_START, S.STARTING)


def test_a_group_is_removed_after_the_last_hook(world: World) -> None:
    web = Hooked(world, POST_STOP)
    web.run()
    web.process.stop()
    web.die()
    group: Any = web.process.group
    assert group.get_unstopped_processes() == [web.process]
    web.end_hook()
    assert group.get_unstopped_processes() == []


def test_no_hook_begins_after_abandon(world: World) -> None:
    for phase in (PRE_START, POST_START, PRE_STOP, STOP_COMMAND, POST_STOP):
        web = Hooked(world)
        web.start()
        while web.hook != phase:
            if web.hook:
                web.end_hook()
            elif web.state == S.STARTING:
                world.pass_time(1)
            elif web.state == S.RUNNING:
                web.process.stop()
            else:
                web.die()
        assert web.process.hooks is not None
        world.runtime.daemon_state = SupervisorStates.SHUTDOWN
        web.process.hooks.abandon()
        if web.process.pid:
            web.process.kill(KILL)
            web.die(KILL)
        assert (web.hook, web.process.pid) == ("", 0), phase
        assert web.state == S.STOPPED, phase
        world.runtime.daemon_state = SupervisorStates.RUNNING


def test_hooks_publish_no_events_of_their_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[events.Event] = []
    monkeypatch.setattr(events, "callbacks", [(events.Event, published.append)])
    web = Hooked(world)
    web.run()
    web.process.stop()
    web.end_hooks()
    web.die()
    web.end_hooks()
    assert [type(each).__name__ for each in published] == [
        f"ProcessState{name}Event" for name in ("Starting", "Running", "Stopping", "Stopped")
    ]


def test_a_program_without_hooks_has_no_object_for_them(world: World) -> None:
    process = world.process(hook_timeout=5.0)
    assert process.hooks is None
    assert process.is_plain
    assert not Hooked(world).process.is_plain
