"""Processes of an earlier daemon, in cases that no journey can cause on every kernel."""

from __future__ import annotations

import errno
import signal
import subprocess
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from supervisor import loggers
from supervisor.common.saved_state import Identity, SavedChild, SavedProcess
from supervisor.config.model import Settings
from supervisor.daemon.leftovers import Leftovers, is_alive
from supervisor.engine import posix
from supervisor.engine.loop import Loop
from supervisor.process.runtime import Runtime
from tests.support.fds import nothing_left_open
from tests.support.waiting import wait_until
from tests.support.world import Recorder


@pytest.fixture
def leader() -> Iterator[subprocess.Popen[bytes]]:
    """The leader of a process group, which stays a zombie after its end."""
    with subprocess.Popen(["sleep", "1000"], process_group=0) as process:
        yield process
        process.kill()


class Site:
    """A loop with the leftovers of an earlier daemon."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        logger = loggers.getLogger(loggers.LevelsByName.BLAT)
        logger.handlers.append(self.recorder)
        self.loop = Loop()
        self.changes = 0
        settings = Settings(configfile=None, here=None)
        self.leftovers = Leftovers(Runtime(self.loop, logger, settings), self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def stop(self, name: str, pid: int, replacement: Any = None, **options: Any) -> Identity:
        """Stop a process as the child of a program; return its identity.

        `replacement` is the process that may follow it.
        """
        stat = posix.read_stat(pid)
        assert stat is not None
        child = SavedChild(
            Identity(pid, stat.started),
            **{"stopsignal": 15, "stopwaitsecs": 60, "stopasgroup": False, "killasgroup": False}
            | options,
        )
        self.leftovers.stop(SavedProcess(name, child=child), replacement)
        return child.identity

    def turn(self) -> None:
        """Run the loop for what is due."""
        for _ in range(4):
            self.loop.run_once(0)


@pytest.fixture
def site() -> Iterator[Site]:
    """A site that closes everything that it has opened."""
    with nothing_left_open():
        made = Site()
        yield made
        made.leftovers.close()
        made.loop.close()


def test_the_group_of_a_zombie_cannot_be_signalled(
    leader: subprocess.Popen[bytes], site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before Linux 6.9, where nothing reaps the leader: the wait ends, and only once."""
    send = signal.pidfd_send_signal

    def refuse_groups(pidfd: int, signum: int, *more: Any) -> None:
        if more:
            raise OSError(errno.EINVAL, "Invalid argument")
        send(pidfd, signum)

    monkeypatch.setattr(signal, "pidfd_send_signal", refuse_groups)
    identity = site.stop("web", leader.pid, stopwaitsecs=0, killasgroup=True)
    wait_until(lambda: not is_alive(identity))
    site.turn()
    assert (site.leftovers.pending, site.changes) == ({}, 1)
    assert site.recorder.lines[1:] == [
        ("warn", f"killing 'web' ({leader.pid}) with SIGKILL"),
        ("critical", f"cannot stop 'web' (pid {leader.pid}): Invalid argument"),
        ("info", f"stopped: web (pid {leader.pid}), which an earlier supervisord has left"),
    ]


def test_a_start_that_fails_keeps_no_other_from_being_stopped(
    leader: subprocess.Popen[bytes], site: Site
) -> None:
    """A plugin may have wrapped `spawn`."""

    def hold(reason: str) -> None:
        if not reason:
            raise ZeroDivisionError

    broken = SimpleNamespace(name="web", starts=SimpleNamespace(hold=hold))
    identity = site.stop("web", leader.pid, broken)
    wait_until(lambda: not is_alive(identity))
    site.turn()
    assert (site.leftovers.pending, site.changes) == ({}, 1)
    (failure,) = [text for level, text in site.recorder.lines if level == "critical"]
    assert failure.startswith("web failed\nTraceback")
    assert failure.endswith("ZeroDivisionError\n")
