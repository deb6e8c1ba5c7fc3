"""Salt's execution and state modules `supervisord`, run by salt itself.

They parse what `supervisorctl` prints.  One salt takes the same steps on a daemon of ours and
on one of the reference; each must have the expected answer, and the same on both.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.children import child
from tests.support.comparison import assert_same, normalised, running_pair, temporary_directory
from tests.support.daemon import Daemon, clean_environment
from tests.support.tools import salt_environment

SALT_SECONDS = 100

CALLER = """
import json, sys
from salt.client import Caller
from salt.config import minion_config

options = minion_config(None)
options.update(root_dir=sys.argv[1], cachedir=sys.argv[1], file_client="local", log_level="quiet")
caller = Caller(mopts=options)
steps, daemons = json.load(sys.stdin)
answers = {name: [] for name in daemons}
for function, arguments in steps:
    for name, where in daemons.items():
        try:
            if function == "supervisord.options":
                where = {"conf_file": where["conf_file"]}
            answer = caller.cmd(function, *arguments, **where)
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        if function == "state.single":
            (state,) = answer.values()
            answer = {key: state[key] for key in ("result", "comment", "changes")}
        answers[name].append(answer)
print(json.dumps(answers))
"""

STARTED = f"""
[program:runs]
command={child("sleeper")}
startsecs=0
[program:idle]
command={child("sleeper")}
startsecs=0
autostart=false
[program:missing]
command=/nonexistent/program
autostart=false
"""

ADDED = f"""
[program:new]
command={child("sleeper")}
startsecs=0
autostart=false
"""

SETTLED = {"runs": "RUNNING"}

RUNNING = "supervisord.running"
DEAD = "supervisord.dead"

# A function, its arguments, and a part of the answer, as JSON writes it.
STEPS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("supervisord.status", (), '"runs": {"state": "RUNNING", "reason": "pid'),
    # The exit status for what does not run makes Salt write ERROR before the line.
    ("supervisord.status", ("idle",), '"state": "idle", "reason": "STOPPED   Not started"'),
    ("supervisord.status_bool", ("runs",), "true"),
    ("supervisord.status_bool", ("runs", "STOPPED"), "false"),
    ("supervisord.status_bool", ("nope",), "false"),
    ("supervisord.start", ("idle",), "idle: started"),
    ("supervisord.start", ("idle",), "idle: ERROR (already started)"),
    ("supervisord.start", ("missing",), "missing: ERROR (no such file)"),
    ("supervisord.start", ("nope",), "nope: ERROR (no such process)"),
    ("supervisord.restart", ("idle",), "idle: stopped"),
    ("supervisord.stop", ("idle",), "idle: stopped"),
    ("supervisord.stop", ("idle",), "idle: ERROR (not running)"),
    ("supervisord.reread", (), "new: available"),
    ("supervisord.add", ("new",), "new: added process group"),
    ("supervisord.add", ("new",), "ERROR: process group already active"),
    ("supervisord.status", ("new",), "STOPPED   Not started"),
    ("supervisord.remove", ("new",), "new: removed process group"),
    ("supervisord.update", (), "new: added process group"),
    ("supervisord.custom", ("avail",), "in use    auto      999:999"),
    ("supervisord.options", ("idle",), '"autostart": false'),
    ("state.single", (RUNNING, "idle"), "Starting: idle"),
    ("state.single", (RUNNING, "missing"), '"result": false'),
    ("state.single", (RUNNING, "nope"), '"result": false'),
    ("state.single", (DEAD, "nope"), "Service nope doesn't exist"),
    ("supervisord.stop", ("idle",), "idle: stopped"),
    ("supervisord.stop", (), "runs: stopped"),  # of several, any may be the first to end
)


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, list[Any]]]:
    """Take all steps on both daemons; return for each what salt answered."""
    with ExitStack() as stack:
        pair = stack.enter_context(running_pair(STARTED, SETTLED))
        workplace = stack.enter_context(temporary_directory())
        daemons = (pair.theirs, pair.ours)
        for daemon in daemons:
            daemon.write_config(STARTED + ADDED)
        yield run_salt(workplace, daemons)


def run_salt(workplace: Path, daemons: tuple[Daemon, ...]) -> dict[str, list[Any]]:
    """Return what a user of salt sees of each step, on any daemon the same."""
    where = {daemon.implementation.name: whereabouts(daemon) for daemon in daemons}
    result = subprocess.run(
        [str(salt_environment() / "bin" / "python"), "-W", "ignore", "-c", CALLER, str(workplace)],
        input=json.dumps([[step[:2] for step in STEPS], where]),
        capture_output=True,
        text=True,
        timeout=SALT_SECONDS,
        env=clean_environment(workplace),
        cwd=workplace,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    return {
        daemon.implementation.name: [
            normalised(json.dumps(answer), daemon.directory)
            for answer in said[daemon.implementation.name]
        ]
        for daemon in daemons
    }


def whereabouts(daemon: Daemon) -> dict[str, str]:
    """Return the arguments that say which daemon is meant."""
    return {"conf_file": str(daemon.config_path), "bin_env": daemon.client_script()}


def step_name(step: tuple[str, tuple[str, ...], str]) -> str:
    return "-".join([step[0], *step[1]])


@pytest.mark.timeout(SALT_SECONDS + 60)
@pytest.mark.parametrize("index", range(len(STEPS)), ids=[step_name(step) for step in STEPS])
def test_a_step_has_the_same_answer(answers: dict[str, list[Any]], index: int) -> None:
    theirs, ours = answers["reference"][index], answers["ours"][index]
    assert STEPS[index][2] in ours
    assert_same(theirs, ours)
