"""The commands about dependencies and reasons: explain, graph, and the flags of start and stop."""

from __future__ import annotations

import json
import time
from typing import Any
from xmlrpc.client import Fault

import pytest

from supervisor.common.faults import Faults
from supervisor.supervisorctl.commands.explain import explanation
from tests.support.ctl import Ctl, process

NOW = 1_700_000_000
DAY = time.strftime("%b %d", time.localtime(NOW))
OLD_SERVER = Fault(Faults.UNKNOWN_METHOD, "UNKNOWN_METHOD")


def clock(at: float) -> str:
    """Return a time as the commands show it."""
    return time.strftime("%b %d %H:%M:%S", time.localtime(at))


def details(**more: Any) -> dict[str, Any]:
    """Return details of a program that has not been started."""
    return {
        "name": "web",
        "group": "web",
        "state": 0,
        "statename": "STOPPED",
        "now": NOW,
        "description": "Not started",
        "spawnerr": "",
        "waiting_for": [],
        "restarts": 0,
        "starts": 0,
        "next_start": 0.0,
        "last_exit": {"at": 0.0, "reason": "", "expected": False},
        "history": [],
        "config_file": "/etc/web.conf",
        "config_line": 7,
        "pending_changes": [],
        "stdout_logfile": "/log/out",
        "stderr_logfile": "/log/err",
    } | more


# -- explain ---------------------------------------------------------------------------------------

STOPPED_EXIT = {
    "at": NOW - 200.0,
    "reason": "terminated by SIGTERM",
    "expected": False,
    "stopped": True,
    "stop_reason": "too much memory",
}

EXPLANATIONS = [
    (
        details(),
        """\
web is STOPPED
  It has not been started.
  Configured in /etc/web.conf, line 7.
""",
    ),
    (
        details(starts=2, config_file=""),
        """\
web is STOPPED
  It has not been started since the start of supervisord.
  2 starts.
""",
    ),
    (
        details(
            starts=1,
            config_file="",
            history=[{"at": NOW - 9.0, "state": 0, "reason": "stop requested"}],
        ),
        f"""\
web is STOPPED since {clock(NOW - 9)} (9 seconds)
  It was stopped.
  1 start.

Last changes
  {clock(NOW - 9)}  STOPPED   stop requested
""",
    ),
    (
        details(
            waiting_for=["db (STARTING)", "migrate (not completed)"],
            pending_changes=["command", "environment"],
            config_file="",
        ),
        """\
web is STOPPED
  It waits for db (STARTING), migrate (not completed).
  Changed in the configuration, but not applied (see update): command, environment.
""",
    ),
    (
        details(
            state=30,
            statename="BACKOFF",
            spawnerr="Exited too quickly (process log may have details)",
            next_start=NOW + 7.6,
            starts=4,
            restarts=3,
            last_exit={"at": NOW - 200.0, "reason": "exit status 3", "expected": False},
            history=[
                {"at": NOW - 201.0, "state": 10, "reason": "autostart"},
                {"at": NOW - 200.0, "state": 30, "reason": "Exited too quickly"},
            ],
        ),
        f"""\
web is BACKOFF since {clock(NOW - 200)} (3 minutes)
  Its last start failed: Exited too quickly (process log may have details).
  The next start is in 8 seconds.
  Last exit: status 3 (not expected), {clock(NOW - 200)}.
  4 starts, 3 of these automatic.
  Configured in /etc/web.conf, line 7.

Last changes
  {clock(NOW - 201)}  STARTING  autostart
  {clock(NOW - 200)}  BACKOFF   Exited too quickly
""",
    ),
    (
        details(state=200, statename="FATAL", spawnerr="waited 30 seconds for db (STARTING)"),
        """\
web is FATAL
  It was given up: waited 30 seconds for db (STARTING).
  Configured in /etc/web.conf, line 7.
""",
    ),
    (
        details(state=20, statename="RUNNING", description="pid 5, uptime 0:01:00"),
        """\
web is RUNNING
  It runs with pid 5, uptime 0:01:00.
  Configured in /etc/web.conf, line 7.
""",
    ),
    (
        details(
            state=20,
            statename="RUNNING",
            description="pid 5, uptime 0:01:00, health: failing (2/3)",
            health="failing (2/3)",
            health_reason="connection refused",
            health_since=NOW - 20.0,
        ),
        f"""\
web is RUNNING
  It runs with pid 5, uptime 0:01:00, health: failing (2/3).
  Health: failing (2/3) since {clock(NOW - 20)}: connection refused.
  Configured in /etc/web.conf, line 7.
""",
    ),
    (
        details(state=20, statename="RUNNING", description="pid 5, uptime 0:01:00", health="ok"),
        """\
web is RUNNING
  It runs with pid 5, uptime 0:01:00.
  Health: ok.
  Configured in /etc/web.conf, line 7.
""",
    ),
    (
        details(
            state=10,
            statename="STARTING",
            pid=5,
            description="waiting for READY=1, readiness check failed: connection refused",
            waiting_for=["READY=1", "readiness check failed: connection refused"],
            health="",
            health_reason="connection refused",
            health_since=NOW - 20.0,
        ),
        f"""\
web is STARTING
  It is not ready yet: waiting for READY=1, readiness check failed: connection refused.
  Its readiness check has failed since {clock(NOW - 20)}: connection refused.
  Configured in /etc/web.conf, line 7.
""",
    ),
    (
        details(config_file="", last_exit=STOPPED_EXIT | {"stop_reason": ""}),
        f"""\
web is STOPPED
  It has not been started.
  Last exit: stopped on request (terminated by SIGTERM), {clock(NOW - 200)}.
""",
    ),
    (
        details(state=20, statename="RUNNING", config_file="", last_exit=STOPPED_EXIT),
        f"""\
web is RUNNING
  It runs with Not started.
  Last exit: stopped by supervisord (terminated by SIGTERM): too much memory, {clock(NOW - 200)}.
""",
    ),
    (
        details(state=100, statename="EXITED", config_line=0),
        """\
web is EXITED
  It ended by itself, and will not be restarted automatically.
  Configured in /etc/web.conf.
""",
    ),
]


