"""Both clients through the same changes: processes, configuration, reload and shutdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.children import child
from tests.support.client_pairs import ADDRESSES, CONFIG, Clients, running_clients
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

REST = "until breaks is FATAL"
"""In place of a command: the states in between are a matter of time."""

PROCESSES = (
    ("start idle", "start idle", "status idle", "stop idle", "stop idle", "status idle"),
    ("restart idle", "restart runs idle nope", "stop idle"),
    ("start pair:right", "start pair:*", "stop pair:*", "start pair:*", "stop pair:right"),
    ("stop many:*", "stop many:*", "start many:m0", "start many:*", "status many:*"),
    ("stop runs many:* nope", "start nope runs many:*"),
    ("start breaks", REST, "status breaks", "start breaks nope", REST, "start nope breaks", REST),
    ("signal KILL nolog", "signal 9 nope:* pair:left"),
    ("clear runs", "tail runs", "clear runs echo"),
)

CHANGED = """
[program:fresh]
command={sleeper}
startsecs=0
[program:a_name_that_is_longer_than_the_column_for_names]
command={sleeper}
autostart=false
priority=5
[program:member]
command={sleeper}
startsecs=0
[group:joined]
programs=member
priority=77
""".format(sleeper=child("sleeper"))

LONG = "a_name_that_is_longer_than_the_column_for_names"

CONFIGURATION = (
    *("avail", "reread", "avail", "status fresh", "add fresh", "add fresh"),
    *(f"add {LONG} nope joined", "status", "update nope", "update fresh many"),
    *("remove nolog", "stop nolog", "remove nolog", "remove nolog", "update", "status", "reread"),
)
BACK = ("reread", "update joined nope", "update all", "reread", "update", "status many:*")


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    """Both clients, each with a daemon of the reference."""
    with running_clients() as started:
        yield started


def one_after_the_other(*lines: str) -> Any:
    """Return a function that runs the lines, and sorts what comes in no order."""

    def ask(daemon: Daemon) -> list[Any]:
        found = []
        for line in lines:
            if line == REST:
                daemon.wait_for_state("breaks", "FATAL")
                continue
            result = daemon.ctl(*line.split())
            result.stdout = "".join(sorted(result.stdout.splitlines(keepends=True)))
            found.append([line, result])
        return found

    return ask


@pytest.mark.parametrize("lines", PROCESSES, ids=lambda lines: lines[0])
def test_changes_of_processes(clients: Clients, lines: tuple[str, ...]) -> None:
    clients.same(one_after_the_other(*lines))


@pytest.mark.timeout(180)  # two dozen clients of the reference, on a loaded machine
def test_changes_of_the_configuration() -> None:
    with running_clients() as clients:
        for daemon in (clients.theirs, clients.ours):
            text = CONFIG.replace("<address>", ADDRESSES[daemon]) + CHANGED
            text = text.replace("numprocs=2", "numprocs=1").replace("program:nolog", "program:log")
            daemon.write_config(text)
        clients.same(one_after_the_other(*CONFIGURATION))
        for daemon in (clients.theirs, clients.ours):
            daemon.write_config(CONFIG.replace("<address>", ADDRESSES[daemon]))
        clients.same(one_after_the_other(*BACK))
        for daemon in (clients.theirs, clients.ours):
            daemon.write_config("[program:x]\nstartsecs=never\ncommand=/bin/true\n")
        clients.same(one_after_the_other("reread", "avail", "add x"))
        theirs, ours = clients.answers(lambda daemon: daemon.ctl("update"))
        assert "CANT_REREAD: " in theirs[0]
        assert ours[0].startswith("ERROR: CANT_REREAD: invalid literal for int()")
        assert ours[1:] == theirs[1:]


SMALL = f"""
[program:runs]
command={child("sleeper")}
startsecs=0
"""


def test_all_and_the_end() -> None:
    """Reload and shutdown, one-shot: nobody is asked.

    With one program: the reference takes a second for each to clear all logs or to end.
    """
    with running_clients(SMALL, settled=["runs"]) as clients:
        clients.same(one_after_the_other("clear all", "stop all", "start all x", "signal 0 all"))
        clients.same(lambda daemon: daemon.ctl("reload"))
        for daemon in (clients.theirs, clients.ours):
            daemon.close_rpc()
            wait_until(lambda log=daemon.log_text: log().count("supervisord started") > 1)
            daemon.wait_for_state("runs", "RUNNING")
        clients.same(lambda daemon: daemon.ctl("shutdown"))
        for daemon in (clients.theirs, clients.ours):
            daemon.wait_for_exit()
        clients.same(lambda daemon: daemon.ctl("shutdown"))
        clients.same(lambda daemon: daemon.ctl("status"))
