"""XML-RPC methods: results, faults and their texts."""

from __future__ import annotations

from operator import itemgetter
from typing import Any
from xmlrpc.client import Binary

import pytest

from tests.support.children import DIRECTORY as CHILDREN
from tests.support.children import child
from tests.support.comparison import Pair, call, methods
from tests.support.daemon import Daemon
from tests.support.differences import ADDED_METHODS
from tests.support.waiting import wait_until

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
startretries=0
[program:missing]
command=/nonexistent/program
startretries=0
[program:nowhere]
command=no-such-program-anywhere
autostart=false
[program:a-directory]
command=/tmp
autostart=false
[program:no-quote]
command=/bin/sh -c "oops
autostart=false
[program:no-command]
command=
autostart=false
[program:unexecutable]
command=/etc/passwd
autostart=false
[program:logs-to-a-folder]
command=/bin/cat
startretries=0
autostart=false
stdout_logfile=%(here)s
[program:talks]
command={child("two_streams", "to stdout", "to stderr")}
startsecs=0
[program:cleared]
command={child("two_streams", "to stdout", "to stderr")}
startsecs=0
[program:echo]
command={child("echo")}
startsecs=0
[program:toggled]
command={child("sleeper")}
startsecs=0
autostart=false
[program:slow]
command={child("sleeper")}
startsecs=1
autostart=false
[program:breaks]
command={child("exits", 4)}
startretries=0
autostart=false
[program:many]
command={child("sleeper")}
process_name=%(program_name)s_%(process_num)02d
numprocs=3
startsecs=0
priority=5
[program:left]
command={child("signals")}
startsecs=0
[program:right]
command={child("sleeper")}
startsecs=0
autostart=false
autorestart=true
stopsignal=INT
exitcodes=0,2
stdout_logfile_maxbytes=5KB
redirect_stderr=true
environment=A="b"
[group:pair]
programs=left,right
priority=7
[program:nolog]
command={child("sleeper")}
stdout_logfile=NONE
stderr_logfile=NONE
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