@pytest.mark.parametrize(("found", "text"), EXPLANATIONS)
def test_explanations(found: dict[str, Any], text: str) -> None:
    assert explanation("web", found, ("stderr", [])) == text.splitlines()


def test_sentences_are_wrapped_on_a_narrow_terminal() -> None:
    found = details(waiting_for=["db (STARTING)", "migrate (not completed)"])
    lines = explanation("web", found, ("stderr", ["a log line  that is as long as it is"]), 30)
    assert lines == [
        "web is STOPPED",
        "  It waits for db (STARTING),",
        "    migrate (not completed).",
        "  Configured in /etc/web.conf,",
        "    line 7.",
        "",
        "Last lines of stderr",
        "  a log line  that is as long as it is",
    ]


@pytest.mark.parametrize(
    ("more", "method", "stream"),
    [
        ({}, "readProcessStderrLog", "stderr"),
        ({"stderr_logfile": ""}, "readProcessStdoutLog", "stdout"),
    ],
)
def test_explain_shows_the_last_lines_of_the_log(
    more: dict[str, Any], method: str, stream: str
) -> None:
    log = "".join(f"line {number}\n" for number in range(9))
    ctl = Ctl(
        getAllProcessInfo=[process("web"), process("db")],
        getProcessDetails=details(**more),
        **{method: log},
    )
    text, status = ctl.run("explain web")
    last = "".join(f"  line {number}\n" for number in range(4, 9))
    assert text.endswith(f"\nLast lines of {stream}\n{last}")
    assert status == 0


def test_explain_without_a_readable_log() -> None:
    ctl = Ctl(
        getAllProcessInfo=[process("web")],
        getProcessDetails=details(),
        readProcessStderrLog=Fault(Faults.NO_FILE, "NO_FILE: web"),
    )
    assert ctl.run("explain all") == (EXPLANATIONS[0][1], 0)


def test_explain_reports_unknown_names_and_missing_ones() -> None:
    ctl = Ctl(getAllProcessInfo=[process("web")])
    assert ctl.run("explain nope") == ("nope: ERROR (no such process)\n", 4)
    assert ctl.run("explain")[0].startswith("Error: explain requires a process name\n")
    assert ctl.run("explain")[1] == 1


# -- graph -----------------------------------------------------------------------------------------


def program(name: str, *needs: tuple[str, str, bool], count: int = 1) -> dict[str, Any]:
    """Return a struct of `getDependencies`."""
    names = [name] if count == 1 else [f"{name}:{name}_{number}" for number in range(count)]
    return {
        "name": name,
        "processes": names,
        "needs": [
            {"name": target, "condition": condition, "optional": soft, "programs": [target]}
            for target, condition, soft in needs
        ],
    }


PROGRAMS = [
    program("alone"),
    program("app", ("db", "running", False), ("setup", "exited", False)),
    program("cache"),
    program("db", ("migrate", "completed", False), count=2),
    program("migrate"),
    program("setup"),
    program("web", ("app", "running", False), ("cache", "running", True), ("db", "running", False)),
]

