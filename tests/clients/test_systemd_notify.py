"""systemd-notify: the client that shell scripts use, as main process and as its child."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from supervisor.process.runtime_directory import make_runtime_directory
from tests.support.fds import nothing_left_open
from tests.support.notifying import Site
from tests.support.turning import turn_all, turn_until


@pytest.mark.parametrize("accept_all", [False, True], ids=["notify=true", "notify=all"])
def test_it_is_heard_and_its_barrier_is_answered(directory: Path, *, accept_all: bool) -> None:
    """It ends only when the descriptor that it sends with BARRIER=1 is closed.

    It runs in a shell here, and sends the pid of the shell, which it may as root.
    """
    script = "systemd-notify --ready '--status=all well' && systemd-notify --status=later; exit"
    with nothing_left_open():
        site = Site(make_runtime_directory(str(directory)), accept_all=accept_all)
        environment = os.environ | {"NOTIFY_SOCKET": site.channel.path}
        with subprocess.Popen(["sh", "-c", script], env=environment) as shell:
            site.channel.main_pid = shell.pid
            turn_until(site.loop, lambda: shell.poll() is not None)
        assert shell.returncode == 0
        turn_all(site.loop)
        site.close()
    expected = [(True, "all well"), (False, "later")]
    if os.geteuid() == 0 or accept_all:
        assert [(each.ready, each.status) for each, _ in site.seen] == expected
    else:
        assert len(site.problems) == len(expected)
