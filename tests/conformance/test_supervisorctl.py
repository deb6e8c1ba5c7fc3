"""One-shot commands of supervisorctl: what they print and how they exit."""

from __future__ import annotations

from itertools import groupby
from subprocess import CompletedProcess

import pytest

from tests.support.children import child
from tests.support.comparison import Pair
from tests.support.daemon import Daemon

CONFIG = f"""
[program:runs]
command={child("sleeper")}
startsecs=0
[program:idle]
command={child("sleeper")}
autostart=false
[program:ended]
command={child("exits", 0)}
startsecs=0
autorestart=false
[program:failed]
command={child("exits", 3)}
startsecs=1
startretries=0
[program:missing]
command=/nonexistent/program
startretries=0
[program:talks]
command={child("two_streams", "to stdout", "to stderr")}
startsecs=0
[program:cleared]
command={child("two_streams", "to stdout", "to stderr")}
startsecs=0
[program:toggled]
command={child("sleeper")}
startsecs=0
autostart=false
[program:again]
command={child("sleeper")}
startsecs=0
[program:breaks]
command={child("exits", 4)}
startsecs=1
startretries=0
autostart=false
[program:many]
command={child("sleeper")}
process_name=%(program_name)s_%(process_num)02d
numprocs=3
startsecs=0
[program:left]
command={child("signals")}
startsecs=0
[program:right]
command={child("signals")}
startsecs=0
autostart=false
[group:pair]
programs=left,right
[program:nolog]
command={child("sleeper")}
stdout_logfile=NONE
autostart=false
[program:no-quote]
command=/bin/sh -c "oops
autostart=false
"""

TALKERS = ("talks", "cleared")

SETTLED = {
    "runs": "RUNNING",
    "ended": "EXITED",
    "failed": "FATAL",
    "missing": "FATAL",
    "pair:left": "RUNNING",
}

# Commands that change nothing.
READING = (
    "status runs",
    "status idle",
    "status ended",
    "status failed",
    "status missing",
    "status nope",
    "status nope idle",
    "status runs nope",
    "status runs idle ended",
    "status many:*",
    "status many:many_01",
    "status many",
    "status nope:*",
    "status pair:left runs",
    "pid nope",
    "pid idle",
    "pid idle nope",
    "pid a b c",
    "avail",
    "reread",
    "version",
    "start nope",
    "start nope:*",
    "start runs",
    "start runs nope",
    "start missing",
    "start no-quote",
    "start many:nope",
    "stop nope",
    "stop nope:*",
    "stop idle",
    "stop idle nope",
    "stop ended",
    "restart nope",
    "signal NOPE runs",
    "signal NOPE idle",
    "signal HUP nope",
    "signal HUP nope:*",
    "signal HUP idle",
    "signal 0 runs",
    "clear nope",
    "clear nope:*",
    "add",
    "add runs",
    "add nope",
    "remove",
    "remove nope",
    "remove runs",
    "remove pair",
    "update nope",
    "tail nope",
    "tail runs nope",
    "tail runs stdout more",
    "tail talks",
    "tail talks stdout",
    "tail talks stderr",
    "tail -5 talks",
    "tail -5 talks stderr",
    "tail -0 talks",
    "tail -x talks",
    "tail nolog",
    "tail idle",
    "tail many",
    "tail pair:left",
    "maintail x",
    "maintail -x",
    "fg nope",
    "fg idle",
    "fg runs more",
    "open",
    "open nonsense",
    "help nope",
    "quit",
    "exit",
    "nope",
)


# Commands whose first line says what is wrong with them; usage in our own words follows.
WRONG = (
    "avail x",
    "reread x",
    "version x",
    "start",
    "stop",
    "restart",
    "signal",
    "signal HUP",
    "clear",
    "tail",
    "fg",
)

# Commands that change something, each in the state that the one before it left.
SEQUENCES = (
    ("start toggled", "status toggled", "start toggled", "stop toggled", "stop toggled"),
    ("restart again", "status again", "stop again", "restart again"),
    ("start breaks", "status breaks", "stop breaks"),
    ("signal HUP pair:left", "signal USR1 pair:*", "signal 1 pair:left pair:right"),
    ("start pair:*", "stop pair:*", "start pair:left pair:right", "stop pair:right"),
    ("stop many:*", "start many:many_00 many:many_02", "status many:*", "start many:*"),
    ("stop many:many_01", "restart many:*"),
    ("clear cleared", "tail cleared", "clear cleared runs"),
)


@pytest.mark.parametrize("command", READING)
def test_a_command_that_changes_nothing(pair: Pair, command: str) -> None:
    pair.same(lambda daemon: daemon.ctl(*command.split()))


@pytest.mark.parametrize("command", WRONG)
def test_a_command_that_is_refused_with_its_usage(pair: Pair, command: str) -> None:
    def refusal(daemon: Daemon) -> tuple[int, str, bool]:
        result = daemon.ctl(*command.split())
        first, *usage = result.stdout.splitlines()
        return result.returncode, first, bool(usage)

    pair.same(refusal)


@pytest.mark.parametrize("commands", SEQUENCES, ids=lambda commands: commands[0])
def test_commands_in_sequence(pair: Pair, commands: tuple[str, ...]) -> None:
    pair.same(lambda daemon: [in_order(daemon.ctl(*command.split())) for command in commands])


def in_order(result: CompletedProcess[str]) -> CompletedProcess[str]:
    """Sort neighbouring `stopped` lines: they come in the order of the exits."""
    lines = result.stdout.splitlines(keepends=True)
    runs = groupby(lines, key=lambda line: line.endswith(": stopped\n"))
    result.stdout = "".join("".join(sorted(run) if stops else run) for stops, run in runs)
    return result
