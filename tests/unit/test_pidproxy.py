"""pidproxy forwards signals to the pid in a file, and ends with its command or that process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from supervisor.pidproxy import CHECK_SECONDS, PidProxy
from tests.support import proctable
from tests.support.children import DIRECTORY
from tests.support.strangers import needs_root
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

PIDPROXY = [sys.executable, "-m", "supervisor.pidproxy"]
SIGNALS = [sys.executable, "-S", str(DIRECTORY / "signals.py")]
SLEEPER = [sys.executable, "-S", str(DIRECTORY / "sleeper.py")]
WAIT_SECONDS = 20

# Logs "SIGTERM" and ends only after SIGUSR1; its status is 3.
RELUCTANT = [
    sys.executable,
    "-S",
    "-c",
    """if True:
    import os, signal
    signal.signal(signal.SIGUSR1, lambda *_: os._exit(3))
    signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"SIGTERM\\n"))
    os.write(1, b"READY\\n")
    while True:
        signal.pause()
    """,
]

WITHOUT_PIDFD = """if True:
    import os
    del os.pidfd_open
    from supervisor.pidproxy import main
    main()
"""

Child = subprocess.Popen[str]


class Pair:
    """A process whose pid is in a file, and a pidproxy for it."""

    def __init__(self, directory: Path) -> None:
        self.pidfile = directory / "pid"
        self.log = directory / "log"
        self.real: Child | None = None
        self.proxy: Child | None = None

    def start_real(self, command: Sequence[str] = SIGNALS) -> None:
        """Start the process that gets the signals; it logs them."""
        with open(self.log, "w", encoding="ascii") as log:
            self.real = subprocess.Popen(command, stdout=log, text=True)
        wait_until(lambda: "READY" in self.log.read_text())
        self.pidfile.write_text(f"{self.real.pid}\n")

    def start_proxy(
        self, user: int | None = None, command: Sequence[str] = SLEEPER, proxy: Sequence[str] = ()
    ) -> Child:
        """Start pidproxy; it has installed its handlers when its command says READY."""
        command = [*(proxy or PIDPROXY), str(self.pidfile), *command]
        self.proxy = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            user=user,
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
            for stream in filter(None, (child.stdin, child.stdout)):
                stream.close()


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
def test_after_a_terminating_signal_it_ends_with_the_process(pair: Pair, name: str) -> None:
    """With 0, and without its command, which may have another purpose."""
    pair.start_real()
    proxy = pair.start_proxy()
    proxy.send_signal(getattr(signal, name))
    wait_until(lambda: name in pair.log.read_text())
    assert pair.real is not None
    pair.real.kill()
    assert proxy.wait(WAIT_SECONDS) == 0


@pytest.mark.parametrize(
    "proxy",
    [PIDPROXY, [sys.executable, "-c", WITHOUT_PIDFD]],
    ids=["with a pidfd", "without pidfds"],
)
def test_it_waits_for_a_process_that_takes_its_time(pair: Pair, proxy: Sequence[str]) -> None:
    """Else supervisord would start the next one while this one still holds its port.

    The command, which may have started that process, ends before it.
    """
    pair.start_real(RELUCTANT)
    started = pair.start_proxy(command=["sh", "-c", "echo READY; read line; exit 5"], proxy=proxy)
    for _ in range(2):
        started.send_signal(signal.SIGTERM)
        wait_until(lambda: "SIGTERM" in pair.log.read_text())
        pair.log.write_text("")
    assert pair.real is not None
    assert started.stdin is not None
    started.stdin.close()
    wait_until(lambda: not proctable.children(started.pid))
    assert started.poll() is None
    pair.real.send_signal(signal.SIGUSR1)
    assert pair.real.wait(WAIT_SECONDS) == 3
    assert started.wait(WAIT_SECONDS) == 5


def test_a_wrapper_may_clean_up_after_its_server(pair: Pair) -> None:
    """As mysqld_safe does: the status is that of the wrapper, which ends after its server."""
    script = f"sleep 1000 & echo $! >{pair.pidfile}; echo READY; wait; sleep 0.1; exit 7"
    proxy = pair.start_proxy(command=["sh", "-c", script])
    proxy.send_signal(signal.SIGTERM)
    assert proxy.wait(WAIT_SECONDS) == 7


def test_a_command_that_is_the_process_itself(pair: Pair) -> None:
    script = f"echo $$ >{pair.pidfile}; echo READY; exec sleep 1000"
    proxy = pair.start_proxy(command=["sh", "-c", script])
    proxy.send_signal(signal.SIGTERM)
    assert proxy.wait(WAIT_SECONDS) == 128 + signal.SIGTERM


def test_waiting_takes_no_cpu_time(pair: Pair) -> None:
    """Neither for the command nor for a process that was signalled: there is nothing to poll."""
    pair.start_real(RELUCTANT)
    proxy = pair.start_proxy()
    proxy.send_signal(signal.SIGTERM)
    wait_until(lambda: "SIGTERM" in pair.log.read_text())
    before = wait_until(lambda: proctable.settled_switches(proxy.pid))
    end = time.monotonic() + 2 * CHECK_SECONDS
    wait_until(lambda: time.monotonic() > end)
    assert proctable.voluntary_switches(proxy.pid) == before


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
    """A signal to -1 would reach every process, one to pidproxy itself return for ever.

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


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", 137), ("kill -TERM $$", 143)],
)
def test_it_ends_with_its_command(script: str, status: int) -> None:
    """At once, and with its status: that of a shell for a command that was killed."""
    assert run("/tmp/nope", "sh", "-c", script).returncode == status  # noqa: S108


def test_a_command_that_does_not_exist() -> None:
    found = run("/tmp/nope", "/nonexistent/command")  # noqa: S108
    assert found.stderr == "Can't run /nonexistent/command: No such file or directory\n"
    assert found.returncode == 1


@pytest.mark.parametrize("arguments", [[], ["pidfile"]])
def test_usage(arguments: list[str]) -> None:
    found = run(*arguments)
    assert "<pidfile name> <command> [<cmdarg1> ...]" in found.stdout
    assert found.returncode == 1