# Calls that change nothing: method and arguments.
READING: tuple[tuple[Any, ...], ...] = (
    ("getAPIVersion",),
    ("getVersion",),
    ("getSupervisorVersion",),
    ("getIdentification",),
    ("getState",),
    ("getState", 1),
    ("nope",),
    ("getProcessInfo",),
    ("getProcessInfo", "runs"),
    ("getProcessInfo", "idle"),
    ("getProcessInfo", "ended"),
    ("getProcessInfo", "failed"),
    ("getProcessInfo", "missing"),
    ("getProcessInfo", "nope"),
    ("getProcessInfo", ""),
    ("getProcessInfo", "many"),
    ("getProcessInfo", "many:*"),
    ("getProcessInfo", "many:many_01"),
    ("getProcessInfo", "many:nope"),
    ("getProcessInfo", "pair:left"),
    ("getProcessInfo", "runs", "more"),
    ("startProcess", "runs"),
    ("startProcess", "nope"),
    ("startProcess", "nope:*"),
    ("startProcess", "many:nope"),
    ("startProcess", "missing"),
    ("startProcess", "nowhere"),
    ("startProcess", "a-directory"),
    ("startProcess", "no-quote"),
    ("startProcess", "no-command"),
    ("startProcess", "unexecutable"),
    ("startProcessGroup", "nope"),
    ("stopProcess", "idle"),
    ("stopProcess", "ended"),
    ("stopProcess", "failed"),
    ("stopProcess", "nope"),
    ("stopProcess", "nope:*"),
    ("stopProcessGroup", "nope"),
    ("signalProcess", "runs", "NOPE"),
    ("signalProcess", "idle", "NOPE"),
    ("signalProcess", "idle", "HUP"),
    ("signalProcess", "nope", "HUP"),
    ("signalProcess", "pair:left", "sigwinch"),
    ("signalProcess", "pair:left", "28"),
    ("signalProcess", "pair:left", 28),
    ("signalProcess", "pair:left", "999"),
    ("signalProcessGroup", "nope", "HUP"),
    ("signalProcessGroup", "many", "NOPE"),
    ("signalAllProcesses", "NOPE"),
    ("sendProcessStdin", "nope", "x"),
    ("sendProcessStdin", "idle", "x"),
    ("sendRemoteCommEvent", "type", "data"),
    ("sendProcessStdin", "runs", 5),
    ("sendProcessStdin", "idle", 1.5),
    ("sendProcessStdin", "nope", True),
    ("sendProcessStdin", "many:*", ["a"]),
    ("sendProcessStdin", "runs", {"a": 1}),
    ("readLog", -5, 5),
    ("readLog", "1", "2"),
    ("readLog", 1.0, 3.9),
    ("readLog", "0", "-5"),
    ("readLog", [], 0),
    ("readLog", 0, {}),
    ("readLog", 0, -5),
    ("readMainLog", 0, -1),
    ("readProcessStdoutLog", "talks", 0, 0),
    ("readProcessStdoutLog", "talks", 0, 4),
    ("readProcessStdoutLog", "talks", 3, 4),
    ("readProcessStdoutLog", "talks", 100, 4),
    ("readProcessStdoutLog", "talks", -5, 0),
    ("readProcessStdoutLog", "talks", -500, 0),
    ("readProcessStdoutLog", "talks", -5, 5),
    ("readProcessStdoutLog", "talks", 0, -5),
    ("readProcessStdoutLog", "talks", "3", "4"),
    ("readProcessStdoutLog", "talks", " 3 ", "+4"),
    ("readProcessStdoutLog", "talks", 3.9, 4.9),
    ("readProcessStdoutLog", "talks", "-5", "0"),
    ("readProcessStdoutLog", "talks", "-5", "5"),
    ("readProcessStdoutLog", "talks", True, 4),
    ("readProcessStdoutLog", "talks", Binary(b"3"), 4),
    ("readProcessStdoutLog", "talks", [], 0),
    ("readProcessStdoutLog", "talks", 0, {}),
    ("readProcessStdoutLog", "nope", "x", 0),
    ("readProcessStdoutLog", "nolog", "x", 0),
    ("readProcessStdoutLog", "nope", 0, 0),
    ("readProcessStdoutLog", "nolog", 0, 0),
    ("readProcessStdoutLog", "many:*", 0, 0),
    ("readProcessLog", "talks", 0, 0),
    ("readProcessLog", "talks", "3", "4"),
    ("readProcessStderrLog", "talks", 0, 0),
    ("readProcessStderrLog", "talks", "3", 4.9),
    ("readProcessStderrLog", "nolog", 0, 0),
    ("readProcessStderrLog", "pair:right", 0, 0),
    ("tailProcessStdoutLog", "talks", 0, 0),
    ("tailProcessStdoutLog", "talks", 0, 5),
    ("tailProcessStdoutLog", "talks", 0, 500),
    ("tailProcessStdoutLog", "talks", 3, 500),
    ("tailProcessStdoutLog", "talks", 500, 5),
    ("tailProcessStdoutLog", "talks", -5, 5),
    ("tailProcessStdoutLog", "talks", 5, -5),
    ("tailProcessStdoutLog", "talks", "3", "4"),
    ("tailProcessStdoutLog", "talks", 3.9, 4.9),
    ("tailProcessStdoutLog", "talks", [], 0),
    ("tailProcessStdoutLog", "nolog", "x", 0),
    ("tailProcessStdoutLog", "nope", 0, 5),
    ("tailProcessStdoutLog", "nolog", 0, 5),
    ("tailProcessLog", "talks", 0, 5),
    ("tailProcessStderrLog", "talks", 0, 500),
    ("tailProcessStderrLog", "nolog", 0, 5),
    ("clearProcessLogs", "nope"),
    ("clearProcessLogs", "nope:*"),
    ("clearProcessLog", "nope"),
    ("addProcessGroup", "runs"),
    ("addProcessGroup", "nope"),
    ("removeProcessGroup", "runs"),
    ("removeProcessGroup", "nope"),
    *(
        (method, name, *rest)
        for name in (["x"], {})
        for method, *rest in (
            ("addProcessGroup",),
            ("removeProcessGroup",),
            ("startProcessGroup",),
            ("stopProcessGroup",),
            ("signalProcessGroup", "HUP"),
        )
    ),
    ("removeProcessGroup", 5),
    ("startProcessGroup", 1.5),
    ("mro",),
    ("supervisord",),
    ("update_text",),
    ("_update",),
    ("__init__",),
    ("getState.__call__",),
    ("shutdown", 1),
    ("restart", 1),
)

# Steps of a sequence that are no calls: wait until a child has been executed (the original
# loses a signal before that), or until a process is in a state.
READY = "wait until ready"
STATE = "wait for state"

