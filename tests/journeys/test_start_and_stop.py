"""Journey (c): start and stop, waiting for what comes of it."""

from __future__ import annotations

import time
import xmlrpc.client
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from supervisor.common.faults import Faults
from tests.support import proctable
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.transport import proxy
from tests.support.waiting import wait_until


def test_start_responds_after_startsecs(directory: Path) -> None:
    config = f"[program:x]\ncommand={child('sleeper')}\nstartsecs=1\nautostart=false"
    with Daemon(directory, config) as daemon:
        begin = time.monotonic()
        assert daemon.rpc.supervisor.startProcess("x") is True
        assert daemon.info("x")["statename"] == "RUNNING"
        assert time.monotonic() - begin >= 1


def test_start_without_waiting_responds_at_once(directory: Path) -> None:
    config = f"[program:x]\ncommand={child('sleeper')}\nstartsecs=60\nautostart=false"
    with Daemon(directory, config) as daemon:
        assert daemon.rpc.supervisor.startProcess("x", False) is True
        assert daemon.info("x")["statename"] == "STARTING"


def test_start_reports_a_process_that_dies_too_soon(directory: Path) -> None:
    config = f"[program:x]\ncommand={child('exits', 1)}\nstartretries=0\nautostart=false"
    with Daemon(directory, config) as daemon:
        with pytest.raises(xmlrpc.client.Fault) as caught:
            daemon.rpc.supervisor.startProcess("x")
        assert caught.value.faultCode in {Faults.ABNORMAL_TERMINATION, Faults.SPAWN_ERROR}
        daemon.wait_for_state("x", "FATAL")


def test_others_are_answered_while_one_waits(directory: Path) -> None:
    config = f"[program:x]\ncommand={child('sleeper')}\nstartsecs=60\nautostart=false"
    with Daemon(directory, config) as daemon:
        waiting = proxy(str(daemon.socket_path), timeout=0.2)
        with pytest.raises(TimeoutError):
            waiting.supervisor.startProcess("x")
        waiting("close")()
        assert daemon.info("x")["statename"] == "STARTING"


def test_stop_of_a_stubborn_process_kills_it_after_stopwaitsecs(directory: Path) -> None:
    config = f"""
        [program:stubborn]
        command={child("stubborn")}
        stopwaitsecs=1
        startsecs=0
        stdout_logfile=%(here)s/stubborn.out
    """
    with Daemon(directory, config) as daemon:
        daemon.wait_for_text("stubborn.out", "READY")
        begin = time.monotonic()
        assert daemon.rpc.supervisor.stopProcess("stubborn") is True
        assert time.monotonic() - begin >= 1
        daemon.wait_for_log("killing 'stubborn'")
        daemon.wait_for_log("stopped: stubborn (terminated by SIGKILL)")


def test_stopasgroup_reaches_grandchildren(directory: Path) -> None:
    config = f"""
        [program:parent]
        command={child("parent", "%(here)s/grandchild")}
        stopasgroup=true
        stopsignal=KILL
        startsecs=0
    """
    with Daemon(directory, config) as daemon:
        wait_until((directory / "grandchild").exists)
        pid = int(daemon.text("grandchild"))
        assert proctable.is_alive(pid)
        daemon.rpc.supervisor.stopProcess("parent")
        wait_until(lambda: not proctable.is_alive(pid))


def test_all_are_started_stopped_and_signalled(directory: Path) -> None:
    config = "".join(
        f"[program:{name}]\ncommand={child('sleeper')}\nstartsecs=0\nautostart=false\n"
        for name in "abc"
    )
    with Daemon(directory, config) as daemon:
        rpc: Any = daemon.rpc.supervisor
        for method in (rpc.startAllProcesses, rpc.stopAllProcesses):
            answers = method()
            assert [answer["status"] for answer in answers] == [Faults.SUCCESS] * 3
            assert {answer["name"] for answer in answers} == {"a", "b", "c"}


@pytest.mark.slow
@pytest.mark.parametrize("wait", [True, False])
def test_others_are_answered_while_a_multicall_starts_many(directory: Path, *, wait: bool) -> None:
    config = f"""
        [program:x]
        command={child("sleeper")}
        process_name=%(process_num)d
        numprocs=100
        startsecs=0
        autostart=false
    """
    with Daemon(directory, config) as daemon, ThreadPoolExecutor(1) as pool:
        calls = [
            {"methodName": "supervisor.startProcess", "params": [f"x:{number}", wait]}
            for number in range(100)
        ]
        other = proxy(str(daemon.socket_path))
        multicall = pool.submit(other.system.multicall, calls)
        seen = set()
        while not multicall.done():
            infos = daemon.rpc.supervisor.getAllProcessInfo()
            seen.add(sum(each["statename"] == "RUNNING" for each in infos))
        assert multicall.result() == [True] * 100
        other("close")()
        assert seen & set(range(1, 100))  # answers from the middle
