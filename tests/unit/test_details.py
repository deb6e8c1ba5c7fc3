"""Details of processes, dependencies, and the control that follows dependencies, over RPC."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from supervisor.common.faults import Faults, RPCError
from supervisor.common.records import replace
from supervisor.common.xmlrpc_codec import response
from supervisor.config.changes import changed_options
from supervisor.config.model import EventListenerConfig, ProcessConfig, ProcessGroupConfig
from supervisor.datatypes import Automatic, RestartUnconditionally
from supervisor.engine.deferred import NOT_DONE_YET
from supervisor.process.details import process_info
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.states import ProcessStates
from tests.support.programs import EXIT_3, Programs

if TYPE_CHECKING:
    from supervisor.process.child import Subprocess
    from tests.support.world import World

S = ProcessStates


class Site(Programs):
    """Programs and the RPC interface to them; `last_read` are the groups of the last reread."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.last_read: list[ProcessGroupConfig] = []
        options = SimpleNamespace(mood=1, process_group_configs=self.last_read)
        daemon: Any = SimpleNamespace(
            options=options, process_groups=self.groups, runtime=world.runtime
        )
        self.rpc = SupervisorNamespaceRPCInterface(daemon)

    def result(self, value: Any) -> Any:
        """Return the result of a method, which may be a deferred function."""
        for _ in range(20):
            result = value() if callable(value) else value
            if result is not NOT_DONE_YET:
                return result
            self.world.pass_time(0)
        raise AssertionError("there is no result")

    def with_states(self) -> dict[str, str]:
        return {name: self.rpc.getProcessInfo(name)["statename"] for name in self.groups}


@pytest.fixture
def site(world: World) -> Site:
    return Site(world)


def test_details_of_a_program_that_has_not_run(site: Site) -> None:
    web = site.add("web", autostart=False)
    details = site.rpc.getProcessDetails("web")
    assert web.group is not None
    group: Any = web.group
    info = process_info(group, web)
    del info["logfile"]
    assert details == info | {
        "signal": 0,
        "ready_at": 0.0,
        "health": "",
        "health_reason": "",
        "health_since": 0.0,
        "hook": "",
        "waiting_for": [],
        "restarts": 0,
        "next_start": 0.0,
        "last_exit": {
            "code": 0,
            "signal": 0,
            "expected": False,
            "core": False,
            "stopped": False,
            "stop_reason": "",
            "reason": "",
            "at": 0.0,
        },
        "starts": 0,
        "history": [],
        "config_file": "",
        "config_line": 0,
        "pending_changes": [],
    }


def test_details_of_waits_pauses_and_exits(site: Site) -> None:
    site.add("db", autostart=False)
    site.add("web", "db")
    crash = site.add("crash", startsecs=0, autorestart=RestartUnconditionally, restartpause=8)
    site.boot()
    site.world.pass_time(0)
    site.die(crash, 9)
    assert site.rpc.getProcessDetails("web")["waiting_for"] == ["db (STOPPED)"]
    details = site.rpc.getProcessDetails("crash")
    assert details["next_start"] == site.world.clock.time() + 8
    assert (details["signal"], details["last_exit"]["reason"]) == (9, "terminated by SIGKILL")
    assert [each["state"] for each in details["history"]] == [S.STARTING, S.RUNNING, S.EXITED]
    assert (details["starts"], details["restarts"]) == (1, 0)
    site.world.pass_time(8)
    site.world.pass_time(0)
    details = site.rpc.getProcessDetails("crash")
    assert (details["starts"], details["restarts"]) == (2, 1)
    assert (details["signal"], details["next_start"]) == (0, 0)


def test_a_queued_start_is_due_now(site: Site) -> None:
    """Otherwise an exited process would seem not to be restarted."""
    crash = site.add("crash", startsecs=0, autorestart=RestartUnconditionally)
    site.boot()
    site.world.pass_time(0)
    site.die(crash, 9)
    crash.starts.is_queued = True
    now = site.world.clock.time()
    assert site.rpc.getProcessDetails("crash")["next_start"] == now


