"""Journey: children that are forked, because another user owns their executables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.strangers import needs_root
from tests.support.waiting import wait_until

pytestmark = needs_root

NOBODY = 65534


def script(directory: Path, name: str, text: str) -> Path:
    """Return a shell script of another user's, who could hold up who executes it."""
    path = directory / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    os.chown(path, NOBODY, NOBODY)
    return path


@pytest.fixture
def place(directory: Path) -> Path:
    """A directory in which every user may look for scripts."""
    directory.chmod(0o755)
    return directory


def test_an_event_listener_gets_its_events(place: Path) -> None:
    listener = script(place, "listener", f"exec {child('listener', place / 'events')}")
    config = f"""
[eventlistener:l]
command={listener}
events=PROCESS_STATE_RUNNING
startsecs=0
[program:x]
command={script(place, "x", "exec sleep 1000")}
autostart=false
startsecs=0
"""
    with Daemon(place, config) as daemon:
        daemon.wait_for_state("l", "RUNNING")
        assert daemon.rpc.supervisor.startProcess("x")
        said = daemon.wait_for_text("events", "processname:x")
        assert f"pid:{daemon.info('x')['pid']}" in said
        assert daemon.rpc.supervisor.sendProcessStdin("x", "text")


def test_a_fastcgi_program_has_the_socket_and_gives_it_back(place: Path) -> None:
    (place / "closed").mkdir(mode=0o700)
    command = script(place, "app", "readlink /proc/self/fd/0; exec sleep 1000")
    config = f"""
[fcgi-program:app]
command={command}
socket=unix://%(here)s/app.sock
stdout_logfile=%(here)s/app.out
startsecs=0
[fcgi-program:fails]
command={command}
user=nobody
directory=%(here)s/closed
socket=unix://%(here)s/fails.sock
startretries=0
"""
    with Daemon(place, config) as daemon:
        daemon.wait_for_text("app.out", "socket:[")
        daemon.wait_for_state("fails", "FATAL")
        assert "couldn't chdir to" in daemon.info("fails")["spawnerr"]
        closing = "Closing socket unix://{}/{}.sock"
        assert daemon.log_text().count(closing.format(place, "fails")) == 2
        assert daemon.log_text().count(closing.format(place, "app")) == 1  # the trial at boot


def test_a_crowd_starts_fails_and_leaves_no_fd(place: Path) -> None:
    """Each child holds the report of its own alone."""
    good = script(place, "good", "exec sleep 1000")
    bad = place / "bad"
    bad.write_text("no interpreter", encoding="utf-8")
    bad.chmod(0o757)
    config = "".join(
        f"[program:{name}]\ncommand={command}\nnumprocs=50\nstartsecs=0\nautostart=false\n"
        f"process_name=%(process_num)d\nstartretries=0\n"
        for name, command in (("good", good), ("bad", bad))
    )
    with Daemon(place, config) as daemon:
        rpc = daemon.rpc.supervisor
        fds = Path(f"/proc/{daemon.pid}/fd")
        assert daemon.info("good:0")["pid"] == 0
        before = len(list(fds.iterdir()))
        for _ in range(2):
            results = [rpc.startProcessGroup("good"), rpc.startProcessGroup("bad")]
            assert {row["description"] for row in results[0]} == {"OK"}  # type: ignore[attr-defined]
            assert {row["description"].split(":")[0] for row in results[1]} == {"SPAWN_ERROR"}  # type: ignore[attr-defined]
            assert rpc.stopProcessGroup("good")
        wait_until(lambda: len(list(fds.iterdir())) == before)
        assert daemon.log_text().count("spawned:") == 100
        assert daemon.log_text().count(f"spawnerr: couldn't exec {bad}: ENOEXEC") == 100
        assert "reaped unknown pid" not in daemon.log_text()
