"""Event listeners that other people wrote, at work under our daemon."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.children import DIRECTORY as CHILDREN
from tests.support.children import child
from tests.support.comparison import temporary_directory
from tests.support.daemon import Daemon
from tests.support.plugins import node_listener, ours_with_plugins, plugin_script
from tests.support.tools import tool
from tests.support.waiting import wait_until

# TICK_5, so that nobody waits for a minute; all of them at once, for the same reason.
CONFIG = """
[program:silent]
command={sleeper}
startsecs=0
[program:fat]
command={sleeper}
startsecs=0
[program:closed]
command={sleeper}
startsecs=0
[program:crashes]
command={exits}
startsecs=0
autostart=false
autorestart=false
[eventlistener:httpok]
command={httpok} -p silent -t 1 -m me@example.com -s "{mailbox} httpok.mail" {url}
events=TICK_5
[eventlistener:memmon]
command={memmon} -p fat=1KB -m me@example.com -s "{mailbox} memmon.mail"
events=TICK_5
[eventlistener:crashmail]
command={crashmail} -a -m me@example.com -s "{mailbox} crash.mail"
events=PROCESS_STATE_EXITED
[eventlistener:tcp-check]
command={tcp_check} -n closed -N closed -p {port} -t 1 -r 1
events=TICK_5
[eventlistener:dependent-startup]
command={dependent_startup} -c %(here)s/supervisord.conf
events=PROCESS_STATE
[program:base]
command={sleeper}
autostart=false
startsecs=0
dependent_startup=true
[program:upon-base]
command={sleeper}
autostart=false
startsecs=0
dependent_startup=true
dependent_startup_wait_for=base:running
"""


@pytest.fixture(scope="module")
def closed_port() -> Iterator[int]:
    """A port that is taken, and at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture(scope="module")
def daemon(closed_port: int) -> Iterator[Daemon]:
    """A daemon with one program for each listener to deal with."""
    config = CONFIG.format(
        sleeper=child("sleeper"),
        exits=child("exits", 3),
        mailbox=child("mailbox"),
        httpok=plugin_script("httpok"),
        memmon=plugin_script("memmon"),
        crashmail=plugin_script("crashmail"),
        tcp_check=plugin_script("supervisor_tcp_check"),
        dependent_startup=plugin_script("supervisord-dependent-startup"),
        url=f"http://127.0.0.1:{closed_port}/",
        port=closed_port,
    )
    with (
        temporary_directory() as directory,
        Daemon(directory, config, implementation=ours_with_plugins()) as started,
    ):
        yield started


def was_restarted(daemon: Daemon, name: str) -> bool:
    """Whether somebody has stopped and started a program."""
    return daemon.log_text().count(f"spawned: '{name}'") > 1


def wait_for_restart(daemon: Daemon, name: str) -> None:
    """Wait for somebody to restart a program: at the next tick, or the one after."""
    wait_until(lambda: was_restarted(daemon, name), 25, what=daemon.log_text)


def test_httpok_restarts_a_program_that_does_not_answer(daemon: Daemon) -> None:
    wait_for_restart(daemon, "silent")
    mail = daemon.wait_for_text("httpok.mail", "restarted")
    assert "Subject: httpok" in mail


def test_memmon_restarts_a_program_that_has_grown(daemon: Daemon) -> None:
    wait_for_restart(daemon, "fat")
    mail = daemon.wait_for_text("memmon.mail", "bytes RSS")
    assert "Subject: memmon [fat]: process fat:fat restarted" in mail


def test_supervisor_checks_restarts_a_program_whose_port_is_closed(daemon: Daemon) -> None:
    wait_for_restart(daemon, "closed")


def test_crashmail_reports_a_crash(daemon: Daemon) -> None:
    daemon.rpc.supervisor.startProcess("crashes")
    mail = daemon.wait_for_text("crash.mail", "unexpectedly")
    assert "Process crashes in group crashes exited unexpectedly" in mail


def test_dependent_startup_starts_one_after_the_other(daemon: Daemon) -> None:
    daemon.wait_for_state("upon-base", "RUNNING", seconds=20)
    log = daemon.log_text()
    assert log.index("success: base entered RUNNING") < log.index("spawned: 'upon-base'")


def test_a_listener_made_with_npms_package(directory: Path) -> None:
    config = f"""
        [eventlistener:node]
        command={tool("node")} {CHILDREN}/listener.js
        environment=NODE_PATH="{node_listener()}"
        events=REMOTE_COMMUNICATION,PROCESS_GROUP_REMOVED
        startsecs=0
        stderr_logfile=%(here)s/node.err
        [program:x]
        command={child("sleeper")}
        autostart=false
    """
    with Daemon(directory, config) as daemon:
        daemon.rpc.supervisor.removeProcessGroup("x")
        daemon.wait_for_text("node.err", 'PROCESS_GROUP_REMOVED node {"groupname":"x\\n"}')
        daemon.rpc.supervisor.sendRemoteCommEvent("kind", "data")
        daemon.wait_for_text("node.err", "REMOTE_COMMUNICATION node ")