def test_a_name_that_is_no_process(site: Site) -> None:
    site.add("web", count=2)
    for name in ("nope", "web:*"):
        with pytest.raises(RPCError) as raised:
            site.rpc.getProcessDetails(name)
        assert raised.value.code == Faults.BAD_NAME


def test_all_details_over_http_are_those_of_each_process(site: Site) -> None:
    for name in ("b", "a"):
        site.add(name, autostart=False)
    details = [site.rpc.getProcessDetails(name) for name in ("a", "b")]
    assert site.rpc.getAllProcessDetails() == details
    in_xml = site.result(site.rpc._all_details())
    assert response(in_xml) == response(details)


def test_details_with_usage_follow_a_sample_of_the_machine(site: Site) -> None:
    for name in ("b", "a"):
        site.add(name, autostart=False)
    unused = {"cpu_percent": 0.0, "cpu_seconds": 0.0, "memory_bytes": 0.0, "processes": 0}
    details = [site.rpc.getProcessDetails(name) | unused for name in ("a", "b")]
    assert site.result(site.rpc.getProcessDetails("a", True)) == details[0]
    assert site.result(site.rpc.getAllProcessDetails(True)) == details
    assert response(site.result(site.rpc._all_details(True))) == response(details)


def test_details_of_many_processes_are_spread_over_iterations(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("web", count=10, autostart=False)
    clock = site.world.clock
    made = process_info

    def slow(*member: Any) -> dict[str, Any]:
        clock.advance(0.004)
        return made(*member)

    monkeypatch.setattr("supervisor.process.details.process_info", slow)
    poll = site.rpc._all_details()
    polls = 1
    while poll() is NOT_DONE_YET:
        site.world.pass_time(0)
        polls += 1
    assert polls >= 4


# -- changes that have been read, but not applied ------------------------------------------------


def reread(process: Subprocess, **changes: Any) -> ProcessGroupConfig:
    """Return the group of a process as a reread would."""
    values = {name: value for name, value in vars(process.config).items() if name != "section"}
    config = ProcessConfig(**values | changes)
    return ProcessGroupConfig(process.group_name, 999, [config])


def test_pending_changes_are_the_options_that_were_read_differently(site: Site) -> None:
    web = site.add("web", autostart=False)
    site.last_read.append(reread(web))
    assert site.rpc.getProcessDetails("web")["pending_changes"] == []
    site.last_read[:] = [
        reread(web, command="/bin/dog", stdout=replace(web.config.stdout, syslog=True), uid=7)
    ]
    assert site.rpc.getProcessDetails("web")["pending_changes"] == [
        "command",
        "stdout_syslog",
        "user",
    ]


def test_a_generated_log_path_is_no_change() -> None:
    running = ProcessConfig("web", "/bin/cat", stdout_logfile="/log/web-stdout---x")
    read = ProcessConfig("web", "/bin/cat", stdout_logfile=Automatic, startsecs=5)
    assert changed_options(running, read) == ["startsecs"]


# -- dependencies --------------------------------------------------------------------------------


def test_dependencies_by_program(site: Site) -> None:
    site.add("cache")
    site.add("db", count=2)
    site.add("web", "db, -cache", depends_on_completed="db:db_0")
    assert site.rpc.getDependencies() == [
        {"name": "cache", "processes": ["cache"], "needs": []},
        {"name": "db", "processes": ["db:db_0", "db:db_1"], "needs": []},
        {
            "name": "web",
            "processes": ["web"],
            "needs": [
                {"name": "db", "condition": "running", "optional": False, "programs": ["db"]},
                {"name": "cache", "condition": "running", "optional": True, "programs": ["cache"]},
                {
                    "name": "db:db_0",
                    "condition": "completed",
                    "optional": False,
                    "programs": ["db"],
                },
            ],
        },
    ]


def running_chain(site: Site) -> None:
    """Start `db`, `app` that needs it, `web` that needs `app`, and programs beside them."""
    site.add("db", startsecs=0)
    site.add("app", "db", startsecs=0)
    site.add("web", "app", startsecs=0)
    site.add("other", "-db", startsecs=0)
    site.boot()
    for _ in range(4):
        site.world.pass_time(0)
    assert set(site.with_states().values()) == {"RUNNING"}


def test_a_stop_with_dependents_stops_these_first(site: Site) -> None:
    running_chain(site)
    answer = site.rpc.stopProcessWithDependents("db")
    assert answer() is NOT_DONE_YET
    assert site.with_states() == {
        "db": "RUNNING",
        "app": "RUNNING",
        "web": "STOPPING",
        "other": "RUNNING",
    }
    for name in ("web", "app", "db"):
        assert site.process(name).state == S.STOPPING
        site.die(site.process(name))
    results = site.result(answer)
    assert {each["name"] for each in results} == {"web", "app", "db"}
    assert site.with_states()["other"] == "RUNNING"
    with pytest.raises(RPCError) as raised:
        site.rpc.stopProcessWithDependents("db")
    assert raised.value.code == Faults.NOT_RUNNING


def test_a_stop_with_dependents_withdraws_their_requests(site: Site) -> None:
    site.add("db", startsecs=5)
    web = site.add("web", "db")
    site.boot()
    assert web.awaits_start
    site.rpc.stopProcessWithDependents("db", False)()
    assert not web.awaits_start


def test_a_start_alone_starts_even_a_waiting_program(site: Site) -> None:
    db = site.add("db", autostart=False)
    web = site.add("web", "db", startsecs=0)
    site.boot()
    assert web.awaits_start
    assert site.rpc.startProcessAlone("web") is True
    assert (db.state, web.state) == (S.STOPPED, S.RUNNING)
    with pytest.raises(RPCError) as raised:
        site.rpc.startProcessAlone("web")
    assert raised.value.code == Faults.ALREADY_STARTED


def test_a_start_alone_of_a_program_that_is_stopping(site: Site) -> None:
    """It waits for the end of the old process only; a later start is an ordinary one again."""
    db = site.add("db", startsecs=0)
    web = site.add("web", "db", startsecs=0, autostart=False)
    site.boot()
    site.start("web")
    for name in ("web", "db"):
        site.process(name).stop()
    site.die(db)
    site.rpc.startProcessAlone("web", False)
    site.die(web)
    site.world.pass_time(0)
    assert (db.state, web.state) == (S.STOPPED, S.RUNNING)
    web.stop()
    site.rpc.startProcessAlone("web", False)
    site.rpc.stopProcess("web", False)
    site.rpc.startProcess("web", False)
    assert db.state == S.STARTING
    site.die(web)
    assert web.state == S.RUNNING


def test_a_start_of_a_group_alone(site: Site) -> None:
    site.add("db", autostart=False)
    site.add("web", "db", count=2, autostart=False, startsecs=0)
    results = site.result(site.rpc.startProcessAlone("web:*"))
    assert [each["description"] for each in results] == ["OK", "OK"]
    assert site.process("db").state == S.STOPPED
    assert site.process("web").state == S.RUNNING
    site.die(site.process("web"), EXIT_3)


def test_essential_processes_are_those_of_health(site: Site) -> None:
    """All but listeners, if no program is essential."""

    def names() -> list[str]:
        return [each["name"] for each in site.rpc.getEssentialProcessInfo()]

    assert names() == []
    site.add("web")
    site.add("db")
    config = EventListenerConfig("l", "/bin/cat", stdout_logfile=None, stderr_logfile=None)
    listener = site.add_group("l", [config])
    assert names() == ["db", "web"]
    assert site.rpc.getEssentialProcessInfo()[0] == site.rpc.getProcessInfo("db")
    site.process("web").config.essential = "failure"
    assert names() == ["web"]
    listener.config.essential = "any"
    assert names() == ["l", "web"]
