"""The application of a plan: what is stopped, changed and started, and in which order."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor import events
from supervisor.common.faults import Faults, RPCError
from supervisor.common.records import replace
from supervisor.daemon import update_run, updates
from supervisor.engine.deferred import NOT_DONE_YET
from supervisor.engine.start_queue import MAX_SECONDS
from supervisor.options import ServerOptions
from supervisor.process.child import Subprocess
from supervisor.process.dependencies import ProcessIndex
from supervisor.process.event_pools import EventListenerPool
from supervisor.rpc import control
from supervisor.states import ProcessStates, SupervisorStates
from supervisor.supervisord import Supervisor
from tests.support.configs import HANDLER
from tests.support.world import World

S = ProcessStates
EXIT_0, EXIT_3 = 0, 3 << 8
SUPERVISORD = "[supervisord]\n"


class Site:
    """A daemon whose children end at the first signal, unless they are `stubborn`."""

    def __init__(self, world: World, directory: Path) -> None:
        self.world = world
        self._file = directory / "c.conf"
        options = ServerOptions()
        options.runtime = world.runtime
        options.arguments = ["-c", str(self._file)]
        self.options = options
        self.daemon = Supervisor(options)
        world.runtime.services.processes = ProcessIndex(self.daemon.process_groups)
        self.stubborn: set[str] = set()
        self.stopped: list[str] = []
        self._answered = 0

    @property
    def text(self) -> str:
        """The configuration file, after its section [supervisord]."""
        return self._file.read_text(encoding="utf-8").removeprefix(SUPERVISORD)

    @text.setter
    def text(self, text: str) -> None:
        self._file.write_text(f"{SUPERVISORD}{text}", encoding="utf-8")

    def boot(self, text: str) -> None:
        """Add the groups of a configuration, and start their processes."""
        self.text = text
        self.options.process_config()
        for config in self.options.process_group_configs:
            self.daemon.add_process_group(config)
        for group in sorted(self.daemon.process_groups.values()):
            group.transition()
        self.turn()

    def turn(self, seconds: float = 0) -> None:
        """Let time pass, and children end that have received a signal."""
        self.world.pass_time(seconds)
        while self._answered < len(self.world.signals):
            pid, _ = self.world.signals[self._answered]
            self._answered += 1
            process: Any = self.world.runtime.children.get(pid)
            if process is not None and process.name not in self.stubborn and process.pid == pid:
                self.stopped.append(process.name)
                process.finish(pid, EXIT_0)
            for _ in range(3):
                self.world.pass_time(0)

    def plan(self, text: str) -> dict[str, Any]:
        self.text = text
        return self._result(self.daemon.updates.plan())

    def update(self, text: str, *names: str) -> dict[str, str]:
        """Apply a configuration; return the result of each process."""
        result = self.daemon.updates.apply(self.plan(text)["id"], names)
        return self.finished(result)

    def finished(self, result: Callable[[], Any]) -> dict[str, str]:
        """Return the action of each step, or why it has failed."""
        return {
            each["name"]: each["action"] if each["status"] == 80 else each["description"]
            for each in self._result(result)
        }

    def _result(self, result: Callable[[], Any]) -> Any:
        for _ in range(20):
            value = result()
            if value is not NOT_DONE_YET:
                return value
            self.turn()
        raise AssertionError("there is no result")

    def process(self, name: str) -> Subprocess:
        for group in self.daemon.process_groups.values():
            if name in group.processes:
                return group.processes[name]
        raise KeyError(name)

    def pids(self) -> dict[str, int]:
        return {
            process.name: process.pid
            for group in self.daemon.process_groups.values()
            for process in group.processes.values()
        }

    def states(self) -> dict[str, int]:
        return {name: self.process(name).state for name in self.pids()}


@pytest.fixture
def site(world: World, directory: Path) -> Iterator[Site]:
    made = Site(world, directory)
    yield made
    for name in made.pids():
        made.process(name)._close_dispatchers()
    events.clear()


def program(name: str, **options: Any) -> str:
    options = {
        "command": "/bin/cat",
        "startsecs": 0,
        "stdout_logfile": "NONE",
        "stderr_logfile": "NONE",
    } | options
    lines = [f"{key}={value}" for key, value in options.items()]
    return "\n".join([f"[program:{name}]", *lines, ""])


def several(name: str, count: object, **options: Any) -> str:
    names = {"process_name": f"{name}%(process_num)d", "numprocs": count}
    return program(name, **names, **options)


# -- the result is the configured state ------------------------------------------------------------


def random_configuration(drawn: random.Random) -> str:
    text, names = "", [name for name in "abcd" if drawn.random() < 0.7]
    for name in names:
        text += several(
            name,
            drawn.randint(1, 3),
            command=drawn.choice(["/bin/cat", "/bin/tac"]),
            stopwaitsecs=drawn.randint(1, 2),
            priority=drawn.randint(1, 3),
            depends_on=drawn.choice([each for each in ["", *names] if each < name]),
            on_dependency_failure=drawn.choice(["ignore", "stop"]),
        )
    if len(names) > 1 and drawn.random() < 0.5:
        text += f"[group:g]\nprograms={names[0]},{names[1]}\n"
    return text


@pytest.mark.parametrize("seed", range(40))
def test_an_update_leads_to_the_configured_state(site: Site, seed: int) -> None:
    drawn = random.Random(seed)  # noqa: S311 - a repeatable choice
    site.boot(random_configuration(drawn))
    for _ in range(3):
        text = random_configuration(drawn)
        before, steps = site.pids(), site.plan(text)["steps"]
        assert all(before.values())
        result = site.update(text)
        assert set(result.values()) <= {"add", "remove", "restart", "apply"}
        for _ in range(20):
            site.turn()
        assert site.plan(text)["steps"] == []
        assert site.daemon.reread() == [[], [], []]
        configured = site.options.process_group_configs
        groups = site.daemon.process_groups
        assert {each.name: each for each in configured} == {
            name: group.config for name, group in groups.items()
        }
        for config in configured:
            members = groups[config.name].processes
            assert [each.config for each in members.values()] == config.process_configs
        assert set(site.states().values()) <= {S.RUNNING}
        restarted = {step["name"] for step in steps if step["action"] != "apply"}
        may_follow = {name for name in site.pids() if site.process(name).starts.gate is not None}
        for name, pid in site.pids().items():
            if name not in restarted | may_follow:
                assert pid == before[name]
        site.daemon.runtime.services.processes.groups_changed()


# -- what is left alone ----------------------------------------------------------------------------


def test_only_the_processes_of_the_plan_are_touched(site: Site) -> None:
    published: list[object] = []
    site.boot(several("web", 2) + program("db") + program("old"))
    before = site.pids()
    events.subscribe(events.ProcessGroupEvent, published.append)
    changed = several("web", 3, stopwaitsecs=30) + program("db", command="/bin/tac")
    assert site.update(changed + program("new")) == {
        "db": "restart",
        "new": "add",
        "old": "remove",
        "web0": "apply",
        "web1": "apply",
        "web2": "add",
    }
    after = site.pids()
    assert [after[name] == before[name] for name in ("web0", "web1", "db")] == [True, True, False]
    assert [type(each).__name__ for each in published] == [
        "ProcessGroupAddedEvent",
        "ProcessGroupRemovedEvent",
    ]
    assert "changed: web:web0 (stopwaitsecs)" in site.world.lines()


def test_some_groups(site: Site) -> None:
    site.boot(program("web") + program("db"))
    future = program("web", stopwaitsecs=3) + program("db", stopwaitsecs=3)
    assert site.update(future, "db") == {"db": "apply"}
    assert [step["name"] for step in site.plan(future)["steps"]] == ["web"]
    with pytest.raises(RPCError) as caught:
        site.update(future, "nope")
    assert caught.value.text == "BAD_NAME: nope"


def test_what_was_down_stays_down_and_what_has_failed_gets_another_try(site: Site) -> None:
    names = ("stopped", "manual", "failed", "done", "idle", "late")
    options: dict[str, dict[str, Any]] = {name: {} for name in names}
    options["manual"] = options["idle"] = options["late"] = {"autostart": "false"}
    options["failed"] = {"startsecs": 5, "startretries": 0}
    site.boot("".join(program(name, **each) for name, each in options.items()))
    site.process("stopped").stop()
    site.process("manual").starts.request()
    site.process("manual").transition()
    site.process("failed").finish(site.process("failed").pid, EXIT_3)
    site.process("done").finish(site.process("done").pid, EXIT_0)
    for _ in range(3):
        site.turn(1)
    before = {
        "stopped": S.STOPPED,
        "manual": S.RUNNING,
        "failed": S.FATAL,
        "done": S.EXITED,
        "idle": S.STOPPED,
        "late": S.STOPPED,
    }
    assert site.states() == before
    options["late"] = {}
    changed = "".join(program(name, command="/bin/tac", **each) for name, each in options.items())
    assert set(site.update(changed).values()) == {"restart"}
    site.turn(6)
    assert site.states() == {
        **dict.fromkeys(("manual", "failed", "done", "late"), S.RUNNING),
        **dict.fromkeys(("stopped", "idle"), S.STOPPED),
    }


def test_a_restart_in_the_history_has_its_reason(site: Site) -> None:
    site.boot(program("web"))
    site.update(program("web", command="/bin/tac"))
    site.turn()
    reasons = [reason for _, _, reason in site.process("web").history.transitions]
    assert "update of its configuration" in reasons


# -- order -----------------------------------------------------------------------------------------


def test_dependents_stop_first_and_start_last(site: Site) -> None:
    both = program("db") + program("web", depends_on="db")
    site.boot(both)
    site.turn()
    started = len(site.world.plans)
    site.update(both.replace("cat", "tac"))
    for _ in range(3):
        site.turn()
    assert site.stopped == ["web", "db"]
    assert [plan.name for plan in site.world.plans[started:]] == ["db", "web"]


def test_a_dependency_moves_to_a_program_that_is_added(site: Site) -> None:
    """The dependent is not stopped with the one that is removed."""
    web = {"on_dependency_failure": "stop"}
    site.boot(program("db") + program("web", depends_on="db", **web))
    site.turn()
    pid = site.process("web").pid
    site.update(program("new") + program("web", depends_on="new", **web))
    for _ in range(3):
        site.turn()
    assert site.process("web").pid == pid
    site.process("new").stop()
    for _ in range(3):
        site.turn()
    assert (site.process("web").state, site.stopped) == (S.STOPPED, ["db", "new", "web"])


def test_the_stops_of_many_are_spread_over_iterations(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.boot(several("web", 12))
    stop, stopped = Subprocess.stop, []

    def slow(process: Subprocess) -> str | None:
        site.world.clock.advance(0.004)
        stopped.append(process.name)
        return stop(process)

    monkeypatch.setattr(Subprocess, "stop", slow)
    plan = site.plan(several("web", 12, command="/bin/tac"))
    result = site.daemon.updates.apply(plan["id"])
    counts = [len(stopped)]
    while len(stopped) < 12:
        before = len(stopped)
        site.world.runtime.loop.run_once(0)
        counts.append(len(stopped) - before)
    assert max(counts) <= 3
    assert set(site.finished(result).values()) == {"restart"}


# -- groups with options of their own --------------------------------------------------------------

POOL = f"[eventlistener:l]\ncommand=/bin/cat\nstartsecs=0\nevents=TICK_5,TICK_60\n{HANDLER}"


def test_the_options_of_a_pool_change_while_it_runs(site: Site) -> None:
    site.boot(POOL)
    pool = site.daemon.process_groups["l"]
    assert isinstance(pool, EventListenerPool)
    pid = site.process("l").pid
    for _ in range(8):
        events.notify(events.Tick60Event(0, None))
    changed = POOL.replace("TICK_5,TICK_60", "TICK_5,PROCESS_GROUP") + "buffer_size=3\n"
    assert site.update(changed) == {"*": "apply"}
    assert (site.daemon.process_groups["l"], site.process("l").pid) == (pool, pid)
    events.notify(events.Tick60Event(0, None))
    assert len(pool.event_buffer) == 8
    events.notify(events.ProcessGroupAddedEvent("x"))
    assert [type(each).__name__ for each in pool.event_buffer] == [
        "Tick60Event",
        "Tick60Event",
        "ProcessGroupAddedEvent",
    ]


def test_listeners_are_added_to_a_pool(site: Site) -> None:
    site.boot(POOL)
    two = POOL + "numprocs=2\nprocess_name=l%(process_num)d\n"
    assert site.update(two) == {"l0": "add", "l1": "add", "l": "remove"}
    assert list(site.daemon.process_groups["l"].processes) == ["l0", "l1"]
    assert set(site.states().values()) == {S.RUNNING}


def test_a_program_becomes_a_listener(site: Site) -> None:
    site.boot(program("l"))
    site.update(POOL)
    assert isinstance(site.daemon.process_groups["l"], EventListenerPool)
    assert site.states() == {"l": S.RUNNING}


# -- what goes wrong -------------------------------------------------------------------------------


def refusal(site: Site, plan_id: str) -> str:
    with pytest.raises(RPCError) as caught:
        site.daemon.updates.apply(plan_id)
    assert caught.value.code == Faults.FAILED
    return caught.value.text


OUTDATED = f"FAILED: {updates.OUTDATED}"


def test_a_plan_that_is_out_of_date_does_nothing(site: Site) -> None:
    site.boot(program("web") + program("db"))
    pids = site.pids()
    assert refusal(site, "") == OUTDATED
    future = program("web", command="/bin/tac") + program("db")
    first = site.plan(future)["id"]
    assert site.plan(f"; a comment\n{future}")["id"] == first
    second = site.plan(future.replace("tac", "true"))["id"]
    assert refusal(site, first) == OUTDATED
    site.process("db").stop()
    site.turn()
    site.daemon.remove_process_group("db")
    assert refusal(site, second) == OUTDATED
    assert site.pids() == {"web": pids["web"]}


def test_one_update_at_a_time(site: Site) -> None:
    site.boot(program("web"))
    site.stubborn.add("web")
    site.daemon.updates.apply(site.plan(program("web", command="/bin/tac"))["id"])
    site.turn()
    again = site.plan(site.text)
    assert refusal(site, again["id"]) == "FAILED: another update is being applied"
    site.stubborn.clear()
    site.turn(10)  # SIGKILL
    assert site.update(site.text) == {}


def test_an_update_goes_on_without_its_client(site: Site) -> None:
    site.boot(program("web") + program("old"))
    site.daemon.updates.apply(site.plan(program("web", command="/bin/tac"))["id"])
    for _ in range(5):
        site.turn()
    assert site.plan(site.text)["steps"] == []
    assert site.states() == {"web": S.RUNNING}


def test_a_process_that_cannot_be_stopped_fails_its_step_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.boot(several("web", 2) + program("db"))
    web, kill = site.process("web1"), Subprocess.send_signal

    def refuse(self: Subprocess, *args: Any, **options: Any) -> str | None:
        if self is not web:
            return kill(self, *args, **options)
        self.change_state(S.UNKNOWN)
        return "not permitted"

    monkeypatch.setattr(Subprocess, "send_signal", refuse)
    future = several("web", 2, command="/bin/tac") + program("db", command="/bin/tac")
    result = site.update(future)
    assert result == {"web0": "restart", "web1": "STILL_RUNNING: web:web1", "db": "restart"}
    steps = site.plan(future)["steps"]
    assert [(step["name"], step["action"]) for step in steps] == [("web1", "restart")]


def test_a_shutdown_ends_an_update(site: Site) -> None:
    site.boot(program("web"))
    site.stubborn.add("web")
    result = site.daemon.updates.apply(
        site.plan(program("web", command="/bin/tac") + program("new"))["id"]
    )
    site.turn()
    site.options.mood = -1
    site.stubborn.clear()
    site.turn(10)
    assert site.finished(result) == {"web": "SHUTDOWN_STATE", "new": "add"}
    assert site.process("web").state == S.STOPPED


# -- the number of processes -----------------------------------------------------------------------


def scale(site: Site, name: str, count: int) -> dict[str, str]:
    return site.finished(site.daemon.updates.scale(name, count))


def test_processes_are_added_and_removed_at_the_end(site: Site) -> None:
    site.boot(several("web", 2) + program("db"))
    before = site.pids()
    assert scale(site, "web", 4) == {"web2": "add", "web3": "add"}
    site.turn()
    assert set(site.states().values()) == {S.RUNNING}
    assert site.daemon.reread() == [[], [], []]
    assert list(scale(site, "web", 1)) == ["web3", "web2", "web1"]
    assert site.stopped == ["web3", "web2", "web1"]
    assert site.pids() == {"web0": before["web0"], "db": before["db"]}
    assert scale(site, "web", 1) == {}


def test_a_scale_holds_until_the_number_in_the_file_changes(site: Site) -> None:
    site.boot(several("web", 2))
    scale(site, "web", 3)
    assert site.update(several("web", 2, stopwaitsecs=3)) == dict.fromkeys(
        ("web0", "web1", "web2"), "apply"
    )
    assert site.update(several("web", 1, stopwaitsecs=3)) == {"web1": "remove", "web2": "remove"}
    assert site.update(several("web", 2, stopwaitsecs=3)) == {"web1": "add"}


def test_a_scale_leaves_other_changes_pending(site: Site) -> None:
    site.boot(several("web", 2) + program("db"))
    before = site.pids()
    site.text = several("web", 2, command="/bin/tac") + program("db", command="/bin/tac")
    assert scale(site, "web", 3) == {"web2": "add"}
    assert {**site.pids(), **before} == site.pids()
    assert [site.process(name).config.command for name in ("web0", "web2")] == [
        "/bin/cat",
        "/bin/tac",
    ]
    names = [step["name"] for step in site.plan(site.text)["steps"]]
    assert names == ["db", "web0", "web1"]


def test_a_member_of_a_group_and_a_pool_can_be_scaled(site: Site) -> None:
    pool = POOL + "numprocs=1\nprocess_name=l%(process_num)d\n"
    site.boot(several("web", 1) + several("db", 1) + "[group:g]\nprograms=web,db\n" + pool)
    assert scale(site, "web", 2) == {"web1": "add"}
    assert list(site.daemon.process_groups["g"].processes) == ["web0", "web1", "db0"]
    assert scale(site, "l", 2) == {"l1": "add"}
    assert site.daemon.reread() == [[], [], []]


def scale_refusal(site: Site, name: str, count: Any) -> str:
    before = site.options.scales.snapshot()
    with pytest.raises(RPCError) as caught:
        site.daemon.updates.scale(name, count)
    assert site.options.scales.snapshot() == before
    return caught.value.text


def test_what_cannot_be_scaled_is_one_line(site: Site) -> None:
    site.boot(several("web", 2) + program("db"))
    number = "INCORRECT_PARAMETERS: the number of processes must be from 1 to 10000: "
    assert scale_refusal(site, "nope", 2) == "BAD_NAME: nope"
    assert scale_refusal(site, "web", 0) == f"{number}0"
    assert scale_refusal(site, "web", 10_001) == f"{number}10001"
    assert scale_refusal(site, "web", "2") == f"{number}'2'"
    assert scale_refusal(site, "db", 2) == (
        "FAILED: db needs %(process_num)d in its process_name for several processes"
    )
    site.text = several("web", 2).replace("web%", "other%")
    assert scale_refusal(site, "web", 3) == (
        "FAILED: the names of the processes of web have changed, run update first"
    )
    site.text = program("db")
    assert scale_refusal(site, "web", 3) == "FAILED: web is no longer in the configuration"
    site.text = several("web", "x")
    text = scale_refusal(site, "web", 3)
    assert text.startswith("CANT_REREAD: invalid literal for int() with base 10: 'x' in section")


def test_a_program_with_one_process_whose_scale_was_set_stays_valid(site: Site) -> None:
    """The file may drop the number from the names later."""
    site.boot(several("web", 1))
    scale(site, "web", 3)
    assert site.update(program("web")) == {
        "web": "add",
        **{f"web{number}": "remove" for number in range(3)},
    }
    assert site.options.scales.snapshot() == {}


def test_saved_scales_are_taken_over(site: Site) -> None:
    site.boot(several("web", 2))
    scale(site, "web", 3)
    saved = site.options.scales.snapshot()
    assert saved == {"program:web": {"count": 3, "configured": 2}}
    later = ServerOptions()
    later.scales.restore(saved)
    assert later.scales.snapshot() == saved


def test_an_unexpected_error_ends_an_update_but_not_the_next_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plugin may replace methods, and they may fail."""
    site.boot(program("web") + program("db"))
    future = program("web", command="/bin/tac") + program("db", stopwaitsecs=3)
    with monkeypatch.context() as patch:
        patch.setattr(Subprocess, "stop", lambda _self: 1 // 0)
        assert site.update(future) == {
            "db": "apply",
            "web": "FAILED: the step was not taken, see the activity log",
        }
    assert any("ZeroDivisionError" in line for line in site.world.lines("critical"))
    assert site.update(future) == {"web": "restart"}


def test_an_unexpected_error_fails_its_step_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The processes that the update has stopped are started again."""
    text = several("web", 3) + program("app", depends_on="web")
    site.boot(text)
    site.turn()
    change = update_run.reconfigure

    def fail(process: Subprocess, config: Any) -> None:
        if process.name == "web1":
            raise ZeroDivisionError
        change(process, config)

    monkeypatch.setattr(update_run, "reconfigure", fail)
    assert site.update(text.replace("cat", "tac")) == {
        **dict.fromkeys(("app", "web0", "web2"), "restart"),
        "web1": "FAILED: the step was not taken, see the activity log",
    }
    assert any("ZeroDivisionError" in line for line in site.world.lines("critical"))
    site.turn()
    assert [site.process(name).state for name in ("web0", "web2")] == [S.RUNNING, S.RUNNING]
    assert not any(site.process(name).starts.is_replaced for name in site.pids())


@pytest.mark.parametrize("names", [5, "web", {"web": 1}, [5], [["web"]], ["nope"]])
def test_names_of_the_wrong_type_are_refused(site: Site, names: Any) -> None:
    site.boot(program("web"))
    plan = site.plan(program("web", stopwaitsecs=3))
    with pytest.raises(RPCError):
        site.daemon.updates.apply(plan["id"], names)


@pytest.mark.parametrize("rule", ["stop", "restart"])
def test_a_dependency_that_an_update_restarts_is_not_down_for_good(site: Site, rule: str) -> None:
    """Even if it has to wait for another process of its batch to stop."""
    app = program("app", depends_on="db", on_dependency_failure=rule)
    site.boot(several("db", 2) + app)
    site.turn()
    pid = site.process("app").pid
    site.stubborn.add("db1")
    future = several("db", 2, command="/bin/tac") + app
    result = site.daemon.updates.apply(site.plan(future)["id"])
    for _ in range(5):
        site.turn()
    assert (site.process("db0").state, site.process("app").pid) == (S.STOPPED, pid)
    site.stubborn.clear()
    site.turn(10)
    assert site.finished(result) == {"db0": "restart", "db1": "restart"}
    for _ in range(5):
        site.turn()
    assert set(site.states().values()) == {S.RUNNING}
    assert (site.process("app").pid == pid) is (rule == "stop")
    assert site.process("db0").starts.is_replaced is False


def test_the_end_of_one_wait_leaves_the_others(site: Site) -> None:
    """Two processes wait for the same one; an update ends the wait of the first."""
    text = program("db", autostart="false")
    for name in ("first", "second"):
        text += program(name, depends_on="db", autostart="false", autorestart="true")
    site.boot(text)
    for name in ("first", "second"):
        site.process(name).spawn()
        site.process(name).finish(site.process(name).pid, EXIT_0)
    site.turn(2)
    assert [str(each) for each in site.process("second").starts.unmet()] == ["db (STOPPED)"]
    changed = text.replace("autorestart=true", "autorestart=false", 1)
    assert site.update(changed) == {"first": "apply"}
    site.process("db").spawn()
    site.turn(1)
    site.turn()
    assert site.states() == {"db": S.RUNNING, "first": S.EXITED, "second": S.RUNNING}


def test_a_process_in_backoff_does_not_follow_its_dependencies(site: Site) -> None:
    """An update of its options makes no difference."""
    web = {"startsecs": 5, "on_dependency_failure": "stop"}
    text = program("db") + program("web", depends_on="db", **web)
    site.boot(text)
    site.turn()
    site.process("web").finish(site.process("web").pid, EXIT_3)
    assert site.update(text.replace("startsecs=5", "startsecs=6")) == {"web": "apply"}
    site.process("db").stop()
    site.turn()
    site.turn(2)
    assert site.states() == {"db": S.STOPPED, "web": S.BACKOFF}
    assert [str(each) for each in site.process("web").starts.unmet()] == ["db (STOPPED)"]


# -- the exit of the daemon ------------------------------------------------------------------------


def watch_exits(site: Site, *, all_exited: bool = False) -> None:
    runtime = site.world.runtime
    runtime.settings = replace(runtime.settings, exit_when_all_exited=all_exited)
    site.daemon.exits.begin()
    site.turn()


def die(site: Site, name: str, status: int = EXIT_3) -> int:
    """Let a process die; return the state of the daemon."""
    process = site.process(name)
    process.finish(process.pid, status)
    site.turn()
    site.turn()
    return site.world.runtime.daemon_state


@pytest.mark.parametrize("is_scaled", [True, False])
def test_an_added_process_keeps_the_daemon_running(site: Site, *, is_scaled: bool) -> None:
    options = {"autorestart": "false"}
    site.boot(several("web", 1, **options))
    watch_exits(site, all_exited=True)
    if is_scaled:
        scale(site, "web", 2)
    else:
        site.update(several("web", 2, **options))
    site.turn()
    assert site.states() == {"web0": S.RUNNING, "web1": S.RUNNING}
    assert die(site, "web0") == SupervisorStates.RUNNING
    assert die(site, "web1", EXIT_0) == SupervisorStates.SHUTDOWN


def test_a_removed_process_is_no_longer_watched(site: Site) -> None:
    site.boot(several("web", 2, essential="true"))
    watch_exits(site)
    removed = site.process("web1")
    scale(site, "web", 1)
    site.turn()
    assert not removed.changed
    assert site.world.runtime.daemon_state == SupervisorStates.RUNNING


@pytest.mark.parametrize("all_exited", [True, False])
def test_a_process_becomes_essential(site: Site, *, all_exited: bool) -> None:
    """Its next end counts, but not an end before that, and no further update."""
    once = {"autorestart": "false"}
    site.boot(program("web", **once) + program("job", **once))
    watch_exits(site, all_exited=all_exited)
    assert die(site, "job") == SupervisorStates.RUNNING
    for seconds in (10, 11):
        options = {**once, "essential": "true", "stopwaitsecs": seconds}
        assert site.update(program("web", **options) + program("job", **options)) == {
            "web": "apply",
            "job": "apply",
        }
        site.turn()
        assert site.world.runtime.daemon_state == SupervisorStates.RUNNING
    control.start(site.process("job"), "job", wait=False)
    site.turn()
    assert die(site, "job") == SupervisorStates.SHUTDOWN


def test_a_process_is_essential_no_longer(site: Site) -> None:
    once = {"autorestart": "false"}
    site.boot(program("web", essential="true", **once))
    watch_exits(site)
    site.update(program("web", **once))
    assert die(site, "web") == SupervisorStates.RUNNING


def test_a_plan_reads_the_configuration_in_several_iterations(site: Site) -> None:
    """Other clients are served while a thousand programs are read."""
    site.boot("")
    text = "".join(f"[program:p{number}]\ncommand=/bin/cat\n" for number in range(9))
    site.text = text
    clock = site.world.clock
    read = site.options.processes_from_section

    def slow(*args: Any) -> Any:
        clock.advance(MAX_SECONDS)
        return read(*args)

    site.options.processes_from_section = slow  # type: ignore[method-assign]
    plan, turns = site.daemon.updates.plan(), 0
    while (result := plan()) is NOT_DONE_YET:
        turns += 1
        site.world.runtime.loop.run_once(0)
    assert turns >= 8
    assert len(result["steps"]) == 9
