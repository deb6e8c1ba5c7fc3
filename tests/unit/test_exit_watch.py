"""The watch over the ends of programs: which ends shut the daemon down, and with which status."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from supervisor.common.records import replace
from supervisor.config.model import EventListenerConfig, Settings
from supervisor.config.process_config import ProcessConfig
from supervisor.daemon.exits import Exits
from supervisor.datatypes import RestartUnconditionally
from supervisor.process.plan import SpawnError, is_missing_command
from supervisor.rpc import control
from supervisor.states import ProcessStates, SupervisorStates
from tests.support.programs import EXIT_0, EXIT_3, Programs

if TYPE_CHECKING:
    from supervisor.process.child import Subprocess
    from tests.support.world import World

S = ProcessStates

ALWAYS = {"autorestart": RestartUnconditionally, "startsecs": 0}
ONCE = {"startsecs": 0, "autorestart": None}


class Watched(Programs):
    """Programs in a daemon that watches them."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.options = SimpleNamespace(mood=SupervisorStates.RUNNING)
        daemon: Any = SimpleNamespace(
            options=self, process_groups=self.groups, runtime=world.runtime
        )
        self.exits = Exits(daemon)
        self.settle({})

    @property
    def mood(self) -> int:
        return self.world.runtime.daemon_state

    @mood.setter
    def mood(self, state: int) -> None:
        self.world.runtime.daemon_state = state

    def settle(self, settings: dict[str, Any]) -> None:
        """Set settings of the daemon."""
        plain = Settings(configfile=None, here=None)
        self.world.runtime.settings = replace(plain, **settings)

    def boot(self) -> None:
        for group in self.groups.values():
            group.transition()
        self.exits.begin()
        self.world.pass_time(0)
        self.world.pass_time(0)

    @property
    def is_up(self) -> bool:
        self.world.pass_time(0)
        self.world.pass_time(0)
        return self.mood == SupervisorStates.RUNNING

    def end(self) -> tuple[int, str]:
        """Return the exit status and the last line, of a daemon that shuts down."""
        assert not self.is_up
        self.exits.conclude()
        return self.exits.status, self.world.lines()[-1]


@pytest.fixture
def watched(world: World) -> Watched:
    return Watched(world)


def listener(watched: Watched, name: str) -> Subprocess:
    config = EventListenerConfig(name, "/bin/cat", stdout_logfile=None, stderr_logfile=None)
    return watched.add_group(name, [config])


def test_nothing_is_watched_without_an_option(watched: Watched) -> None:
    web = watched.add("web", **ONCE)
    watched.boot()
    assert not web.changed
    watched.die(web, EXIT_3)
    assert watched.is_up
    watched.mood = SupervisorStates.SHUTDOWN
    before = watched.world.lines()
    watched.exits.conclude()
    assert (watched.exits.status, watched.world.lines()) == (0, before)


def test_an_essential_program_that_is_down_for_good(watched: Watched) -> None:
    web = watched.add("web", essential="any", **ONCE)
    watched.add("other", startsecs=0)
    watched.boot()
    watched.die(web, EXIT_3)
    assert watched.end() == (3, "exiting with status 3 because of 'web' (exit status 3)")
    assert "shutting down because of 'web' (exit status 3)" in watched.world.lines("warn")


def test_any_of_several_processes_is_essential(watched: Watched) -> None:
    watched.add("web", count=2, essential="any", **ONCE)
    watched.boot()
    watched.die(watched.groups["web"].processes["web_1"], signal.SIGKILL)
    status, line = watched.end()
    assert status == 137
    assert line.endswith("because of 'web:web_1' (terminated by SIGKILL)")


@pytest.mark.parametrize(("code", "ends"), [(EXIT_0, False), (EXIT_3, True), (5 << 8, False)])
def test_only_a_failure_is_essential(watched: Watched, code: int, *, ends: bool) -> None:
    web = watched.add("web", essential="failure", exit_codes_ok=[5], **ONCE)
    watched.boot()
    watched.die(web, code)
    assert watched.is_up is not ends


def test_an_end_that_counts_as_success_has_status_0(watched: Watched) -> None:
    web = watched.add("web", essential="any", exit_codes_ok=[3], **ONCE)
    watched.boot()
    watched.die(web, EXIT_3)
    assert watched.end() == (0, "exiting with status 0 because of 'web' (exit status 3)")


def test_a_restart_is_no_end(watched: Watched) -> None:
    web = watched.add("web", essential="any", restartpause=4.0, startlimit_burst=1, **ALWAYS)
    watched.boot()
    watched.die(web, EXIT_3)
    assert watched.is_up  # in the pause
    watched.world.pass_time(4)
    assert (web.state, watched.is_up) == (S.RUNNING, True)
    watched.die(web, EXIT_3)
    watched.world.pass_time(4)
    assert web.state == S.FATAL
    assert watched.end() == (3, "exiting with status 3 because of 'web' (FATAL, exit status 3)")


