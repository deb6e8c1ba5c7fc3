"""Everything at the same time, for a while: memory, fds and children do not grow."""

from __future__ import annotations

import os
import signal
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from random import Random
from xmlrpc.client import Fault

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.ports import free_port, inet_server
from tests.support.soak import SECONDS, START_AND_STOP_SECONDS, soak

CONFIG = f"""
[program:worker]
command={child("sleeper")}
process_name=%(process_num)d
numprocs=10
startsecs=0
[program:crashes]
command={child("exits", 1, 0.5)}
startsecs=0
[program:writes]
command={child("steady", "/nonexistent/end")}
startsecs=0
stdout_logfile=%(here)s/writes.log
stdout_logfile_maxbytes=200KB
stdout_logfile_backups=2
[eventlistener:ears]
command={child("listener", "/dev/null")}
events=PROCESS_STATE,TICK_5
startsecs=0
"""


class Load:
    """What is done to a daemon, one thing after the other, in any order."""

    def __init__(self, daemon: Daemon, url: str) -> None:
        self.daemon = daemon
        self.url = url
        self.random = Random(4)  # noqa: S311 - the same load each time
        self.workers = [f"worker:{number}" for number in range(10)]

    def put_on(self, seconds: float) -> None:
        """Do something for a while, then let everything run again."""
        acts = [self.look, self.look, self.look, self.visit, self.crash, self.restart, self.reopen]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.random.choice(acts)()
        for name in (*self.workers, "writes"):
            self.daemon.wait_for_state(name, "RUNNING")

    def look(self) -> None:
        supervisor = self.daemon.rpc.supervisor
        assert supervisor.getState()
        assert supervisor.getAllProcessInfo()
        supervisor.tailProcessStdoutLog("writes", 0, 1000)

    def visit(self) -> None:
        for path in ("", "tail.html?processname=writes", "stylesheets/supervisor.css"):
            with urllib.request.urlopen(f"{self.url}{path}", timeout=20) as page:  # noqa: S310 - ours
                assert page.status == 200
                page.read()

    def restart(self) -> None:
        name = self.random.choice(self.workers)
        for method in ("stopProcess", "startProcess"):
            with suppress(Fault):  # it has crashed, or is back already
                getattr(self.daemon.rpc.supervisor, method)(name)

    def crash(self) -> None:
        pid = self.daemon.info(self.random.choice(self.workers))["pid"]
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def reopen(self) -> None:
        self.daemon.signal(signal.SIGUSR2)


@pytest.mark.timeout(SECONDS + START_AND_STOP_SECONDS)
def test_a_mixed_load(directory: Path) -> None:
    """Calls, pages, logs, crashes, starts and stops."""
    port = free_port()
    with Daemon(directory, inet_server(port) + CONFIG) as daemon:
        load = Load(daemon, f"http://127.0.0.1:{port}/")
        soak(daemon, load.put_on)
        assert "Traceback" not in daemon.log_text()
