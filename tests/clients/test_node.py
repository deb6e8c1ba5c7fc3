"""The npm package `supervisord`, run by node, over TCP and over the unix socket."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from tests.support.children import child
from tests.support.comparison import Pair
from tests.support.daemon import Daemon
from tests.support.guarded import PASSWORD, USER, GuardedDaemon, guarded_pair
from tests.support.tools import node_modules, tool

SCRIPT = Path(__file__).parent / "node" / "calls.js"
NODE_SECONDS = 30

CONFIG = f"""
[program:talks]
command={child("two_streams", "grüße <&> aus", "to stderr")}
startsecs=0
[program:idle]
command={child("sleeper")}
startsecs=0
autostart=false
[program:slow]
command={child("sleeper")}
autostart=false
[program:missing]
command=/nonexistent/program
autostart=false
[group:pair]
programs=idle,slow
"""

CALLS: tuple[list[Any], ...] = (
    ["getAPIVersion"],
    ["getSupervisorVersion"],
    ["getIdentification"],
    ["getState"],
    ["methodSignature", "supervisor.startProcess"],
    ["getProcessInfo", "talks"],
    ["getProcessInfo", "nope"],
    ["getProcessInfo"],
    ["getProcessInfo", 5.5, 6],
    ["getAllProcessInfo"],
    ["startProcess", "pair:slow", True],
    ["startProcess", "pair:slow"],
    ["startProcess", "missing"],
    ["stopProcess", "pair:slow", True],
    ["startProcessGroup", "pair"],
    ["signalProcessGroup", "pair", "CONT"],
    ["signalProcess", "pair:idle", "NOPE"],
    ["stopProcessGroup", "pair", True],
    ["readProcessStdoutLog", "talks", 0, 0],
    ["tailProcessStderrLog", "talks", 0, 100],
    ["sendRemoteCommEvent", "type", "dätä"],
    ["addProcessGroup", "talks"],
    ["removeProcessGroup", "pair"],
    ["addProcessGroup", "pair"],
    ["reloadConfig"],
    ["multicall", [{"methodName": "supervisor.getIdentification", "params": []}]],
    ["clearProcessLogs", "talks"],
)


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Both, new for each test."""
    with guarded_pair(CONFIG) as started:
        yield started


def over_the_unix_socket(daemon: GuardedDaemon) -> str:
    return f"unix://{daemon.socket_path}"


def over_tcp(daemon: GuardedDaemon) -> str:
    return f"http://{USER}:{PASSWORD}@127.0.0.1:{daemon.port}"


def call(url: str, *calls: list[Any]) -> list[Any]:
    """Let node call methods; return the answers, each a `value` or a `fault`."""
    result = subprocess.run(
        [tool("node"), str(SCRIPT), url, json.dumps(calls)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=NODE_SECONDS,
        env={"NODE_PATH": str(node_modules()), "NODE_NO_WARNINGS": "1"},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return [in_order(json.loads(line)) for line in result.stdout.splitlines()]


def in_order(answer: dict[str, Any]) -> dict[str, Any]:
    """Sort what comes in the order of the exits."""
    value = answer.get("value")
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value.sort(key=itemgetter("name"))
    return answer


@pytest.mark.parametrize("address", [over_tcp, over_the_unix_socket])
def test_calls_are_answered_as_by_the_reference(
    pair: Pair, address: Callable[[GuardedDaemon], str]
) -> None:
    def answers(daemon: Daemon) -> list[Any]:
        assert isinstance(daemon, GuardedDaemon)
        log = daemon.wait_for_state("talks", "RUNNING")["stdout_logfile"]
        daemon.wait_for_text(log, "READY\n")
        return list(zip(CALLS, call(address(daemon), *CALLS), strict=True))

    pair.same(answers)


def test_a_wrong_password_is_an_error(pair: Pair) -> None:
    def answer(daemon: Daemon) -> list[Any]:
        assert isinstance(daemon, GuardedDaemon)
        return call(f"http://{USER}:wrong@127.0.0.1:{daemon.port}", ["getState"])

    pair.same(answer)
    assert answer(pair.ours)[0]["fault"][2] == 401