def test_starts_that_fail_are_an_end_when_they_are_given_up(watched: Watched) -> None:
    web = watched.add("web", essential="failure", startretries=1)
    watched.boot()
    watched.die(web, EXIT_0)
    assert watched.is_up
    watched.world.pass_time(1)
    watched.die(web, EXIT_0)
    assert watched.end() == (1, "exiting with status 1 because of 'web' (FATAL, exit status 0)")


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("couldn't exec /no/such: ENOENT", 127),
        ("couldn't exec /x: ENOENT (its interpreter /y does not exist)", 127),
        ("can't find command 'x'", 127),
        ("couldn't exec /x: EACCES", 126),
        ("couldn't chdir to /no: ENOENT", 126),
        ("command at '/' is a directory", 126),
    ],
)
def test_a_program_that_never_ran(watched: Watched, reason: str, status: int) -> None:
    assert is_missing_command(reason) is (status == 127)
    watched.world.failure = SpawnError(reason)
    watched.add("web", essential="any", startretries=0)
    watched.boot()
    assert watched.end() == (
        status,
        f"exiting with status {status} because of 'web' (FATAL, {reason})",
    )


def test_what_a_person_does_never_counts(watched: Watched) -> None:
    """A stop, also in a pause or after a failed start, and a restart."""
    watched.settle({"exit_when_all_exited": True})
    web = watched.add("web", essential="any", restartpause=60.0, **ALWAYS)
    watched.boot()
    web.stop()
    watched.die(web, signal.SIGTERM)
    assert (web.state, watched.is_up) == (S.STOPPED, True)
    watched.start("web")
    watched.die(web, EXIT_3)
    web.stop()  # in the pause
    assert (web.state, watched.is_up) == (S.EXITED, True)
    watched.start("web")
    assert (web.state, watched.is_up) == (S.RUNNING, True)
    web.config.startsecs = 1
    watched.die(web, EXIT_3)
    watched.world.pass_time(61)
    watched.die(web, EXIT_3)
    assert web.state == S.BACKOFF
    web.stop()
    assert (web.state, watched.is_up) == (S.STOPPED, True)


def test_a_removed_program_does_not_count(watched: Watched) -> None:
    watched.settle({"exit_when_all_exited": True})
    watched.add("db", autostart=False)
    waiting = watched.add("waiting", "db", essential="any", dependency_timeout=100.0)
    job = watched.add("job", **ONCE)
    watched.start("db")
    watched.boot()
    group = watched.groups.pop("waiting")
    group.before_remove()
    watched.exits.group_removed(group)
    assert watched.is_up
    assert not waiting.changed
    watched.process("db").stop()
    watched.die(watched.process("db"))
    watched.die(job)
    assert watched.end() == (0, "exiting with status 0 because all programs have exited")


def test_a_program_that_is_added_counts(watched: Watched) -> None:
    watched.boot()
    web = watched.add("web", essential="any", **ONCE)
    watched.exits.group_changed(watched.groups["web"])
    watched.groups["web"].transition()
    watched.world.pass_time(0)
    watched.die(web, EXIT_3)
    assert watched.end()[0] == 3


def test_a_wait_for_a_program_that_a_person_has_stopped(watched: Watched) -> None:
    watched.add("db", autostart=False)
    watched.add("cache", "db")
    web = watched.add("web", "cache", essential="any")
    watched.boot()
    for _ in range(4):
        watched.world.pass_time(0)
    assert web.is_down_for_good
    assert watched.is_up


def test_a_restart_that_waits_for_a_program_that_a_person_has_stopped(watched: Watched) -> None:
    db = watched.add("db", startsecs=0)
    web = watched.add("web", "db", essential="any", **ALWAYS)
    watched.boot()
    db.stop()
    watched.die(db)
    watched.die(web, EXIT_3)
    watched.world.pass_time(1)
    assert (web.state, web.is_down_for_good) == (S.EXITED, True)
    assert watched.is_up


def test_a_process_that_cannot_be_signalled_may_still_run(watched: Watched) -> None:
    watched.settle({"exit_when_all_exited": True})
    web, job = watched.add("web", startsecs=0), watched.add("job", **ONCE)
    watched.boot()
    web.change_state(S.UNKNOWN)
    assert web.pid
    watched.die(job)
    assert watched.is_up


def test_a_stop_by_hand_has_no_status(watched: Watched) -> None:
    watched.settle({"exit_when_all_exited": True})
    web, job = watched.add("web", startsecs=0), watched.add("job", **ONCE)
    watched.boot()
    web.stop()
    watched.die(web, signal.SIGTERM)
    watched.die(job)
    assert watched.end() == (0, "exiting with status 0 because all programs have exited")


def test_only_the_last_start_may_have_timed_out(watched: Watched) -> None:
    web = watched.add("web", essential="any", startretries=1, startsecs=1)
    watched.boot()
    web.startup.timed_out = True
    watched.die(web, EXIT_3)
    watched.world.pass_time(1)
    watched.die(web, EXIT_3)
    assert watched.end()[0] == 3


