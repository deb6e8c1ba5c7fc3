"""The history of a process: transitions with reasons, the last exit, and counters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from supervisor.common.requester import context_of
from supervisor.datatypes import RestartUnconditionally
from supervisor.process.history import MAX_TRANSITIONS, History
from supervisor.process.plan import SpawnError
from supervisor.states import ProcessStates, getProcessStateDescription
from tests.support.programs import EXIT_0, EXIT_3, Programs

if TYPE_CHECKING:
    from supervisor.process.child import Subprocess
    from tests.support.world import World

S = ProcessStates
SEGV_WITH_CORE = 11 | 0x80


@pytest.fixture
def programs(world: World) -> Programs:
    return Programs(world)


def story(process: Subprocess) -> list[tuple[str | None, str]]:
    """Return the states and reasons of a process."""
    return [
        (getProcessStateDescription(state), reason)
        for _, state, reason in process.history.transitions
    ]


def test_a_program_that_is_restarted_and_stopped(programs: Programs) -> None:
    web = programs.add("web", startsecs=0, autorestart=RestartUnconditionally)
    assert story(web) == []
    programs.boot()
    programs.world.pass_time(0)
    programs.die(web, EXIT_3)
    programs.world.pass_time(1)
    programs.world.pass_time(0)
    web.stop()
    programs.die(web, 15)
    assert story(web) == [
        ("STARTING", "autostart"),
        ("RUNNING", "up for startsecs"),
        ("EXITED", "exit status 3"),
        ("STARTING", "automatic restart"),
        ("RUNNING", "up for startsecs"),
        ("STOPPING", "stop requested"),
        ("STOPPED", "terminated by SIGTERM"),
    ]
    assert (web.history.starts, web.history.restarts) == (2, 1)
    programs.start("web")
    assert story(web)[-1:] == [("RUNNING", "up for startsecs")]
    assert story(web)[-2] == ("STARTING", "start requested")
    assert len(story(web)) == MAX_TRANSITIONS
    assert (web.history.starts, web.history.restarts) == (3, 1)


def test_requests_are_shown_with_their_client(programs: Programs) -> None:
    web = programs.add("web", startsecs=0, autorestart=RestartUnconditionally)
    client = context_of(lambda: "admin (127.0.0.1:5000)")
    client.run(programs.start, "web")
    client.run(web.stop)
    client.run(programs.die, web, 15)
    assert story(web) == [
        ("STARTING", "start requested by admin (127.0.0.1:5000)"),
        ("RUNNING", "up for startsecs"),
        ("STOPPING", "stop requested by admin (127.0.0.1:5000)"),
        ("STOPPED", "terminated by SIGTERM"),
    ]


def test_failed_starts_until_the_program_is_given_up(programs: Programs) -> None:
    programs.world.failure = SpawnError("couldn't exec /bin/cat: ENOENT")
    web = programs.add("web", startretries=1)
    programs.boot()
    programs.world.pass_time(1)
    programs.world.pass_time(0)
    failed = ("BACKOFF", "couldn't exec /bin/cat: ENOENT")
    assert story(web) == [
        ("STARTING", "autostart"),
        failed,
        ("STARTING", "retry after a failed start"),
        failed,
        ("FATAL", "too many start retries too quickly"),
    ]
    assert (web.history.starts, web.history.restarts) == (2, 1)
    assert web.history.exited_at == 0


def test_a_stop_of_a_failed_start_is_not_an_exit(programs: Programs) -> None:
    web = programs.add("web", startsecs=5)
    programs.boot()
    programs.die(web, EXIT_3)
    web.stop()
    assert story(web)[-2:] == [
        ("BACKOFF", "Exited too quickly (process log may have details)"),
        ("STOPPED", "stop requested"),
    ]


def test_the_reason_of_a_limit(programs: Programs) -> None:
    web = programs.add("web", startsecs=0, autorestart=RestartUnconditionally, startlimit_burst=1)
    programs.boot()
    for _ in range(2):
        programs.world.pass_time(0)
        programs.die(web)
        programs.world.pass_time(1)
    assert story(web)[-1] == ("FATAL", "restarted once in 10 seconds (startlimit_burst)")


def test_a_program_that_follows_its_dependency(programs: Programs) -> None:
    programs.add("db", startsecs=0)
    web = programs.add("web", "db", startsecs=0, on_dependency_failure="stop")
    programs.boot()
    programs.world.pass_time(0)
    programs.process("db").stop()
    programs.die(programs.process("db"))
    assert story(web)[-1] == ("STOPPING", "follows a dependency (on_dependency_failure)")
    programs.die(web)
    programs.start("db")
    programs.world.pass_time(0)
    assert story(web)[-2:] == [
        ("STARTING", "dependencies are up again (on_dependency_failure)"),
        ("RUNNING", "up for startsecs"),
    ]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (EXIT_0, (0, 0, True, False, False, "", "exit status 0")),
        (EXIT_3, (3, 0, False, False, False, "", "exit status 3")),
        (9, (-1, 9, False, False, False, "", "terminated by SIGKILL")),
        (SEGV_WITH_CORE, (-1, 11, False, True, False, "", "terminated by SIGSEGV (core dumped)")),
    ],
)
def test_the_last_exit(programs: Programs, status: int, expected: tuple[object, ...]) -> None:
    web = programs.add("web", startsecs=0)
    assert web.history.last_exit([0]) == {
        "code": 0,
        "signal": 0,
        "expected": False,
        "core": False,
        "stopped": False,
        "stop_reason": "",
        "reason": "",
        "at": 0,
    }
    programs.boot()
    programs.world.pass_time(0)
    programs.die(web, status)
    *values, at = web.history.last_exit([0]).values()
    assert tuple(values) == expected
    assert at == web.laststop


def test_an_exit_after_a_stop(programs: Programs) -> None:
    """A request needs no reason; a stop that the daemon has decided has one until the next exit."""
    web = programs.add("web", startsecs=0, autorestart=RestartUnconditionally, max_runtime=50.0)
    programs.boot()
    programs.world.pass_time(50)
    programs.die(web, 15)
    reason = "has run for 50 seconds (max_runtime)"
    assert stop_of(web) == (True, reason)
    assert web.history.last_exit([0])["expected"] is False
    programs.world.pass_time(1)
    programs.die(web, 15)
    assert stop_of(web) == (False, "")
    programs.world.pass_time(1)
    context_of(lambda: "admin (127.0.0.1:5000)").run(web.stop)
    programs.die(web, 15)
    assert stop_of(web) == (True, "")


def stop_of(process: Subprocess) -> tuple[bool, str]:
    """Return whether the last exit was a stop, and its reason."""
    found = process.history.last_exit([0])
    return found["stopped"], found["stop_reason"]


def test_a_history_survives_as_json(programs: Programs) -> None:
    web = programs.add("web", startsecs=0)
    programs.boot()
    programs.world.pass_time(0)
    web.starts.planned_stop.stop("uses too much")
    programs.die(web, EXIT_3)
    assert stop_of(web) == (True, "uses too much")
    restored = History()
    restored.restore(json.loads(json.dumps(web.history.snapshot())) | {"of a later version": 1})
    assert restored.snapshot() == web.history.snapshot()
    assert restored.transitions == web.history.transitions
    restored.restore({})
    assert restored.snapshot() == History().snapshot()


@pytest.mark.parametrize("is_waiting", [False, True], ids=["at once", "in the queue"])
def test_a_start_by_hand_begins_a_new_row_of_restarts(
    programs: Programs, *, is_waiting: bool
) -> None:
    """The number of restarts stays; their times do not, because the user has seen to the cause."""
    web = programs.add("web", startsecs=0, autorestart=RestartUnconditionally)
    programs.boot()
    programs.world.pass_time(0)
    for _ in range(3):
        programs.die(web, EXIT_3)
        programs.world.pass_time(1)
        programs.world.pass_time(0)
    assert len(web.history.restarted_at) == 3
    web.stop()
    if is_waiting:
        web.starts.request()
    programs.die(web, 15)
    if not is_waiting:
        programs.start("web")
    programs.world.pass_time(0)
    assert web.state == S.RUNNING
    assert (web.history.restarted_at, web.history.restarts) == ((), 3)
