"""Costs of a daemon whose programs just run: none."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

SECONDS = 10

CONFIG = """\
[program:quiet]
command=/bin/sleep 1000
process_name=%(program_name)s_%(process_num)s
numprocs=20
startsecs=0
"""


class Watch:
    """Says for how long a process has not run at all."""

    def __init__(self, pid: int) -> None:
        # The number of another process's CPU clock, as clock_getcpuclockid(3) makes it.
        self.clock = (~pid << 3) | 2
        self.used = -1.0
        self.since = 0.0

    def seconds_at_rest(self) -> float:
        """Return the seconds since the process was last seen to have used its CPU."""
        used, now = time.clock_gettime(self.clock), time.monotonic()
        if used != self.used:
            self.used, self.since = used, now
        return now - self.since


@pytest.mark.slow
def test_an_idle_daemon_makes_no_system_call_for_ten_seconds(directory: Path) -> None:
    """Not one instruction of it runs: its CPU time is constant, to the nanosecond."""
    with Daemon(directory, CONFIG) as daemon:
        daemon.wait_for_state("quiet:quiet_19", "RUNNING")
        daemon.close_rpc()
        watch = Watch(daemon.pid)
        wait_until(lambda: watch.seconds_at_rest() >= SECONDS, 3 * SECONDS)


ORDERED = """\
[program:db]
command=/bin/sleep 1000
startsecs=0
[program:gate]
command=/bin/sleep 1000
autostart=false
[program:app]
command=/bin/sh -c "echo >&3; exec sleep 1000"
process_name=%(program_name)s_%(process_num)s
numprocs=100
startsecs=0
depends_on=db
on_dependency_failure=restart
notification_fd=3
[program:waits]
command=/bin/sleep 1000
process_name=%(program_name)s_%(process_num)s
numprocs=900
depends_on=gate, db
[program:pauses]
command=/bin/true
process_name=%(program_name)s_%(process_num)s
numprocs=10
startsecs=0
autorestart=true
restartpause=1h
"""


@pytest.mark.slow
def test_waits_pauses_and_readiness_make_no_system_call(directory: Path) -> None:
    """A thousand programs with dependencies cost nothing while nothing happens."""
    with Daemon(directory, f"minfds=4096\n{ORDERED}", seconds=60) as daemon:
        daemon.wait_for_state("app:app_99", "RUNNING", seconds=30)
        daemon.wait_for_state("pauses:pauses_9", "EXITED", seconds=30)
        assert daemon.info("waits:waits_899")["statename"] == "STOPPED"
        daemon.close_rpc()
        watch = Watch(daemon.pid)
        wait_until(lambda: watch.seconds_at_rest() >= SECONDS, 3 * SECONDS)
