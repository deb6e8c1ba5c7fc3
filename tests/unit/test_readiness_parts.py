"""The parts of readiness together: a real program, its messages and its checks, in one loop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.common.notify_protocol import Notification
from supervisor.common.probes import parse_probe
from supervisor.process.notify_socket import NotifySocket, bind_notify_socket
from supervisor.process.probes import ProbeRunner
from supervisor.process.readiness import NOTIFY, CheckSchedule, Readiness, ReadinessCheck
from tests.support.probing import Site, probing

PROGRAM = """
import os, signal, socket, sys
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
listener = socket.socket()
listener.bind(("127.0.0.1", int(sys.argv[2])))
for word in sys.argv[1].split():
    sys.stdin.readline()
    if word == "notify":
        notify.send(b"READY=1")
    elif word == "listen":
        listener.listen()
    else:
        sys.exit(1)
signal.pause()
"""


class Run:
    """One run of a program, with the few lines that connect the parts."""

    def __init__(self, site: Site, directory: str, steps: str) -> None:
        self.site = site
        self.reports = 0
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._probe = parse_probe(f"tcp://127.0.0.1:{port}")
        self._runner = ProbeRunner("p", site.loop, site.spawn, site.register)
        self.readiness = Readiness(NOTIFY, ReadinessCheck(CheckSchedule(period=0.02)))
        self._channel = NotifySocket(
            bind_notify_socket(directory, None), site.loop, self._on_notification, pytest.fail
        )
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", PROGRAM, steps, str(port)],
            stdin=subprocess.PIPE,
            env=os.environ | {"NOTIFY_SOCKET": self._channel.path},
        )
        self._channel.main_pid = self.process.pid
        self.readiness.run_started(self._now())
        self._arm()

    def step(self) -> None:
        """Make the program take its next step."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def close(self) -> None:
        """End the run and what belongs to it."""
        self.process.send_signal(signal.SIGKILL)
        with self.process:
            self._runner.cancel()
        self._channel.close()
        self.readiness.reset()

    def _now(self) -> float:
        return self.site.loop.clock.monotonic()

    def _arm(self) -> None:
        when = self.readiness.next_probe()
        if when is not None:
            self.site.loop.call_at(when, self._start_probe)

    def _start_probe(self) -> None:
        check = self.readiness.check
        if check is not None and self.readiness.next_probe() is not None:
            check.probe_started(self._now())
            self._runner.start(self._probe, check.schedule.timeout, self._on_result)

    def _on_result(self, failure: str | None) -> None:
        self.reports += self.readiness.probe_finished(self._now(), failure)
        self._arm()

    def _on_notification(self, notification: Notification, _pid: int) -> None:
        if notification.ready:
            self.reports += self.readiness.message_arrived()


@pytest.fixture
def site() -> Iterator[Site]:
    with probing() as made:
        yield made


@pytest.mark.parametrize(
    ("steps", "missing"),
    [
        ("notify listen", ["readiness check failed: connection refused"]),
        ("listen notify", ["READY=1"]),
    ],
)
def test_a_program_is_ready_when_both_hold(
    site: Site, directory: Path, steps: str, missing: list[str]
) -> None:
    run = Run(site, str(directory), steps)
    both = ["READY=1", "readiness check failed: connection refused"]
    site.turn_until(lambda: run.readiness.missing() == both)
    run.step()
    site.turn_until(lambda: run.readiness.missing() == missing)
    assert run.reports == 0
    run.step()
    site.turn_until(lambda: run.reports)
    assert run.readiness.missing() == []
    assert run.readiness.next_probe() is None
    run.close()
    assert run.reports == 1


def test_a_program_that_exits_leaves_nothing(site: Site, directory: Path) -> None:
    run = Run(site, str(directory), "notify exit")
    run.step()
    run.step()
    site.turn_until(lambda: run.process.poll() is not None)
    run.close()
    assert run.reports == 0
    assert list(directory.iterdir()) == []