# Calls in sequence, on programs of their own.
SEQUENCES: tuple[tuple[tuple[Any, ...], ...], ...] = (
    (
        ("startProcess", "toggled"),
        ("getProcessInfo", "toggled"),
        (READY, "toggled"),
        ("startProcess", "toggled"),
        ("stopProcess", "toggled"),
        ("getProcessInfo", "toggled"),
    ),
    (
        ("startProcess", "slow"),
        ("getProcessInfo", "slow"),
        (READY, "slow"),
        ("stopProcess", "slow"),
        ("startProcess", "slow", False),
        ("getProcessInfo", "slow"),
        ("startProcess", "slow"),
        (READY, "slow"),
        ("stopProcess", "slow", False),
        (STATE, "slow", "STOPPED"),
    ),
    (
        ("startProcess", "breaks"),
        (STATE, "breaks", "FATAL"),
        ("getProcessInfo", "breaks"),
        ("stopProcess", "breaks"),
    ),
    (
        ("startProcess", "logs-to-a-folder"),
        (STATE, "logs-to-a-folder", "FATAL"),
        ("getProcessInfo", "logs-to-a-folder"),
    ),
    (
        ("stopProcessGroup", "many"),
        ("stopProcessGroup", "many"),
        ("startProcessGroup", "many"),
        (READY, "many:many_02"),
        ("startProcessGroup", "many"),
        ("stopProcess", "many:*"),
        ("startProcess", "many:*"),
        (READY, "many:many_02"),
        ("signalProcess", "many:*", "CONT"),
        ("signalProcessGroup", "many", "CONT"),
    ),
    (
        ("signalProcessGroup", "pair", "WINCH"),
        ("startProcess", "pair:right"),
        (READY, "pair:right"),
        ("signalProcess", "pair:*", "WINCH"),
        ("stopProcess", "pair:right"),
    ),
    (
        ("clearProcessLogs", "cleared"),
        ("readProcessStdoutLog", "cleared", 0, 0),
        ("tailProcessStdoutLog", "cleared", 0, 10),
        ("clearProcessLog", "cleared"),
    ),
)


def named(calls: tuple[Any, ...]) -> str:
    """Return a test's id for a call, or for the first of several."""
    first = calls[0] if isinstance(calls[0], tuple) else calls
    return ",".join(str(each.data if isinstance(each, Binary) else each) for each in first)


@pytest.mark.parametrize("question", READING, ids=named)
def test_a_call_that_changes_nothing(pair: Pair, question: tuple[Any, ...]) -> None:
    method, *arguments = question
    pair.same(lambda daemon: call(daemon, f"supervisor.{method}", *arguments))


@pytest.mark.parametrize("calls", SEQUENCES, ids=named)
def test_calls_in_sequence(pair: Pair, calls: tuple[tuple[Any, ...], ...]) -> None:
    pair.same(lambda daemon: [take(daemon, *step) for step in calls])


def take(daemon: Daemon, name: str, *arguments: Any) -> Any:
    """Take one step of a sequence."""
    if name == STATE:
        return daemon.wait_for_state(*arguments)["statename"]
    if name == READY:
        return daemon.wait_for_child(*arguments, CHILDREN)
    answer = call(daemon, f"supervisor.{name}", *arguments)
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        answer.sort(key=itemgetter("group", "name"))  # they come in the order of the exits
    return answer


def test_all_process_info_has_the_same_order(pair: Pair) -> None:
    def names(daemon: Daemon) -> list[list[str]]:
        infos: Any = call(daemon, "supervisor.getAllProcessInfo")
        return [[info["group"], info["name"]] for info in infos]

    pair.same(names)


def test_input_reaches_the_process(pair: Pair) -> None:
    def echo(daemon: Daemon) -> object:
        daemon.wait_for_state("echo", "RUNNING")
        answer = call(daemon, "supervisor.sendProcessStdin", "echo", "grüße\n")
        return answer, wait_until(
            lambda: (
                "ü" in (log := call(daemon, "supervisor.readProcessStdoutLog", "echo", 0, 0))
                and log
            )
        )

    pair.same(echo)


