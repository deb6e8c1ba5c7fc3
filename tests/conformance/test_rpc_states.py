"""XML-RPC in unusual states: a process that backs off, a daemon that ends, odd values."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.children import child
from tests.support.comparison import Pair, call, methods, running_pair
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

CONFIG = f"""
[program:crashes]
command=/bin/false
startretries=1000
[program:latin]
command=/bin/sh -c "printf 'gr\\374n\\nREADY\\n'; exec sleep 1000"
startsecs=0
[program:steady]
command={child("sleeper")}
startsecs=0
[program:patient]
command={child("sleeper")}
startsecs=0
autostart=false
stopwaitsecs=3000000000
"""

REQUESTS = 6
CONFIG += "".join(
    f"[program:leaving{number}]\n"
    f"command={child('lock_holder', f'%(here)s/leaving{number}.lock', 1.5)}\n"
    f"startsecs=0\nstopwaitsecs=60\nstdout_logfile=%(here)s/leaving{number}.log\n"
    for number in range(REQUESTS)
)

# Long enough for some calls: after the third attempt it waits for three seconds.
ATTEMPTS = 3

# Every method of the namespace, with arguments that are right in any other state.
METHODS: dict[str, tuple[Any, ...]] = {
    "addProcessGroup": ("ends",),
    "clearAllProcessLogs": (),
    "clearLog": (),
    "clearProcessLog": ("ends",),
    "clearProcessLogs": ("ends",),
    "getAPIVersion": (),
    "getAllConfigInfo": (),
    "getAllProcessInfo": (),
    "getIdentification": (),
    "getPID": (),
    "getProcessInfo": ("nope",),
    "getState": (),
    "getSupervisorVersion": (),
    "getVersion": (),
    "readLog": (0, 0),
    "readMainLog": (0, 0),
    "readProcessLog": ("ends", 0, 0),
    "readProcessStderrLog": ("ends", 0, 0),
    "readProcessStdoutLog": ("ends", 0, 0),
    "reloadConfig": (),
    "removeProcessGroup": ("ends",),
    "restart": (),
    "sendProcessStdin": ("ends", "x"),
    "sendRemoteCommEvent": ("type", "data"),
    "shutdown": (),
    "signalAllProcesses": ("CONT",),
    "signalProcess": ("ends", "CONT"),
    "signalProcessGroup": ("ends", "CONT"),
    "startAllProcesses": (),
    "startProcess": ("ends",),
    "startProcessGroup": ("ends",),
    "stopAllProcesses": (),
    "stopProcess": ("ends",),
    "stopProcessGroup": ("ends",),
    "tailProcessLog": ("ends", 0, 0),
    "tailProcessStderrLog": ("ends", 0, 0),
    "tailProcessStdoutLog": ("ends", 0, 0),
}


def test_a_process_that_backs_off_is_started_but_gets_no_signals(pair: Pair) -> None:
    def ask(daemon: Daemon) -> list[Any]:
        wait_until(
            lambda: daemon.log_text().count("exited: crashes") >= ATTEMPTS,
            what=daemon.log_text,
        )
        daemon.wait_for_state("crashes", "BACKOFF")
        return [
            call(daemon, f"supervisor.{method}", *arguments)
            for method, *arguments in (
                ("startProcess", "crashes"),
                ("startProcess", "crashes", False),
                ("startProcessGroup", "crashes"),
                ("signalProcess", "crashes", "HUP"),
                ("signalProcessGroup", "crashes", "HUP"),
                ("sendProcessStdin", "crashes", "x"),
                ("getProcessInfo", "crashes"),
                ("stopProcess", "crashes"),
                ("stopProcess", "crashes"),
                ("getProcessInfo", "crashes"),
            )
        ]

    pair.same(ask)


@pytest.mark.parametrize("number", range(REQUESTS))
def test_requests_while_a_process_is_stopping(pair: Pair, number: int) -> None:
    name = f"leaving{number}"

    def result(status: int, description: str) -> list[dict[str, Any]]:
        return [{"name": name, "group": name, "status": status, "description": description}]

    down, done = ["fault", 70, f"NOT_RUNNING: {name}"], result(80, "OK")
    abnormal = f"ABNORMAL_TERMINATION: {name}"
    method, wait, theirs, ours, state = [
        ("stopProcess", True, down, True, "STOPPED"),
        ("stopProcess", False, down, True, "STOPPED"),
        ("stopProcessGroup", True, [], done, "STOPPED"),
        ("startProcess", True, ["fault", 40, abnormal], True, "RUNNING"),
        ("startProcess", False, True, True, "RUNNING"),
        ("startProcessGroup", True, result(40, abnormal), done, "RUNNING"),
    ][number]

    def ask(daemon: Daemon) -> list[Any]:
        daemon.wait_for_text(f"{name}.log", "READY")
        call(daemon, "supervisor.stopProcess", name, False)
        answer = call(daemon, f"supervisor.{method}", name, wait)
        daemon.wait_for_text(f"{name}.log", "DONE")
        return [answer, daemon.wait_for_state(name, "STOPPED", "RUNNING")["statename"]]

    pair.differ(
        ask,
        entry="Requests while a process is stopping",
        theirs=[theirs, "STOPPED"],
        ours=[ours, state],
    )


def test_a_multicall_goes_on_after_a_fault(pair: Pair) -> None:
    calls = [
        {"methodName": "supervisor.startProcess", "params": ["steady"]},
        {"methodName": "supervisor.nope", "params": []},
        {"methodName": "supervisor.getState", "params": [1]},
        {"methodName": "supervisor.stopProcessGroup", "params": ["steady"]},
        {"methodName": "supervisor.stopProcess", "params": ["steady", False]},
        {"methodName": "system.methodSignature", "params": ["nope"]},
    ]

    def ask(daemon: Daemon) -> object:
        daemon.wait_for_text(daemon.info("steady")["stdout_logfile"], "READY\n")
        return call(daemon, "system.multicall", calls)

    pair.same(ask)


def test_bytes_are_taken_as_text(pair: Pair) -> None:
    name = xmlrpc.client.Binary(b"patient")
    pair.same(lambda daemon: call(daemon, "supervisor.getProcessInfo", name)["name"])


@pytest.mark.parametrize("method", ["readProcessStdoutLog", "tailProcessStdoutLog"])
def test_a_log_that_is_not_utf_8(pair: Pair, method: str) -> None:
    def ask(daemon: Daemon) -> object:
        daemon.wait_for_text(daemon.info("latin")["stdout_logfile"], "READY\n")
        return call(daemon, f"supervisor.{method}", "latin", 0, 10)

    text = "gr\ufffdn\nREADY"
    pair.differ(
        ask,
        entry="Logs that are not UTF-8",
        theirs=["http", 500, "Internal Server Error"],
        ours=text if method.startswith("read") else ["r\ufffdn\nREADY\n", 11, True],
    )


def test_an_integer_that_does_not_fit(pair: Pair) -> None:
    def ask(daemon: Daemon) -> object:
        answer = call(daemon, "supervisor.getAllConfigInfo")
        found = [each for each in answer if isinstance(each, dict) and each["name"] == "patient"]
        return found[0]["stopwaitsecs"] if found else answer

    pair.differ(
        ask,
        entry="Integers that do not fit",
        theirs=["http", 500, "Internal Server Error"],
        ours=2**31 - 1,
    )


ENDING = f"""
[program:ends]
command={child("stubborn")}
startsecs=0
stopwaitsecs=1000
"""


@pytest.fixture
def ending_pair() -> Iterator[Pair]:
    """Both with a process that keeps them from ending."""
    with running_pair(ENDING) as started:
        for daemon in (started.theirs, started.ours):
            daemon.wait_for_text(daemon.info("ends")["stdout_logfile"], "READY\n")
        yield started
        started.ours.kill()


@pytest.mark.parametrize("ending", ["shutdown", "restart"])
def test_nothing_is_answered_while_the_daemon_ends(ending_pair: Pair, ending: str) -> None:
    """But `sendRemoteCommEvent`, and what belongs to no namespace of ours."""

    def ask(daemon: Daemon) -> object:
        answers: dict[str, Any] = {"names": methods(daemon)}
        assert {f"supervisor.{name}" for name in METHODS} < set(answers["names"])
        assert call(daemon, f"supervisor.{ending}") is True
        daemon.wait_for_log("waiting for ends to die")
        for method, arguments in METHODS.items():
            answers[method] = call(daemon, f"supervisor.{method}", *arguments)
        answers["system.methodHelp"] = call(daemon, "system.methodHelp", "nope")
        return answers

    ending_pair.same(ask)
