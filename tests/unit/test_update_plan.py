"""The plan of an update: processes to add, remove, restart, or change while they run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.config.model import ProcessConfig, ProcessGroupConfig
from supervisor.daemon.update_plan import RunningGroup, Step, make_plan
from supervisor.supervisorctl.commands.update import step_line
from tests.support.configs import HANDLER, read


def running(groups: list[ProcessGroupConfig]) -> dict[str, RunningGroup]:
    """Return groups as if each had just been added."""
    return {
        group.name: RunningGroup(group, {each.name: each for each in group.process_configs})
        for group in groups
    }


def plan(directory: Path, before: str, after: str) -> list[str]:
    """Return the lines of the plan from one configuration to another."""
    present, future = (read(directory, text).groups for text in (before, after))
    return [step_line(step.struct()) for step in make_plan(future, running(present))]


WEB = "[program:web]\ncommand=/bin/cat\n"
FOUR = f"{WEB}process_name=w%(process_num)d\nnumprocs=4\n"
TWO = FOUR.replace("=4", "=2")
SHARDS = "environment=OF=%(numprocs)s\n"
DB = "[program:db]\ncommand=/bin/cat\n"
PAIR = f"{WEB}{DB}[group:x]\nprograms=web,db\n"
POOL = f"[eventlistener:l]\ncommand=/bin/cat\nevents=TICK_5\n{HANDLER}"
FCGI = "[fcgi-program:f]\ncommand=/bin/cat\nsocket=unix:///run/f.sock\n"

PLANS = {
    "nothing": (WEB, WEB, []),
    "a comment": (WEB, f"; a comment\n{WEB}", []),
    "a new program": (WEB, WEB + DB, ["+ add db"]),
    "a program that is gone": (WEB + DB, WEB, ["- remove db"]),
    "the order of the configuration": (
        DB,
        "[program:b]\ncommand=/bin/b\npriority=2\n[program:a]\ncommand=/bin/a\npriority=3\n",
        ["+ add b", "+ add a", "- remove db"],
    ),
    "a command": (WEB, WEB.replace("cat", "tac"), ["~ restart web (command)"]),
    "a secret": (
        f"{WEB}environment=KEY=a\nstopwaitsecs=3\n",
        f"{WEB}environment=KEY=b\n",
        ["~ restart web (stopwaitsecs 3 -> 10, environment)"],
    ),
    "where the output goes": (
        f"{WEB}stdout_logfile=/a\n",
        f"{WEB}stdout_logfile=/b\nredirect_stderr=true\numask=022\n",
        ["~ restart web (redirect_stderr false -> true, stdout_logfile /a -> /b, umask)"],
    ),
    "a user": (WEB, f"{WEB}user=root\n", ["~ restart web (user)"]),
    "values": (
        WEB,
        f"{WEB}stopwaitsecs=30\nstopsignal=INT\nautorestart=true\nexitcodes=0,2\n",
        [
            (
                "= apply web (autorestart unexpected -> true, stopsignal TERM -> INT,"
                " stopwaitsecs 10 -> 30, exitcodes 0 -> 0,2)"
            )
        ],
    ),
    "values of other types": (
        f"{WEB}startretries=unlimited\nmaxbackoff=500ms\nexitcodes=\n",
        f"{WEB}stdout_logfile_maxbytes=1024\nstdout_events_enabled=true\n",
        [
            (
                "= apply web (startretries unlimited -> 3, exitcodes none -> 0,"
                " stdout_events_enabled false -> true, stdout_logfile_maxbytes 50MB -> 1KB,"
                " maxbackoff 0.5 -> none)"
            )
        ],
    ),
    "a dependency": (
        WEB + DB,
        f"{WEB}depends_on=-db\n{DB}",
        ["= apply web (depends_on none -> -db)"],
    ),
    "fewer processes": (
        FOUR,
        TWO,
        [f"- remove web:{name} (numprocs 4 -> 2)" for name in ("w2", "w3")],
    ),
    "more processes": (TWO, FOUR, [f"+ add web:{name} (numprocs 2 -> 4)" for name in ("w2", "w3")]),
    "the first number": (
        TWO,
        f"{TWO}numprocs_start=1\n",
        ["+ add web:w2", "- remove web:w0"],
    ),
    "an option with the number of processes": (
        TWO + SHARDS,
        TWO.replace("=2", "=1") + SHARDS,
        ["~ restart web:w0 (environment)", "- remove web:w1 (numprocs 2 -> 1)"],
    ),
    "a renamed process": (
        WEB,
        f"{WEB}process_name=other\n",
        ["+ add web:other", "- remove web"],
    ),
    "a priority": (WEB, f"{WEB}priority=1\n", ["= apply web (priority 999 -> 1)"]),
    "a priority and a command": (
        WEB,
        f"{WEB}priority=1\n".replace("cat", "tac"),
        ["~ restart web (command, priority 999 -> 1)"],
    ),
    "the priority of a group": (PAIR, f"{PAIR}priority=1\n", ["= apply x:* (priority 999 -> 1)"]),
    "a member of a group": (
        f"{WEB}{DB}[group:x]\nprograms=web,db\n",
        f"{WEB}{DB}[group:x]\nprograms=web\n",
        ["+ add db", "- remove x:db"],
    ),
    "a listener's queue": (
        POOL,
        f"{POOL}buffer_size=20\n",
        ["= apply l:* (buffer_size 10 -> 20)"],
    ),
    "a listener's events": (
        POOL,
        POOL.replace("TICK_5", "TICK_60,PROCESS_STATE"),
        ["= apply l:* (events TICK_5 -> TICK_60,PROCESS_STATE)"],
    ),
    "a listener's handler": (
        POOL,
        POOL.replace("getpid", "getppid"),
        ["= apply l:* (result_handler posix:getpid -> posix:getppid)"],
    ),
    "a socket": (
        f"{FCGI}process_name=f%(process_num)d\nnumprocs=2\n",
        f"{FCGI}process_name=f%(process_num)d\nnumprocs=2\nsocket_mode=0777\n",
        ["~ restart f:f0 (socket)", "~ restart f:f1 (socket)"],
    ),
    "another kind of group": (
        FCGI,
        FCGI.replace("fcgi-", "").replace("socket=unix:///run/f.sock\n", ""),
        ["~ restart f (section)"],
    ),
    "a group without processes": (WEB, f"{WEB}{DB}numprocs=0\n", ["+ add db:*"]),
}


@pytest.mark.parametrize("name", PLANS)
def test_the_steps_of_a_plan(name: str, tmp_path: Path) -> None:
    before, after, steps = PLANS[name]
    assert plan(tmp_path, before, after) == steps


def test_no_step_holds_a_value_that_may_be_a_secret(tmp_path: Path) -> None:
    """Every option that changes has a value that must not be shown, in a restart or not."""
    readiness = "readiness_check_script=http://localhost/?key=hunter2\n"
    secret = f"{WEB}environment=KEY=hunter2\nserverurl=http://u:hunter2@h\n{readiness}"
    secret = secret.replace("cat", "cat hunter2")
    for before, after in ((WEB, secret), (secret, WEB)):
        groups = [read(tmp_path, text).groups for text in (before, after)]
        steps = make_plan(groups[1], running(groups[0]))
        assert steps
        assert "hunter2" not in str([step.struct() for step in steps])


# -- a plan leads from the running to the configured state -----------------------------------------

VALUES: dict[str, list[Any]] = {
    "command": ["/bin/a", "/bin/b"],
    "stopwaitsecs": [10, 20],
    "priority": [1, 2],
}
processes = st.fixed_dictionaries({name: st.sampled_from(each) for name, each in VALUES.items()})
configurations = st.dictionaries(
    st.sampled_from("abc"),
    st.tuples(st.integers(1, 2), st.dictionaries(st.sampled_from("xyz"), processes)),
)


def make_groups(
    drawn: dict[str, tuple[int, dict[str, dict[str, Any]]]],
) -> list[ProcessGroupConfig]:
    return [
        ProcessGroupConfig(
            name,
            priority,
            [ProcessConfig(name=each, **options) for each, options in members.items()],
        )
        for name, (priority, members) in drawn.items()
    ]


def applied(
    steps: list[Step], present: dict[str, RunningGroup], future: list[ProcessGroupConfig]
) -> dict[str, tuple[int, dict[str, ProcessConfig]]]:
    """Return group -> (priority, processes) after following steps to the letter."""
    state = {name: (each.config.priority, dict(each.processes)) for name, each in present.items()}
    wanted = {group.name: group for group in future}
    for step in steps:
        if step.action == "remove":
            state[step.group][1].pop(step.name, None)
            if step.group not in wanted and not state[step.group][1]:
                del state[step.group]
            continue
        group = wanted[step.group]
        _, members = state.setdefault(step.group, (group.priority, {}))
        state[step.group] = (group.priority if step.name == "*" else state[step.group][0], members)
        for config in group.process_configs:
            if config.name == step.name:
                assert (step.action == "add") == (step.name not in members)
                members[step.name] = config
    return state


@given(configurations, configurations)
def test_the_steps_lead_to_the_configured_state(before: Any, after: Any) -> None:
    present, future = running(make_groups(before)), make_groups(after)
    steps = make_plan(future, present)
    assert applied(steps, present, future) == {
        group.name: (group.priority, {each.name: each for each in group.process_configs})
        for group in future
    }
    assert make_plan(future, running(future)) == []
    assert len({(step.group, step.name) for step in steps}) == len(steps)