GRAPHS = [
    (
        "graph",
        """\
web
  app
    db
      migrate (completed)
    setup (exited)
  cache (optional)
  db (see above)
""",
    ),
    (
        "graph db:db_1",
        """\
db
  migrate (completed)

db is needed by
  app
    web
  web
""",
    ),
    ("graph alone", "alone\n  needs no other program\n"),
    (
        "graph --format=mermaid db",
        """\
graph TD
  p0["app"]
  p1["db"]
  p2["migrate"]
  p3["web"]
  p0 --> p1
  p1 -->|completed| p2
  p3 --> p0
  p3 --> p1
""",
    ),
]


@pytest.mark.parametrize(("line", "text"), GRAPHS)
def test_graphs(line: str, text: str) -> None:
    assert Ctl(getDependencies=PROGRAMS).run(line) == (text, 0)


def test_a_graph_as_json() -> None:
    ctl = Ctl(getDependencies=PROGRAMS)
    assert json.loads(ctl.run("graph --format json")[0]) == PROGRAMS
    assert [each["name"] for each in json.loads(ctl.run("graph --format=json db:*")[0])] == [
        "app",
        "db",
        "migrate",
        "web",
    ]


def test_a_chain_of_a_thousand_programs() -> None:
    chain = [program(f"p{n}", (f"p{n + 1}", "running", False)) for n in range(1000)]
    text, _ = Ctl(getDependencies=[*chain, program("p1000")]).run("graph")
    assert text.splitlines()[-1] == f"{'  ' * 1000}p1000"


def test_graphs_without_dependencies_and_of_unknown_programs() -> None:
    ctl = Ctl(getDependencies=[program("alone")])
    assert ctl.run("graph") == ("No program depends on another.\n", 0)
    assert ctl.run("graph nope") == ("nope: ERROR (no such process)\n", 1)
    text, status = ctl.run("graph --format=dot")
    assert (text.partition("\n")[0], status) == ("Error: bad argument --format=dot", 1)


# -- flags of start, stop and restart ------------------------------------------------------------


def outcome(name: str, status: int = Faults.SUCCESS) -> dict[str, Any]:
    return {"group": name, "name": name, "status": status, "description": ""}


def test_a_start_without_dependencies() -> None:
    ctl = Ctl(startProcessAlone=lambda name: [outcome("a"), outcome("b")] if "*" in name else True)
    assert ctl.run("start --no-deps web g:*") == ("web: started\na: started\nb: started\n", 0)
    assert ctl.asked() == [("startProcessAlone", "web"), ("startProcessAlone", "g:*")]
    text, status = ctl.run("start --no-deps all")
    assert text.startswith("Error: --no-deps requires the names of processes\n")
    assert status == 2


def test_a_stop_with_dependents() -> None:
    ctl = Ctl(
        stopProcessWithDependents=lambda name: (
            [outcome("web"), outcome("db")] if name == "db" else Fault(70, "")
        ),
        stopAllProcesses=[outcome("db")],
    )
    assert ctl.run("stop db --with-dependents") == ("web: stopped\ndb: stopped\n", 0)
    assert ctl.run("stop --with-dependents all") == ("db: stopped\n", 0)
    ctl = Ctl(stopProcessWithDependents=Fault(Faults.NOT_RUNNING, "NOT_RUNNING: db"))
    assert ctl.run("stop --with-dependents db") == ("db: ERROR (not running)\n", 0)


def test_a_restart_with_dependents_starts_each_of_them_once() -> None:
    """The start of `web` has started `app` as well."""
    answers = iter((True, True, Fault(Faults.ALREADY_STARTED, "ALREADY_STARTED: app")))

    def start(_name: str) -> Any:
        answer = next(answers)
        if isinstance(answer, Fault):
            raise answer
        return answer

    stopped = [outcome("web"), outcome("app"), outcome("db")]
    ctl = Ctl(stopProcessWithDependents=stopped, startProcess=start)
    assert ctl.run("restart --with-dependents db") == (
        "web: stopped\napp: stopped\ndb: stopped\ndb: started\nweb: started\napp: started\n",
        0,
    )


@pytest.mark.parametrize(
    "line",
    [
        "explain web",
        "graph",
        "start --no-deps web",
        "stop --with-dependents web",
        "restart --with-dependents web",
    ],
)
def test_an_older_server_is_one_clear_line(line: str) -> None:
    ctl = Ctl(
        getAllProcessInfo=[process("web")],
        getProcessDetails=OLD_SERVER,
        getDependencies=OLD_SERVER,
        startProcessAlone=OLD_SERVER,
        stopProcessWithDependents=OLD_SERVER,
    )
    text, status = ctl.run(line)
    assert (text.count("\n"), status) == (1, 1)
    assert "is it older than supervisorctl" in text
