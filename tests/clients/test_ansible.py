"""Ansible's module `community.general.supervisorctl`, run by ansible itself.

One playbook takes the same steps on a daemon of ours and on one of the reference; each step
must have the expected outcome, and the same on both, message included.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.children import child
from tests.support.comparison import assert_same, normalised, running_pair, temporary_directory
from tests.support.daemon import Daemon
from tests.support.tools import ansible_collections, ansible_environment

PLAYBOOK = Path(__file__).parent / "ansible" / "playbook.yml"
PLAYBOOK_SECONDS = 120

STARTED = f"""
[program:runs]
command={child("signals")}
[program:idle]
command={child("sleeper")}
startsecs=0
autostart=false
[program:missing]
command=/nonexistent/program
autostart=false
[program:breaks]
command={child("exits", 1)}
startretries=0
autostart=false
[program:one]
command={child("sleeper")}
startsecs=0
[program:two]
command={child("signals")}
startsecs=0
[group:pair]
programs=one,two
"""

# What is in the file when the playbook begins, and not yet in the daemon.
ADDED = f"""
[program:new]
command={child("sleeper")}
startsecs=0
"""

SETTLED = {"runs": "RUNNING", "pair:one": "RUNNING", "pair:two": "RUNNING"}

UNCHANGED, CHANGED, FAILED = (False, False), (True, False), (False, True)

# name, state, expected (changed, failed), more parameters.
STEPS: tuple[tuple[str, str, tuple[bool, bool], dict[str, Any]], ...] = (
    # `restarted` begins with `update`, which takes in the program that is new in the file.
    ("new", "started", FAILED, {}),
    ("new", "restarted", CHANGED, {}),
    ("runs", "started", UNCHANGED, {}),
    ("idle", "started", CHANGED, {"check": True}),
    ("idle", "started", CHANGED, {}),
    ("idle", "started", UNCHANGED, {}),
    ("idle", "started", UNCHANGED, {"check": True}),
    ("runs", "signalled", CHANGED, {"signal": "USR1"}),
    ("runs", "signalled", FAILED, {"signal": "NOPE"}),
    ("runs", "signalled", FAILED, {}),
    ("pair:", "signalled", CHANGED, {"signal": "CONT"}),
    ("pair:", "restarted", CHANGED, {"check": True}),
    ("pair:", "stopped", CHANGED, {}),
    ("pair:", "stopped", UNCHANGED, {}),
    ("pair:two", "started", CHANGED, {}),
    ("pair:", "started", CHANGED, {}),
    ("nope", "started", FAILED, {}),
    ("nope:", "stopped", FAILED, {}),
    ("nope", "restarted", FAILED, {}),
    ("nope", "present", FAILED, {}),
    ("missing", "started", FAILED, {}),
    ("breaks", "started", FAILED, {}),
    ("runs", "present", UNCHANGED, {}),
    ("runs", "absent", FAILED, {}),
    ("idle", "absent", CHANGED, {"check": True}),
    ("idle", "absent", CHANGED, {"stop_before_removing": True}),
    ("idle", "absent", UNCHANGED, {}),
    ("idle", "present", CHANGED, {"check": True}),
    ("idle", "present", CHANGED, {}),
    ("new", "stopped", CHANGED, {"username": "nobody", "password": "asks"}),
    ("all", "stopped", CHANGED, {}),
    ("all", "stopped", UNCHANGED, {}),
    ("runs", "started", FAILED, {"config": "/nonexistent.conf"}),
)


def step_name(step: tuple[Any, ...]) -> str:
    name, state, _, more = step
    return "-".join([name, state, *(f"{key}={value}" for key, value in more.items())])


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, list[dict[str, Any]]]]:
    """Run the playbook on both; return for each implementation the outcome of each step."""
    with ExitStack() as stack:
        pair = stack.enter_context(running_pair(STARTED, SETTLED))
        workplace = stack.enter_context(temporary_directory())
        daemons = (pair.theirs, pair.ours)
        for daemon in daemons:
            daemon.write_config(STARTED + ADDED)
        yield run_playbook(workplace, daemons, steps())


def run_playbook(
    workplace: Path, daemons: tuple[Daemon, ...], steps: list[dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Take all steps on each daemon, side by side; return the outcome of each."""
    hosts = {daemon.implementation.name: host_variables(daemon) for daemon in daemons}
    inventory = workplace / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": {"steps": steps}}}))
    environment = {
        "HOME": str(workplace),
        "PATH": f"{ansible_environment() / 'bin'}:{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(ansible_collections()),
        "ANSIBLE_PIPELINING": "1",
    }
    result = subprocess.run(
        [
            str(ansible_environment() / "bin" / "ansible-playbook"),
            "-i",
            str(inventory),
            str(PLAYBOOK),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PLAYBOOK_SECONDS,
        env=environment,
        cwd=workplace,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return {
        daemon.implementation.name: [
            outcome(each, daemon.directory)
            for each in json.loads((daemon.directory / "outcomes.json").read_text())
        ]
        for daemon in daemons
    }


def host_variables(daemon: Daemon) -> dict[str, str]:
    """Return how to reach a daemon."""
    return {
        "ansible_connection": "local",
        "ansible_python_interpreter": str(ansible_environment() / "bin" / "python"),
        "supervisorctl": daemon.client_script(),
        "config": str(daemon.config_path),
        "outcomes": str(daemon.directory / "outcomes.json"),
    }


def steps() -> list[dict[str, Any]]:
    """Return the steps as the playbook reads them."""
    return [{"name": name, "state": state, **more} for name, state, _, more in STEPS]


def outcome(result: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Return what a user of the module sees of a step, on any daemon the same."""
    shown = ("changed", "failed", "msg", "affected", "stdout", "stderr", "rc")
    seen = {"changed": False, "failed": False, **result}
    return {key: normalised(seen[key], directory) for key in shown if key in seen}


@pytest.mark.timeout(PLAYBOOK_SECONDS + 60)
@pytest.mark.parametrize("index", range(len(STEPS)), ids=[step_name(step) for step in STEPS])
def test_a_step_has_the_same_outcome(outcomes: dict[str, list[dict[str, Any]]], index: int) -> None:
    theirs, ours = outcomes["reference"][index], outcomes["ours"][index]
    assert_same(theirs, ours)
    assert (ours["changed"], ours["failed"]) == STEPS[index][2], ours


SLOW = f"""
[program:db]
command=/bin/sh -c "sleep 5; echo >&3; exec sleep 1000"
notification_fd=3
autostart=false
[program:web]
command={child("sleeper")}
startsecs=0
autostart=false
depends_on=db
"""


@pytest.mark.timeout(PLAYBOOK_SECONDS + 60)
def test_a_step_ends_when_the_program_is_ready(directory: Path) -> None:
    """With its dependency, which takes five seconds."""
    with Daemon(directory, SLOW) as daemon, temporary_directory() as workplace:
        wanted = [{"name": "web", "state": "started"}, {"name": "db", "state": "restarted"}]
        outcomes = run_playbook(workplace, (daemon,), wanted)["ours"]
        assert [(each["changed"], each["failed"]) for each in outcomes] == [CHANGED, CHANGED]
        assert [daemon.info(name)["statename"] for name in ("db", "web")] == ["RUNNING"] * 2
        log = daemon.log_text()
        assert log.count("success: db entered RUNNING state, process was ready after 5") == 2
        assert log.index("success: db") < log.index("spawned: 'web'")
