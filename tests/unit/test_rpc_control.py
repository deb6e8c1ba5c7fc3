"""Starting, stopping and signalling through the RPC methods, by the clock."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from supervisor.common.faults import Faults, RPCError
from supervisor.config.model import ProcessConfig, ProcessGroupConfig
from supervisor.engine.deferred import NOT_DONE_YET, Deferred, Notifier, deferred, wake_sources_of
from supervisor.process.groups import ProcessGroup
from supervisor.rpc.control import make_allfunc
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.states import ProcessStates, SupervisorStates
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisor.process.child import Subprocess


class Options:
    """The daemon's options, as far as the methods read them."""

    def __init__(self, world: World) -> None:
        self._runtime = world.runtime
        self.logger = world.runtime.logger

    @property
    def mood(self) -> int:
        """The state of the daemon."""
        return self._runtime.daemon_state


class Site:
    """A daemon's groups and the RPC interface to them."""

    def __init__(self, world: World, **groups: list[dict[str, Any]]) -> None:
        self.groups = {}
        for name, programs in groups.items():
            configs = [
                ProcessConfig(
                    **{
                        "command": "/bin/cat",
                        "stdout_logfile": None,
                        "stderr_logfile": None,
                        "autostart": False,
                    }
                    | program
                )
                for program in programs
            ]
            config = ProcessGroupConfig(name, 999, configs)
            self.groups[name] = ProcessGroup(config, world.runtime)
        daemon: Any = SimpleNamespace(
            options=Options(world), process_groups=self.groups, runtime=world.runtime
        )
        self.rpc = SupervisorNamespaceRPCInterface(daemon)

    def process(self, group: str, name: str | None = None) -> Subprocess:
        """Return a process."""
        return self.groups[group].processes[name or group]


@pytest.fixture
def site(world: World) -> Site:
    return Site(
        world,
        p=[{"name": "p"}],
        g=[{"name": "one", "startsecs": 2}, {"name": "two"}],
        missing=[{"name": "missing", "command": "/nowhere/program"}],
    )


def fault(call: Callable[[], Any]) -> tuple[int, str]:
    """Return code and text of the fault that a call raises."""
    with pytest.raises(RPCError) as raised:
        call()
    return raised.value.code, raised.value.text


def ok(group: str, name: str) -> dict[str, Any]:
    return {"group": group, "name": name, "status": 80, "description": "OK"}


