"""Orphans of programs that the daemon adopts: `[supervisord] subreaper=true`."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.support import proctable
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

LEAVER = """
[program:leaver]
command=/bin/sh -c "(sleep 1000 & echo $! >orphan.new); mv orphan.new orphan; exec sleep 1000"
directory=%(here)s
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
"""

FLOOD = """
subreaper=true
[program:flood]
command=/bin/sh -c "while :; do (/bin/true &); done"
numprocs=2
process_name=%(process_num)d
startsecs=0
stopasgroup=true
[program:other]
command=/bin/sh -c "exit 0"
autostart=false
startsecs=0
"""


def orphan_of(daemon: Daemon) -> proctable.ProcessStatus:
    """Return the status of the orphan, once its parent has gone."""
    path = daemon.directory / "orphan"
    wait_until(path.exists)
    pid = int(path.read_text(encoding="ascii"))
    leaver = daemon.info("leaver")["pid"]

    def status() -> proctable.ProcessStatus | None:
        found = proctable.status(pid)
        assert found is not None
        return found if found.parent != leaver and found.state == "S" else None

    found = wait_until(status)
    assert found is not None
    path.unlink()
    return found


@pytest.mark.parametrize("arguments", [("-n",), ()], ids=["foreground", "background"])
def test_orphans_become_children_of_the_daemon(directory: Path, arguments: tuple[str, ...]) -> None:
    """They are reaped quietly; a reload without the option leaves the next one to pid 1."""
    config = f"subreaper=true\n{LEAVER}"
    with Daemon(directory, config, arguments=arguments) as daemon:
        orphan = orphan_of(daemon)
        assert orphan.parent == daemon.pid
        proctable.kill([orphan.pid])
        wait_until(lambda: proctable.status(orphan.pid) is None)
        daemon.write_config(LEAVER)
        daemon.rpc.supervisor.restart()
        daemon.wait_for_start(2)
        orphan = orphan_of(daemon)
        assert orphan.parent != daemon.pid
        proctable.kill([orphan.pid])
        assert "unknown pid" not in daemon.log_text()


def test_thousands_of_orphans_leave_time_for_everything_else(directory: Path) -> None:
    with Daemon(directory, FLOOD) as daemon:
        for _ in range(20):
            started_at = time.monotonic()
            daemon.rpc.supervisor.startProcess("other", False)
            assert time.monotonic() - started_at < 2
            daemon.wait_for_state("other", "EXITED")
        daemon.ctl("stop", "flood:*")
        wait_until(lambda: proctable.children(daemon.pid) == [])
        daemon.signal(signal.SIGTERM)
        assert daemon.wait_for_exit() == 0
