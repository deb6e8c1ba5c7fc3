"""pidproxy passes signals on to the pid in a file, and lives as long as its command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from supervisor.pidproxy import PidProxy
from tests.support.children import DIRECTORY
from tests.support.strangers import needs_root
from tests.support.waiting import wait_until

PIDPROXY = [sys.executable, "-m", "supervisor.pidproxy"]
SIGNALS = [sys.executable, "-S", str(DIRECTORY / "signals.py")]
SLEEPER = [sys.executable, "-S", str(DIRECTORY / "sleeper.py")]
WAIT_SECONDS = 20

Child = subprocess.Popen[str]


class Pair:
    """A process whose pid stands in a file, and a pidproxy for it."""

    def __init__(self, directory: Path) -> None:
        self.pidfile = directory / "pid"
        self.log = directory / "log"
        self.real: Child | None = None
        self.proxy: Child | None = None

    def start_real(self) -> None:
        """Start the process that gets the signals; it logs them."""
        with open(self.log, "w", encoding="ascii") as log:
            self.real = subprocess.Popen(SIGNALS, stdout=log, text=True)
        wait_until(lambda: "READY" in self.log.read_text())
        self.pidfile.write_text(f"{self.real.pid}\n")

    def start_proxy(self, user: int | None = None) -> Child:
        """Start pidproxy; it has installed its handlers when its command says READY."""
        command = [*PIDPROXY, str(self.pidfile), *SLEEPER]
        self.proxy = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, start_new_session=True, user=user
        )
        assert self.proxy.stdout is not None
        assert self.proxy.stdout.readline() == "READY\n"
        return self.proxy

    def end(self) -> None:
        """End what is still there: the sleeper outlives pidproxy, in its process group."""
        if self.proxy is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.proxy.pid, signal.SIGKILL)
        if self.real is not None:
            self.real.kill()
        for child in filter(None, (self.proxy, self.real)):
            child.wait(WAIT_SECONDS)
            if child.stdout is not None:
                child.stdout.close()


@pytest.fixture
def pair(directory: Path) -> Iterator[Pair]:
    found = Pair(directory)
    yield found
    found.end()


@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR1", "SIGUSR2"])
def test_a_signal_is_passed_on(pair: Pair, name: str) -> None:
    pair.start_real()
    proxy = pair.start_proxy()
    proxy.send_signal(getattr(signal, name))
    wait_until(lambda: name in pair.log.read_text())
    assert proxy.poll() is None


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGQUIT"])
def test_a_signal_that_ends_processes_ends_pidproxy_too(pair: Pair, name: str) -> None:
    pair.start_real()
    proxy = pair.start_proxy()
    proxy.send_signal(getattr(signal, name))
    assert proxy.wait(WAIT_SECONDS) == 0
    wait_until(lambda: name in pair.log.read_text())


@pytest.mark.parametrize("content", [None, "", "nonsense"])
def test_a_pidfile_that_cannot_be_read(pair: Pair, content: str | None) -> None:
    """It may be there later: pidproxy goes on, even after SIGTERM."""
    if content is not None:
        pair.pidfile.write_text(content)
    proxy = pair.start_proxy()
    assert proxy.stdout is not None
    for signum in (signal.SIGHUP, signal.SIGTERM):
        proxy.send_signal(signum)
        assert proxy.stdout.readline() == f"Can't read child pidfile {pair.pidfile}!\n"
    assert proxy.poll() is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("4711", 4711),
        (" 4711\n", 4711),
        ("2147483647", 2147483647),
        *((pid, None) for pid in ("-1", "0", "1", "-4711", "+4711", "{own}", "{parent}")),
        *((pid, None) for pid in ("2147483648", "9" * 30, "9" * 5000, "4711.0", "4711 1", "4_7")),
        *((pid, None) for pid in ("\u0664\u0667", "\0", "4711\n4712")),
    ],
    ids=str,
)
def test_only_another_process_gets_signals(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    content: str,
    expected: int | None,
) -> None:
    """A signal to -1 would reach every process, one to pidproxy itself come back for ever.

    No signal is sent here, because a mistake would end the machine's processes.
    """
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *call: sent.append(call))
    pidfile = tmp_path / "pid"
    pidfile.write_text(content.format(own=os.getpid(), parent=os.getppid()), encoding="utf-8")
    PidProxy(["pidproxy", str(pidfile), "true"]).passtochild(signal.SIGHUP, None)
    assert sent == ([] if expected is None else [(expected, signal.SIGHUP)])
    complaint = f"Can't read child pidfile {pidfile}!\n"
    assert capfd.readouterr().out == ("" if expected else complaint)


def test_a_fifo_in_place_of_a_pidfile(pair: Pair) -> None:
    """It has no writer, and pidproxy does not wait for one."""
    os.mkfifo(pair.pidfile)
    proxy = pair.start_proxy()
    proxy.send_signal(signal.SIGHUP)
    assert proxy.stdout is not None
    assert proxy.stdout.readline() == f"Can't read child pidfile {pair.pidfile}!\n"


@needs_root
def test_a_process_that_may_not_be_signalled(pair: Pair) -> None:
    pair.start_real()
    pair.pidfile.chmod(0o644)
    pair.pidfile.parent.chmod(0o755)
    proxy = pair.start_proxy(user=65534)
    proxy.send_signal(signal.SIGTERM)
    assert proxy.stdout is not None
    assert proxy.stdout.readline().startswith("Can't signal process ")
    assert proxy.wait(WAIT_SECONDS) == 0


def test_a_pid_that_is_gone(pair: Pair) -> None:
    gone = subprocess.Popen([sys.executable, "-S", "-c", ""])
    gone.wait(WAIT_SECONDS)
    pair.pidfile.write_text(str(gone.pid))
    proxy = pair.start_proxy()
    proxy.send_signal(signal.SIGTERM)
    assert proxy.wait(WAIT_SECONDS) == 0


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PIDPROXY, *arguments], capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
    )


def test_it_ends_with_its_command() -> None:
    """At once, and with 0, whatever the command's own status."""
    assert run("/tmp/nope", sys.executable, "-S", "-c", "exit(3)").returncode == 0  # noqa: S108


def test_a_command_that_does_not_exist() -> None:
    found = run("/tmp/nope", "/nonexistent/command")  # noqa: S108
    assert found.stderr == "Can't run /nonexistent/command: No such file or directory\n"
    assert found.returncode == 1


@pytest.mark.parametrize("arguments", [[], ["pidfile"]])
def test_usage(arguments: list[str]) -> None:
    found = run(*arguments)
    assert "<pidfile name> <command> [<cmdarg1> ...]" in found.stdout
    assert found.returncode == 1