class TestStart:
    """`startProcess` and its group and all forms."""

    def test_the_response_follows_the_start(self, world: World, site: Site) -> None:
        answer = site.rpc.startProcess("p")
        assert answer() is NOT_DONE_YET
        world.pass_time(1)
        assert answer() is True

    def test_without_waiting_it_is_immediate(self, site: Site) -> None:
        assert site.rpc.startProcess("p", False) is True
        assert site.process("p").state == ProcessStates.STARTING

    def test_the_caller_is_woken_by_the_change(self, world: World, site: Site) -> None:
        answer = site.rpc.startProcess("p")
        woken: list[int] = []
        for waiters in answer.wake_sources:
            waiters.add(lambda: woken.append(1))
        world.pass_time(0.9)
        assert woken == []
        world.pass_time(0.1)
        assert woken == [1]

    def test_a_process_that_dies_is_a_spawn_error(self, site: Site) -> None:
        answer = site.rpc.startProcess("p")
        site.process("p").finish(site.process("p").pid, 1 << 8)
        assert fault(answer) == (Faults.SPAWN_ERROR, "SPAWN_ERROR: p")

    def test_a_process_that_is_stopped_meanwhile_ended_abnormally(self, site: Site) -> None:
        answer = site.rpc.startProcess("p")
        site.rpc.stopProcess("p", False)
        assert fault(answer) == (Faults.ABNORMAL_TERMINATION, "ABNORMAL_TERMINATION: p")

    def test_faults(self, site: Site) -> None:
        site.rpc.startProcess("p", False)
        for name, expected in [
            ("p", (Faults.ALREADY_STARTED, "ALREADY_STARTED: p")),
            ("missing", (Faults.NO_FILE, "NO_FILE: can't find command '/nowhere/program'")),
            ("nope", (Faults.BAD_NAME, "BAD_NAME: nope")),
            ("g:nope", (Faults.BAD_NAME, "BAD_NAME: g:nope")),
            ("nope:*", (Faults.BAD_NAME, "BAD_NAME: nope:*")),
        ]:
            assert fault(lambda name=name: site.rpc.startProcess(name)) == expected  # type: ignore[misc]

    def test_the_command_is_looked_at_before_the_state(self, site: Site) -> None:
        site.rpc.startProcess("p", False)
        site.process("p").config.command = 'unbalanced "'
        assert fault(lambda: site.rpc.startProcess("p"))[0] == Faults.NOT_EXECUTABLE

    def test_an_unknown_state_is_a_failure(self, site: Site) -> None:
        site.process("p").state = ProcessStates.UNKNOWN
        assert fault(lambda: site.rpc.startProcess("p")) == (
            Faults.FAILED,
            "FAILED: p is in an unknown process state",
        )

    def test_the_results_of_a_group_are_in_the_order_of_completion(
        self, world: World, site: Site
    ) -> None:
        answer = site.rpc.startProcess("g:*")
        assert answer() is NOT_DONE_YET
        world.pass_time(1)
        assert answer() is NOT_DONE_YET
        world.pass_time(1)
        assert answer() == [ok("g", "two"), ok("g", "one")]

    def test_all_reports_failures_among_successes(self, world: World, site: Site) -> None:
        site.rpc.startProcess("g:one", False)
        answer = site.rpc.startAllProcesses()
        answer()
        world.pass_time(1)
        text = "NO_FILE: can't find command '/nowhere/program'"
        assert answer() == [
            {"group": "missing", "name": "missing", "status": 20, "description": text},
            ok("p", "p"),
            ok("g", "two"),
        ]

    def test_a_thousand_callers_cost_one_question_each(self, world: World, site: Site) -> None:
        answer = site.rpc.startProcess("p")
        asked: list[int] = []
        for number in range(1000):
            answer.wake_sources[0].add(lambda number=number: asked.append(number))
        world.pass_time(1)
        assert asked == list(range(1000))