@pytest.mark.parametrize(
    "call_of",
    [
        ("methodSignature", "supervisor.startProcess"),
        ("methodSignature", "supervisor.getAllProcessInfo"),
        ("methodSignature", "system.multicall"),
        ("methodSignature", "nope"),
        ("methodHelp", "nope"),
        ("methodHelp",),
        ("methodHelp", ["x"]),
        ("methodHelp", {}),
        ("methodHelp", 5),
        ("methodSignature", ["x"]),
        ("methodSignature", {}),
        ("mro",),
        ("namespaces",),
        ("_listMethods",),
        ("nope",),
        ("multicall",),
        ("multicall", []),
        ("multicall", 5),
        ("multicall", {}),
        ("multicall", [{"methodName": "supervisor.getState", "params": 5}]),
        ("multicall", [{"methodName": "supervisor.getState", "params": 0}]),
        ("multicall", [{"methodName": "supervisor.getState", "params": ""}]),
        ("multicall", [{"methodName": "supervisor.getProcessInfo", "params": {"nope": 1}}]),
        ("multicall", [{"methodName": "supervisor.mro", "params": []}]),
        ("multicall", [{"methodName": "supervisor.getState", "params": []}]),
        ("multicall", [{"methodName": "supervisor.getProcessInfo", "params": ["nope"]}]),
        ("multicall", [{"methodName": "supervisor.getProcessInfo"}]),
        ("multicall", [{"methodName": "nope", "params": []}, {"params": []}, {}]),
        ("multicall", [{"methodName": "system.multicall", "params": [[]]}]),
        (
            "multicall",
            [
                {"methodName": "supervisor.signalProcessGroup", "params": ["many", "CONT"]},
                {"methodName": "supervisor.getIdentification", "params": []},
            ],
        ),
    ],
    ids=str,
)
def test_the_system_namespace(pair: Pair, call_of: tuple[Any, ...]) -> None:
    method, *arguments = call_of
    pair.same(lambda daemon: call(daemon, f"system.{method}", *arguments))


def test_the_methods_are_the_same(pair: Pair) -> None:
    pair.same(methods)


def test_methods_that_are_added(pair: Pair) -> None:
    def added(daemon: Daemon) -> list[str]:
        names: Any = call(daemon, "system.listMethods")
        return [name for name in names if name in ADDED_METHODS]

    pair.differ(added, entry="Further methods", theirs=[], ours=list(ADDED_METHODS))


@pytest.mark.parametrize("method", ["methodSignature"])
def test_every_method_has_the_same_signature(pair: Pair, method: str) -> None:
    def signatures(daemon: Daemon) -> dict[str, object]:
        return {name: call(daemon, f"system.{method}", name) for name in methods(daemon)}

    pair.same(signatures)


# What 4.3 answers with HTTP 500, and the fault that takes its place.
WRONG_TYPES: tuple[tuple[tuple[Any, ...], int, str], ...] = (
    (("supervisor.getProcessInfo", 5), 10, "BAD_NAME: 5"),
    (("supervisor.getProcessInfo", []), 10, "BAD_NAME: []"),
    (("supervisor.startProcess", True), 10, "BAD_NAME: True"),
    (("supervisor.signalProcess", "runs", []), 2, "INCORRECT_PARAMETERS"),
    (
        ("supervisor.readProcessStdoutLog", "talks", "x", 0),
        2,
        "INCORRECT_PARAMETERS: not a number: 'x'",
    ),
    (
        ("supervisor.tailProcessStderrLog", "talks", 0, "1.5"),
        2,
        "INCORRECT_PARAMETERS: not a number: '1.5'",
    ),
    (("supervisor.readLog", float("inf"), 0), 2, "INCORRECT_PARAMETERS: not a number: inf"),
    (("supervisor.readLog", "", 0), 2, "INCORRECT_PARAMETERS: not a number: ''"),
    (("supervisor.readLog", 1e30, 0), 30, "FAILED"),
    (("system.multicall", "x"), 2, "INCORRECT_PARAMETERS"),
    (("system.multicall", [5]), 2, "INCORRECT_PARAMETERS"),
)


@pytest.mark.parametrize(("question", "code", "text"), WRONG_TYPES, ids=str)
def test_arguments_of_the_wrong_type_are_a_fault(
    pair: Pair, question: tuple[Any, ...], code: int, text: str
) -> None:
    pair.differ(
        lambda daemon: call(daemon, *question),
        entry="Arguments of the wrong type",
        theirs=["http", 500, "Internal Server Error"],
        ours=["fault", code, text],
    )
