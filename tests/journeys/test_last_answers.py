"""The answers of a daemon that goes down: none is cut off, and no connection is reset.

jobflow-remote's daemon manager polls `getAllProcessInfo` after `shutdown`, on a connection of its
own each time.  It takes a fault and a socket that is gone for states of the daemon, and gives up
on everything else.
"""

from __future__ import annotations

import xmlrpc.client
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from supervisor import childutils
from supervisor.common.faults import Faults
from tests.support.children import child
from tests.support.daemon import Daemon

pytestmark = pytest.mark.slow

# Large enough that an answer does not fit into the socket's buffer.
PROCESSES = 1000

CONFIG = f"""
[program:one]
command={child("sleeper")}
startsecs=0
[program:idle]
command={child("sleeper")}
autostart=false
process_name=%(process_num)d
numprocs={PROCESSES}
"""

POLLERS = 4
ROUNDS = 5

GOING_DOWN = "fault of a daemon that goes down"
GONE = {FileNotFoundError.__name__, ConnectionRefusedError.__name__}


def ask(daemon: Daemon) -> str:
    """Ask as jobflow-remote does; return what became of it, in a word."""
    environment = {"SUPERVISOR_SERVER_URL": f"unix://{daemon.socket_path}"}
    try:
        rows: Any = childutils.getRPCInterface(environment).supervisor.getAllProcessInfo()
    except xmlrpc.client.Fault as fault:
        return GOING_DOWN if fault.faultCode == Faults.SHUTDOWN_STATE else str(fault)
    except Exception as error:  # noqa: BLE001 - which one it is decides
        return type(error).__name__
    assert len(rows) == PROCESSES + 1
    return "all processes"


def poll(daemon: Daemon) -> Counter[str]:
    """Ask until the daemon is gone, or gives an answer that it must not."""
    outcomes: Counter[str] = Counter()
    while True:
        outcome = ask(daemon)
        outcomes[outcome] += 1
        if outcome not in {"all processes", GOING_DOWN}:
            return outcomes


@pytest.mark.parametrize("number", range(ROUNDS))
def test_pollers_see_a_daemon_that_goes_down_and_then_none(directory: Path, number: int) -> None:
    del number
    with Daemon(directory, CONFIG) as daemon, ThreadPoolExecutor(POLLERS) as pool:
        daemon.wait_for_state("one", "RUNNING")
        pollers = [pool.submit(poll, daemon) for _ in range(POLLERS)]
        daemon.rpc.supervisor.shutdown()
        outcomes = sum((poller.result() for poller in pollers), Counter())
        daemon.wait_for_exit()
    assert not outcomes.keys() - GONE - {"all processes", GOING_DOWN}, outcomes