class TestStopping:
    """Requests to start or stop a process that is stopping already."""

    @pytest.fixture
    def stopping(self, site: Site) -> Subprocess:
        process = site.process("p")
        site.rpc.startProcess("p", False)
        assert site.rpc.stopProcess("p", False) is True
        assert process.state == ProcessStates.STOPPING
        return process

    def test_a_second_stop_waits_for_the_first(
        self, world: World, site: Site, stopping: Subprocess
    ) -> None:
        answer = site.rpc.stopProcess("p")
        assert answer() is NOT_DONE_YET
        assert site.rpc.stopProcess("p", False) is True
        assert len(world.signals) == 1
        stopping.finish(stopping.pid, 0)
        assert answer() is True

    def test_the_stop_of_all_waits_as_well(self, site: Site, stopping: Subprocess) -> None:
        answers = [site.rpc.stopProcessGroup("p"), site.rpc.stopAllProcesses()]
        assert [answer() for answer in answers] == [NOT_DONE_YET] * 2
        stopping.finish(stopping.pid, 0)
        assert [answer() for answer in answers] == [[ok("p", "p")]] * 2

    def test_a_start_follows_the_stop(self, world: World, site: Site, stopping: Subprocess) -> None:
        answer = site.rpc.startProcess("p")
        assert answer() is NOT_DONE_YET
        stopping.finish(stopping.pid, 0)
        assert answer() is NOT_DONE_YET
        world.pass_time(0)
        assert stopping.state == ProcessStates.STARTING
        assert answer() is NOT_DONE_YET
        world.pass_time(1)
        assert answer() is True

    def test_without_waiting_it_is_started_all_the_same(
        self, world: World, site: Site, stopping: Subprocess
    ) -> None:
        assert site.rpc.startProcess("p", False) is True
        stopping.finish(stopping.pid, 0)
        world.pass_time(0)
        assert stopping.state == ProcessStates.STARTING
        stopping.finish(stopping.pid, 1 << 8)
        assert stopping.state == ProcessStates.BACKOFF

    def test_a_stop_is_answered_although_the_process_was_started_again(
        self, world: World, site: Site, stopping: Subprocess
    ) -> None:
        stopped, started = site.rpc.stopProcess("p"), site.rpc.startProcess("p")
        stopping.finish(stopping.pid, 0)
        world.pass_time(0)
        assert stopping.state == ProcessStates.STARTING
        assert stopped() is True
        world.pass_time(1)
        assert started() is True

    def test_the_last_request_counts(self, world: World, site: Site, stopping: Subprocess) -> None:
        started = site.rpc.startProcess("p")
        stopped = site.rpc.stopProcess("p")
        stopping.finish(stopping.pid, 0)
        world.pass_time(10)
        assert stopping.state == ProcessStates.STOPPED
        assert stopped() is True
        assert fault(started) == (Faults.ABNORMAL_TERMINATION, "ABNORMAL_TERMINATION: p")

    def test_a_start_that_fails_after_the_stop(
        self, world: World, site: Site, stopping: Subprocess
    ) -> None:
        answer = site.rpc.startProcess("p")
        stopping.config.command = "/nowhere/program"
        stopping.finish(stopping.pid, 0)
        world.pass_time(0)
        assert fault(answer) == (Faults.SPAWN_ERROR, "SPAWN_ERROR: p")

    def test_a_stop_that_fails_is_not_followed_by_the_start(
        self, world: World, site: Site, stopping: Subprocess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """SIGKILL is refused when `stopwaitsecs` are over."""
        answer = site.rpc.startProcess("p")

        def refuse(_pid: int, _signum: int) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr("os.kill", refuse)
        world.pass_time(stopping.config.stopwaitsecs)
        assert stopping.state == ProcessStates.UNKNOWN
        assert fault(answer)[0] == Faults.ABNORMAL_TERMINATION

    def test_nothing_is_started_once_the_daemon_goes_down(
        self, world: World, site: Site, stopping: Subprocess
    ) -> None:
        answer = site.rpc.startProcess("p")
        world.runtime.daemon_state = SupervisorStates.SHUTDOWN
        stopping.finish(stopping.pid, 0)
        world.pass_time(10)
        assert stopping.state == ProcessStates.STOPPED
        assert fault(answer)[0] == Faults.ABNORMAL_TERMINATION

    def test_a_group_that_is_removed_first_is_not_started(
        self, world: World, site: Site, stopping: Subprocess
    ) -> None:
        answer = site.rpc.startProcess("p")
        stopping.finish(stopping.pid, 0)
        site.groups["p"].before_remove()
        world.pass_time(10)
        assert stopping.state == ProcessStates.STOPPED
        assert fault(answer)[0] == Faults.ABNORMAL_TERMINATION


class TestStop:
    """`stopProcess` and its group and all forms."""

    def test_the_response_follows_the_stop(self, site: Site) -> None:
        site.rpc.startProcess("p", False)
        process = site.process("p")
        answer = site.rpc.stopProcess("p")
        assert answer() is NOT_DONE_YET
        process.finish(process.pid, 0)
        assert answer() is True

    def test_waiting_is_mentioned_in_the_log(self, world: World, site: Site) -> None:
        site.rpc.startProcess("p", False)
        site.rpc.stopProcess("p")()
        assert world.lines("info")[-1] == "waiting for p to stop"

    def test_a_stopped_process_is_a_fault(self, site: Site) -> None:
        assert fault(lambda: site.rpc.stopProcess("p")) == (
            Faults.NOT_RUNNING,
            "NOT_RUNNING: p",
        )

    def test_backoff_stops_at_once(self, site: Site) -> None:
        site.rpc.startProcess("p", False)
        process = site.process("p")
        process.finish(process.pid, 1 << 8)
        assert process.state == ProcessStates.BACKOFF
        assert site.rpc.stopProcess("p") is True
        assert process.state == ProcessStates.STOPPED

    def test_a_group_signals_in_ascending_order(self, world: World, site: Site) -> None:
        for name in ("one", "two"):
            site.rpc.startProcess(f"g:{name}", False)
        site.process("g", "one").config.priority = 1000
        pids = [site.process("g", name).pid for name in ("two", "one")]
        assert site.rpc.stopProcessGroup("g", False)() == [ok("g", "two"), ok("g", "one")]
        assert world.signals == [(pid, signal.SIGTERM) for pid in pids]

    def test_nothing_runs(self, site: Site) -> None:
        assert site.rpc.stopAllProcesses()() == []


class TestSignal:
    """`signalProcess` and its group and all forms."""

    @pytest.mark.parametrize("given", ["SIGUSR1", "usr1", "USR1", str(int(signal.SIGUSR1))])
    def test_names_and_numbers(self, world: World, site: Site, given: str) -> None:
        site.rpc.startProcess("p", False)
        assert site.rpc.signalProcess("p", given) is True
        assert world.signals == [(site.process("p").pid, signal.SIGUSR1)]
        assert site.process("p").state == ProcessStates.STARTING

    def test_a_bad_signal_is_found_before_a_bad_state(self, site: Site) -> None:
        assert fault(lambda: site.rpc.signalProcess("p", "NOPE")) == (
            Faults.BAD_SIGNAL,
            "BAD_SIGNAL: NOPE",
        )
        assert fault(lambda: site.rpc.signalProcess("p", "HUP")) == (
            Faults.NOT_RUNNING,
            "NOT_RUNNING: p",
        )

    def test_all_means_those_that_run(self, world: World, site: Site) -> None:
        site.rpc.startProcess("g:two", False)
        assert site.rpc.signalAllProcesses("HUP") == [ok("g", "two")]
        assert len(world.signals) == 1


def test_everything_is_refused_while_going_down(world: World, site: Site) -> None:
    world.runtime.daemon_state = SupervisorStates.SHUTDOWN
    for call in (
        site.rpc.getState,
        site.rpc.getAllProcessInfo,
        lambda: site.rpc.startProcess("p"),
        site.rpc.stopAllProcesses,
    ):
        assert fault(call) == (Faults.SHUTDOWN_STATE, "SHUTDOWN_STATE")
    assert site.rpc.sendRemoteCommEvent("type", "data") is True


class TestInfo:
    """Description in `getProcessInfo` in each state."""

    def description(self, site: Site) -> Any:
        return site.rpc.getProcessInfo("p")["description"]

    def test_never_started(self, site: Site) -> None:
        assert self.description(site) == "Not started"

    def test_running(self, world: World, site: Site) -> None:
        site.rpc.startProcess("p", False)
        world.pass_time(1)
        for seconds, uptime in [(0, "0:00:01"), (3661, "1:01:02"), (86400, "1 day, 1:01:02")]:
            world.clock.advance(seconds)
            assert self.description(site) == f"pid {site.process('p').pid}, uptime {uptime}"

    def test_a_clock_that_was_set_back_shows_no_negative_uptime(
        self, world: World, site: Site
    ) -> None:
        site.rpc.startProcess("p", False)
        world.pass_time(1)
        world.clock.set_wall(world.clock.time() - 1000)
        assert self.description(site) == f"pid {site.process('p').pid}, uptime 0:00:00"

    def test_backoff_shows_why(self, site: Site) -> None:
        site.rpc.startProcess("p", False)
        site.process("p").finish(site.process("p").pid, 1 << 8)
        assert self.description(site) == "Exited too quickly (process log may have details)"

    def test_fatal_without_a_reason_points_to_the_log(self, site: Site) -> None:
        site.process("p").state = ProcessStates.FATAL
        assert self.description(site) == 'unknown error (try "tail p")'

    def test_big_numbers_are_capped(self, world: World, site: Site) -> None:
        world.clock.set_wall(2**33)
        assert site.rpc.getProcessInfo("p")["now"] == 2**31 - 1

    def test_all_are_sorted_by_name(self, site: Site) -> None:
        names = [(info["group"], info["name"]) for info in site.rpc.getAllProcessInfo()]
        assert names == sorted(names)


def test_all_follows_a_deferred_function_that_changes_its_wake_sources(site: Site) -> None:
    """A plugin's `startProcess` may do several steps, each with its own notifier."""
    first, second, polls = Notifier(), Notifier(), []

    def start(*, name: str) -> Deferred:
        def poll() -> Any:
            polls.append(name)
            function.wake_sources = (second,)  # type: ignore[attr-defined]
            return True if len(polls) > 2 else NOT_DONE_YET

        function = deferred(poll, wake_sources=[first])
        return function

    process = site.process("p")
    function = make_allfunc([(site.groups["p"], process)], lambda _: True, start)
    assert function() is NOT_DONE_YET
    assert wake_sources_of(function) != ()
    for _ in range(2):
        second.notify()
        result = function()
    assert result == [ok("p", "p")]