def test_a_failed_dependency_ends_the_daemon(watched: Watched) -> None:
    db = watched.add("db", startretries=0)
    watched.add("cache", "db")
    watched.add("web", "cache", essential="failure")
    watched.boot()
    assert watched.is_up
    watched.die(db, EXIT_3)
    for _ in range(4):
        watched.world.pass_time(0)
    reason = "of 'db' (FATAL, exit status 3), which 'web' needs"
    assert watched.end() == (3, f"exiting with status 3 because {reason}")


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_stop_with_a_dependency(watched: Watched, *, by_hand: bool) -> None:
    """`on_dependency_failure=stop`: a stop of the dependency by hand is one of the dependent."""
    db = watched.add("db", **ONCE)
    web = watched.add("web", "db", essential="any", on_dependency_failure="stop", startsecs=0)
    watched.boot()
    if by_hand:
        db.stop()
    watched.die(db, EXIT_3)
    watched.die(web, signal.SIGTERM)
    assert web.state == S.STOPPED
    for _ in range(4):
        watched.world.pass_time(0)
    assert watched.is_up is by_hand


def test_the_end_of_all_programs(watched: Watched) -> None:
    """The first failure in the order of the configuration counts."""
    watched.settle({"exit_when_all_exited": True})
    names = ("good", "a", "z")
    programs = {name: watched.add(name, **ONCE) for name in names}
    for position, name in enumerate(("good", "z", "a")):
        programs[name].config.position = position
    watched.add("by_hand", autostart=False)
    listener(watched, "listener")
    watched.boot()
    watched.die(programs["good"])
    watched.die(programs["a"], 4 << 8)
    assert watched.is_up
    watched.die(programs["z"], EXIT_3)
    assert watched.end() == (3, "exiting with status 3 because of 'z' (exit status 3)")


def test_the_end_of_all_waits_for_pauses_and_dependencies(watched: Watched) -> None:
    watched.settle({"exit_when_all_exited": True})
    job = watched.add("job", restartpause=5.0, startsecs=0)
    after = watched.add("after", depends_on_completed="job", **ONCE)
    watched.boot()
    watched.die(job, EXIT_3)
    assert watched.is_up
    watched.world.pass_time(5)
    watched.die(job)
    assert (job.state, after.state, watched.is_up) == (S.EXITED, S.RUNNING, True)
    watched.die(after)
    assert watched.end() == (0, "exiting with status 0 because all programs have exited")


@pytest.mark.parametrize("programs", [{}, {"web": {"autostart": False}}])
def test_a_daemon_with_nothing_to_run(watched: Watched, programs: dict[str, Any]) -> None:
    watched.settle({"exit_when_all_exited": True})
    for name, options in programs.items():
        watched.add(name, **options)
    listener(watched, "listener")
    watched.boot()
    assert watched.end() == (0, "exiting with status 0 because there is no program to run")


def test_the_status_of_a_named_program(watched: Watched) -> None:
    watched.settle({"exit_code_from": "web"})
    web = watched.add("web", startsecs=0)
    watched.boot()
    watched.mood = SupervisorStates.SHUTDOWN
    web.stop_or_give_up()
    watched.die(web, signal.SIGTERM)
    assert watched.end() == (
        143,
        "exiting with status 143 because of 'web' (terminated by SIGTERM)",
    )
    web.config.exit_codes_ok = [143]
    assert watched.end()[0] == 0


def test_a_named_program_that_was_not_started(watched: Watched) -> None:
    """Then the reason of the exit counts."""
    watched.settle({"exit_code_from": "web"})
    db = watched.add("db", essential="any", **ONCE)
    watched.add("web", "db", startsecs=0, autostart=False)
    watched.boot()
    watched.die(db, EXIT_3)
    assert watched.end()[0] == 3


def test_an_end_during_a_shutdown_or_reload_does_not_count(watched: Watched) -> None:
    web = watched.add("web", essential="any", **ONCE)
    watched.boot()
    watched.mood = SupervisorStates.RESTARTING
    watched.die(web, EXIT_3)
    watched.exits.conclude()
    assert (watched.mood, watched.exits.status) == (SupervisorStates.RESTARTING, 0)


def test_two_ends_at_once(watched: Watched) -> None:
    first, second = (watched.add(name, essential="any", **ONCE) for name in ("b", "a"))
    watched.boot()
    first.finish(first.pid, EXIT_3)
    second.finish(second.pid, 4 << 8)
    assert watched.end()[0] == 3


def test_a_start_before_the_decision(watched: Watched) -> None:
    web = watched.add("web", essential="any", **ONCE)
    watched.boot()
    web.finish(web.pid, EXIT_3)
    control.start(web, "web", wait=False)
    assert watched.is_up


def test_the_position_is_no_option() -> None:
    first, second = ProcessConfig("a", "x"), ProcessConfig("a", "x")
    first.position = 3
    assert first == second
