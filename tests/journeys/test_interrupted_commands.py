"""Commands that wait for processes while their connections end, and the daemon goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.children import child
from tests.support.daemon import OURS, Daemon
from tests.support.relay import relaying

pytestmark = pytest.mark.slow

CONFIG = f"""
[program:slow]
command={child("sleeper")}
startsecs=2
autostart=false
[program:calm]
command={child("sleeper")}
startsecs=0
autostart=false
[group:pair]
programs=slow,calm
[program:late]
command={child("sleeper")}
startsecs=0
autostart=false
depends_on=slow
[program:brief]
command={child("exits")} 1 1.5
startsecs=3
startretries=0
autostart=false
[program:stubborn]
command={child("stubborn")}
startsecs=0
stopwaitsecs=2
stopsignal=TERM
"""


@pytest.fixture
def daemon(directory: Path) -> Iterator[Daemon]:
    """A daemon whose programs start and stop slowly."""
    with Daemon(directory, CONFIG) as started:
        started.wait_for_state("stubborn", "RUNNING")
        for log in directory.glob("stubborn-stdout---*"):
            started.wait_for_text(log.name, "READY")
        yield started


STOP, START = "stubborn: stopped\n", "stubborn: started\n"


@pytest.mark.parametrize(
    ("line", "process", "output", "status"),
    [
        ("start pair:slow", "pair:slow", "pair:slow: started\n", 0),
        ("start late", "pair:slow", "late: started\n", 0),
        ("start brief", "brief", "brief: ERROR (spawn error)\n", 7),
        ("start pair:*", "pair:slow", "pair:calm: started\npair:slow: started\n", 0),
        ("start --no-deps pair:slow", "pair:slow", "pair:slow: started\n", 0),
        ("stop stubborn", "stubborn", STOP, 0),
        ("stop all", "stubborn", STOP, 0),
        ("stop stubborn late", "stubborn", f"late: ERROR (not running)\n{STOP}", 0),
        ("stop --with-dependents stubborn", "stubborn", STOP, 0),
        ("restart stubborn", "stubborn", START + STOP, 0),
        ("restart --rolling stubborn", "stubborn", START + STOP, 0),
        ("update", "stubborn", f"{STOP}stubborn: updated process group\n", 0),
    ],
)
def test_a_connection_that_ends_while_a_command_waits(
    daemon: Daemon, line: str, process: str, output: str, status: int
) -> None:
    if line == "update":
        daemon.write_config(CONFIG.replace("stopsignal=TERM", "stopsignal=INT"))
    relayed = daemon.directory / "relay.sock"
    url = f"unix://{relayed}"
    command = [*OURS.command("supervisorctl"), "-c", str(daemon.config_path), "-s", url]
    with (
        relaying(relayed, daemon.socket_path) as relay,
        subprocess.Popen(
            [*command, *line.split()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=daemon.environment,
        ) as client,
    ):
        daemon.wait_for_state(process, "STARTING" if line.startswith("start") else "STOPPING")
        before = relay.connections
        relay.cut()
        printed = client.communicate(timeout=30)[0]
        assert relay.connections > before
    assert sorted(printed.splitlines()) == output.splitlines()
    assert client.returncode == status
