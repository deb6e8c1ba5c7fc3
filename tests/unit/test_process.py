"""The life of a process, by the clock: every rule of the state machine."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from supervisor import events
from supervisor.datatypes import RestartUnconditionally, RestartWhenExitUnexpected
from supervisor.process.child import Subprocess
from supervisor.process.plan import SpawnError
from supervisor.states import TRANSITIONS, ProcessStates, SupervisorStates
from tests.support.world import World

TERM, KILL = signal.SIGTERM, signal.SIGKILL
EXIT_0, EXIT_1 = 0, 1 << 8


def started(world: World, **options: Any) -> Subprocess:
    """Return a process in STARTING."""
    process = world.process(**options)
    process.transition()
    assert process.state == ProcessStates.STARTING
    return process


def running(world: World, **options: Any) -> Subprocess:
    """Return a process in RUNNING."""
    process = started(world, **options)
    world.pass_time(process.config.startsecs)
    assert process.state == ProcessStates.RUNNING
    return process


def die(world: World, process: Subprocess, status: int = EXIT_0) -> None:
    """The child ends, and the daemon hears of it."""
    process.finish(process.pid, status)
    world.pass_time(0)


class TestStarting:
    """When a process is started, and when it counts as up."""

    def test_autostart_starts_a_process_that_never_ran(self, world: World) -> None:
        process = started(world)
        assert process.pid == 1001
        assert world.lines("info") == ["spawned: 'p' with pid 1001"]

    def test_a_start_that_has_no_pid_yet_is_awaited_without_spinning(self, world: World) -> None:
        """Plugins spawn in threads of their own."""
        process = world.process(autostart=False, startsecs=0)
        process.change_state(ProcessStates.STARTING)
        now = world.clock.monotonic()
        assert (process.next_deadline() or 0) > now
        world.pass_time(1)
        assert process.state == ProcessStates.STARTING
        assert (process.next_deadline() or 0) > world.clock.monotonic()

    def test_without_autostart_nothing_happens(self, world: World) -> None:
        process = world.process(autostart=False)
        process.transition()
        assert process.state == ProcessStates.STOPPED
        assert process.next_deadline() is None

    def test_running_after_exactly_startsecs(self, world: World) -> None:
        process = started(world, startsecs=3)
        world.pass_time(2.999)
        assert process.state == ProcessStates.STARTING
        world.pass_time(0.001)
        assert process.state == ProcessStates.RUNNING
        assert world.lines("info")[-1] == (
            "success: p entered RUNNING state, process has stayed up for"
            " > than 3 seconds (startsecs)"
        )

    def test_a_clock_set_back_or_forward_changes_nothing(self, world: World) -> None:
        process = started(world, startsecs=3)
        world.clock.set_wall(world.clock.time() + 100_000)
        world.pass_time(0)
        assert process.state == ProcessStates.STARTING
        world.clock.set_wall(5)
        world.pass_time(3)
        assert process.state == ProcessStates.RUNNING

    def test_a_running_process_is_not_spawned_twice(self, world: World) -> None:
        process = running(world)
        assert process.spawn() is None
        assert world.lines("warn") == ["process 'p' already running"]
        assert len(world.plans) == 1

    def test_nothing_is_started_while_the_daemon_goes_down(self, world: World) -> None:
        world.runtime.daemon_state = SupervisorStates.SHUTDOWN
        process = world.process()
        process.transition()
        assert process.state == ProcessStates.STOPPED

    def test_a_plugin_restarts_by_forgetting_the_last_start(self, world: World) -> None:
        process = running(world)
        process.stop()
        die(world, process)
        process.laststart = 0
        process.transition()
        assert process.state == ProcessStates.STARTING

    def test_a_start_that_a_plugin_moves_back_has_been_up_long_enough(self, world: World) -> None:
        process = started(world, startsecs=10)
        process.laststart -= 15
        process.transition()
        assert process.state == ProcessStates.RUNNING

    def test_a_start_that_a_plugin_puts_off_is_not_long_enough(self, world: World) -> None:
        process = started(world, startsecs=1)
        process.laststart = world.clock.time() + 1
        world.pass_time(1.5)
        assert process.state == ProcessStates.STARTING

    def test_a_process_that_a_plugin_took_from_its_group_stays_down(self, world: World) -> None:
        process = running(world, autorestart=RestartUnconditionally)
        process.finish(process.pid, EXIT_0)
        assert process.group is not None
        del process.group.processes["p"]
        world.pass_time(5)
        assert process.state == ProcessStates.EXITED


class TestBackoff:
    """Starts that fail: how often and how long they are tried again."""

    def test_waits_grow_by_a_second_and_end_in_fatal(self, world: World) -> None:
        process = started(world, startretries=2)
        for wait in (1, 2):
            die(world, process, EXIT_1)
            assert process.state == ProcessStates.BACKOFF
            world.pass_time(wait - 0.001)
            assert process.state == ProcessStates.BACKOFF
            world.pass_time(0.001)
            assert process.state == ProcessStates.STARTING
        die(world, process, EXIT_1)
        assert process.state == ProcessStates.FATAL
        assert world.lines("warn") == ["exited: p (exit status 1; not expected)"] * 3
        assert world.lines("info")[-1] == (
            "gave up: p entered FATAL state, too many start retries too quickly"
        )
        assert process.next_deadline() is None

    def test_success_forgets_the_failures(self, world: World) -> None:
        process = started(world)
        die(world, process, EXIT_1)
        world.pass_time(1)
        world.pass_time(1)
        assert process.state == ProcessStates.RUNNING
        assert process.backoff == 0

    def test_startsecs_0_never_fails_by_exiting(self, world: World) -> None:
        process = world.process(startsecs=0, autorestart=False)
        process.transition()
        die(world, process, EXIT_1)
        assert process.state == ProcessStates.EXITED

    def test_a_command_that_cannot_be_found_is_retried(self, world: World) -> None:
        process = world.process(command="/nowhere/program")
        process.transition()
        assert process.state == ProcessStates.BACKOFF
        assert process.spawnerr == "can't find command '/nowhere/program'"
        assert world.lines("info") == ["spawnerr: can't find command '/nowhere/program'"]

    def test_a_failure_between_fork_and_exec_is_explained(self, world: World) -> None:
        world.failure = SpawnError("couldn't exec /bin/cat: ENOEXEC", in_child=True)
        process = world.process(stderr_events_enabled=True)
        heard: list[bytes] = []
        events.subscribe(events.ProcessLogStderrEvent, lambda event: heard.append(event.data))
        process.transition()
        assert process.state == ProcessStates.BACKOFF
        assert process.spawnerr == "couldn't exec /bin/cat: ENOEXEC"
        text = b"couldn't exec /bin/cat: ENOEXEC\nsupervisor: child process was not spawned\n"
        assert heard == [b"supervisor: " + text]
        assert process.dispatchers == {}

    def test_stop_of_a_process_in_backoff(self, world: World) -> None:
        process = started(world)
        die(world, process, EXIT_1)
        assert process.stop() is None
        assert process.state == ProcessStates.STOPPED
        world.pass_time(60)
        assert process.state == ProcessStates.STOPPED


class TestExit:
    """A process that ends on its own."""

    @pytest.mark.parametrize(
        ("autorestart", "status", "restarts"),
        [
            (False, EXIT_0, False),
            (False, EXIT_1, False),
            (RestartUnconditionally, EXIT_0, True),
            (RestartUnconditionally, EXIT_1, True),
            (RestartWhenExitUnexpected, EXIT_0, False),
            (RestartWhenExitUnexpected, EXIT_1, True),
            (RestartWhenExitUnexpected, int(KILL), True),
        ],
    )
    def test_autorestart(
        self, world: World, autorestart: Any, status: int, *, restarts: bool
    ) -> None:
        process = running(world, autorestart=autorestart)
        die(world, process, status)
        expected = ProcessStates.STARTING if restarts else ProcessStates.EXITED
        assert process.state == expected

    def test_at_most_one_start_in_a_second(self, world: World) -> None:
        process = world.process(startsecs=0, autorestart=RestartUnconditionally)
        process.transition()
        for second in range(1, 5):
            world.pass_time(0.1)
            die(world, process)
            assert process.state == ProcessStates.EXITED
            assert len(world.plans) == second
            world.pass_time(0.9)
            assert len(world.plans) == second + 1

    def test_lines_and_status(self, world: World) -> None:
        process = running(world, autorestart=False, exitcodes=[0, 2])
        die(world, process, 2 << 8)
        assert world.lines("info")[-1] == "exited: p (exit status 2; expected)"
        assert (process.exitstatus, process.spawnerr, process.pid) == (2, None, 0)

    def test_a_signal_is_not_expected(self, world: World) -> None:
        process = running(world, autorestart=False)
        die(world, process, int(signal.SIGSEGV))
        assert world.lines("warn") == ["exited: p (terminated by SIGSEGV; not expected)"]
        assert (process.exitstatus, process.spawnerr) == (-1, "Bad exit code -1")

    def test_an_exit_that_beats_the_timer_is_still_a_success(self, world: World) -> None:
        process = started(world, autorestart=False)
        world.clock.advance(1)
        process.finish(process.pid, EXIT_0)
        assert process.state == ProcessStates.EXITED
        assert [text.split(":")[0] for text in world.lines("info")][-2:] == ["success", "exited"]


def test_a_process_that_may_still_run_keeps_its_group(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could not be signalled, and will be restarted when it ends."""
    process = running(world, autorestart=RestartUnconditionally)
    assert process.group is not None

    def refuse(_pid: int, _signum: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.kill", refuse)
    process.signal(signal.SIGHUP)
    assert process.state == ProcessStates.UNKNOWN
    assert process.group.get_unstopped_processes() == [process]


def test_a_removed_process_never_starts_again(world: World) -> None:
    process = running(world, autorestart=RestartUnconditionally)
    assert process.group is not None
    process.group.before_remove()
    die(world, process)
    world.pass_time(10)
    assert process.state == ProcessStates.EXITED
    assert process._timer is None


def test_a_process_of_a_removed_group_is_not_restarted(world: World) -> None:
    process = world.process(startsecs=0, autorestart=RestartUnconditionally)
    process.transition()
    die(world, process)
    assert process.state == ProcessStates.EXITED
    assert process.group is not None
    process.group.before_remove()
    world.pass_time(10)
    assert process.state == ProcessStates.EXITED


class TestStopping:
    """A process that is asked to end."""

    def test_the_stop_signal_then_sigkill_after_stopwaitsecs(self, world: World) -> None:
        process = running(world, stopwaitsecs=5)
        pid = process.pid
        assert process.stop() is None
        assert process.state == ProcessStates.STOPPING
        assert world.signals == [(pid, TERM)]
        world.pass_time(4.999)
        assert world.signals == [(pid, TERM)]
        world.pass_time(0.001)
        assert world.signals == [(pid, TERM), (pid, KILL)]
        assert world.lines("warn") == [f"killing 'p' ({pid}) with SIGKILL"]
        die(world, process, int(KILL))
        assert process.state == ProcessStates.STOPPED
        assert world.lines("warn")[-1] == "stopped: p (terminated by SIGKILL)"

    def test_a_clock_set_forward_does_not_kill_early(self, world: World) -> None:
        process = running(world, stopwaitsecs=5)
        process.stop()
        world.clock.set_wall(world.clock.time() + 100_000)
        world.pass_time(1)
        assert [signum for _, signum in world.signals] == [TERM]

    def test_an_expected_exit_status_is_logged_as_info(self, world: World) -> None:
        process = running(world)
        process.stop()
        die(world, process, EXIT_0)
        assert world.lines("info")[-1] == "stopped: p (exit status 0)"
        assert process.state == ProcessStates.STOPPED

    @pytest.mark.parametrize(
        ("stopasgroup", "killasgroup", "signs"),
        [(False, False, (1, 1)), (True, True, (-1, -1)), (False, True, (1, -1))],
    )
    def test_which_signals_go_to_the_group(
        self, world: World, *, stopasgroup: bool, killasgroup: bool, signs: tuple[int, int]
    ) -> None:
        process = running(world, stopasgroup=stopasgroup, killasgroup=killasgroup)
        process.stop()
        world.pass_time(10)
        pid = process.pid
        assert world.signals == [(signs[0] * pid, TERM), (signs[1] * pid, KILL)]

    def test_a_stopped_process_stays_stopped(self, world: World) -> None:
        process = running(world, autorestart=RestartUnconditionally)
        process.stop()
        die(world, process)
        world.pass_time(100)
        assert process.state == ProcessStates.STOPPED

    def test_slow_stops_are_reported_every_two_seconds(self, world: World) -> None:
        process = running(world)
        process.stop()
        process.stop_report()
        for _ in range(50):
            world.pass_time(0.1)
        assert world.lines("info").count("waiting for p to stop") == 3

    def test_a_process_that_cannot_be_signalled_is_unknown(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        process = running(world)

        def refuse(_pid: int, _signum: int) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr("os.kill", refuse)
        assert process.stop() is not None
        assert process.state == ProcessStates.UNKNOWN
        assert world.lines("critical")

    def test_a_process_that_has_just_gone_is_no_failure(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        process = running(world)

        def gone(_pid: int, _signum: int) -> None:
            raise ProcessLookupError(3, "No such process")

        monkeypatch.setattr("os.kill", gone)
        assert process.stop() is None
        assert process.state == ProcessStates.STOPPING

    @pytest.mark.parametrize("stopwaitsecs", [1, 0, -1, -6])
    def test_sigkill_is_repeated_at_most_once_a_second(
        self, world: World, stopwaitsecs: int
    ) -> None:
        process = running(world, stopwaitsecs=stopwaitsecs)
        process.stop()
        world.pass_time(max(stopwaitsecs, 0))
        kills = [(process.pid, TERM), (process.pid, KILL)]
        assert world.signals == kills
        for _ in range(3):
            world.pass_time(0.5)
            world.pass_time(0.25)
            assert world.signals == kills
            world.pass_time(0.25)
            kills.append((process.pid, KILL))
            assert world.signals == kills

    def test_a_stop_forgets_the_starts_that_failed(self, world: World) -> None:
        """In BACKOFF as well as in the next try."""
        for wait in (0, 1):
            process = started(world)
            die(world, process, EXIT_1)
            world.pass_time(wait)
            assert process.backoff == 1
            process.stop()
            if wait:
                die(world, process)
            assert (process.state, process.backoff) == (ProcessStates.STOPPED, 0)

    def test_nothing_to_kill(self, world: World) -> None:
        process = world.process(autostart=False)
        text = "attempted to kill p with sig SIGTERM but it wasn't running"
        assert process.stop() == text
        assert world.lines("debug")[-1] == text


class TestStoppingAGroup:
    """A stop that goes to the whole process group."""

    def stopping(self, world: World, *members: int, **options: Any) -> Subprocess:
        """Return a process in STOPPING whose leader has died and left some members."""
        options = {"stopasgroup": True, "killasgroup": True, "stopwaitsecs": 5} | options
        process = running(world, **options)
        process.stop()
        world.orphans[process.pid] = list(members)
        world.signals.clear()
        world.clock.advance(1)
        die(world, process, int(TERM))
        return process

    def test_it_is_stopped_when_the_last_member_is_gone(self, world: World) -> None:
        process = self.stopping(world, 7, 8)
        pid = process.pid
        for members in ([7, 8], [8], [9]):
            world.orphans[pid] = members
            world.pass_time(0.5)
            assert (process.state, process.pid) == (ProcessStates.STOPPING, pid)
            assert process.spawn() is None
        world.orphans.clear()
        world.pass_time(0.1)
        assert (process.state, process.pid) == (ProcessStates.STOPPED, 0)
        assert process.exitstatus == -1
        assert world.lines("warn")[-1] == "stopped: p (terminated by SIGTERM)"
        assert world.signals == []

    def test_an_empty_group_is_not_waited_for(self, world: World) -> None:
        assert self.stopping(world).state == ProcessStates.STOPPED

    def test_members_are_killed_when_the_time_of_the_stop_is_over(self, world: World) -> None:
        process = self.stopping(world, 7)
        pid = process.pid
        world.pass_time(3.9)
        assert world.signals == []
        world.pass_time(0.1)
        assert world.signals == [(-pid, KILL)]
        assert world.lines("warn") == [f"killing 'p' ({pid}) with SIGKILL"]
        world.pass_time(0.1)
        assert process.state == ProcessStates.STOPPING
        world.orphans.clear()
        world.pass_time(0.1)
        assert process.state == ProcessStates.STOPPED

    def test_a_signal_for_the_leader_is_not_sent_to_the_members(self, world: World) -> None:
        process = self.stopping(world, 7)
        assert process.signal(signal.SIGHUP) is None
        assert world.signals == []

    def test_members_that_may_not_be_killed_are_skipped(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        process = self.stopping(world, 7)
        pid = process.pid

        def refuse(_pid: int, _signum: int) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr("os.kill", refuse)
        world.pass_time(4)
        assert process.state == ProcessStates.STOPPED
        assert world.lines("critical") == [
            f"cannot kill the process group of p (pid {pid}): Operation not permitted"
        ]

    def test_a_process_that_was_not_stopped_is_not_waited_for(self, world: World) -> None:
        process = running(world, stopasgroup=True, killasgroup=True, autorestart=False)
        world.orphans[process.pid] = [7]
        die(world, process)
        assert process.state == ProcessStates.EXITED

    def test_with_killasgroup_alone_it_is_stopped_and_the_others_are_killed_later(
        self, world: World
    ) -> None:
        process = running(world, killasgroup=True, stopwaitsecs=5)
        pid = process.pid
        process.stop()
        world.orphans[pid] = [7]
        die(world, process)
        assert process.state == ProcessStates.STOPPED
        world.pass_time(4.9)
        assert world.signals == [(pid, TERM)]
        world.pass_time(0.1)
        assert world.signals == [(pid, TERM), (-pid, KILL)]

    def test_a_group_that_became_empty_is_not_killed_later(self, world: World) -> None:
        """Its number may have been given to another one."""
        process = running(world, killasgroup=True, stopwaitsecs=5)
        pid = process.pid
        process.stop()
        world.orphans[pid] = [7]
        die(world, process)
        world.pass_time(1)
        world.orphans.clear()
        world.pass_time(0.1)
        world.orphans[pid] = [8]
        world.pass_time(10)
        assert world.signals == [(pid, TERM)]


class TestAnnouncements:
    """Subscribers to changes."""

    def test_events_carry_the_former_state_and_the_pid(self, world: World) -> None:
        heard: list[tuple[str | None, str]] = []
        events.subscribe(
            events.ProcessStateEvent,
            lambda event: heard.append((events.getEventNameByType(type(event)), event.payload())),
        )
        process = running(world, autorestart=False)
        process.stop()
        die(world, process)
        origin = "processname:p groupname:p"
        assert heard == [
            ("PROCESS_STATE_STARTING", f"{origin} from_state:STOPPED tries:0"),
            ("PROCESS_STATE_RUNNING", f"{origin} from_state:STARTING pid:1001"),
            ("PROCESS_STATE_STOPPING", f"{origin} from_state:RUNNING pid:1001"),
            ("PROCESS_STATE_STOPPED", f"{origin} from_state:STOPPING pid:1001"),
        ]

    def test_each_change_wakes_the_waiters(self, world: World) -> None:
        process = started(world)
        woken: list[int] = []
        process.changed.add(lambda: woken.append(process.state))
        world.pass_time(1)
        assert woken == [ProcessStates.RUNNING]

    def test_entering_the_same_state_is_nothing(self, world: World) -> None:
        process = running(world)
        assert process.change_state(ProcessStates.RUNNING) is False

    def test_every_step_of_every_test_is_in_the_table(self, world: World) -> None:
        process = running(world)
        process.change_state(ProcessStates.STOPPED)
        assert world.lines("debug")[-1] == "p: unusual transition RUNNING to STOPPED"


def test_every_state_can_be_left_and_reached() -> None:
    """The transition table has no dead end and no state that nothing leads to."""
    reached = {state for following in TRANSITIONS.values() for state in following}
    states = {code for name, code in vars(ProcessStates).items() if name.isupper()}
    assert set(TRANSITIONS) == states == reached
    assert all(TRANSITIONS.values())


def test_a_subscriber_that_fails_does_not_stop_the_others(world: World) -> None:
    def fail(_event: object) -> None:
        raise RuntimeError("broken plugin")

    events.subscribe(events.Event, fail)
    process = running(world)
    process.stop()
    die(world, process)
    assert (process.state, process.pid) == (ProcessStates.STOPPED, 0)
    world.runtime.publish(events.SupervisorStoppingEvent())
    last = world.lines("critical")[-1]
    assert last.startswith("a subscriber of SupervisorStoppingEvent failed\n")
    assert "RuntimeError: broken plugin" in last
