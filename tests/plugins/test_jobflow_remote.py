"""jobflow-remote's daemon manager: it writes a configuration, starts `supervisord` and polls it.

The package is unmodified.  Only its runner, the command `jf`, is a child of the tests, since it
would need a MongoDB.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from tests.support import proctable
from tests.support.children import child
from tests.support.comparison import temporary_directory
from tests.support.daemon import OURS, clean_environment
from tests.support.plugins import JOBFLOW_REMOTE, plugin_environment
from tests.support.waiting import wait_until

DRIVER = Path(__file__).with_name("jobflow_manager.py")

CALL_SECONDS = 30
LINGER_SECONDS = 0.2

RUNNER = "runner_daemon:run_jobflow0"

ONE_PROCESS = {"supervisord", RUNNER}
SEVEN_PROCESSES = {
    "supervisord",
    "runner_daemon_checkout:run_jobflow_checkout",
    "runner_daemon_transfer:run_jobflow_transfer0",
    "runner_daemon_transfer:run_jobflow_transfer1",
    "runner_daemon_queue:run_jobflow_queue",
    "runner_daemon_complete:run_jobflow_complete0",
    "runner_daemon_complete:run_jobflow_complete1",
}
SPLIT = {"single": False, "num_procs_transfer": 2, "num_procs_complete": 2}

# The manager looks at the pid file, then at the socket.  One that polls without a pause can
# meet the instant between, and takes the next status; with 4.3.0 it does as well.
GONE_BETWEEN_TWO_LOOKS = (
    "DaemonError: the supervisord process is alive, but the socket is missing",
    "FileNotFoundError: ",
)


class Manager:
    """The daemon manager in a process of its own, with its project in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.project = directory / "project"
        self.output = directory / "output.txt"
        commands = directory / "bin"
        commands.mkdir()
        self._write_command(commands / "supervisord", " ".join(OURS.command("supervisord")))
        self._write_command(commands / "jf", child("lingerer", LINGER_SECONDS))
        self._connection, theirs = Pipe()
        self._process = self._launch(commands, theirs)
        theirs.close()

    def _launch(self, commands: Path, theirs: Connection) -> subprocess.Popen[str]:
        python = plugin_environment(JOBFLOW_REMOTE) / "bin" / "python"
        path = f"{commands}:/usr/bin:/bin"
        # TMPDIR: its configuration names no folder for the logs of the programs.
        places = {"PATH": path, "HOME": str(self.directory), "TMPDIR": str(self.directory)}
        with open(self.output, "wb") as output:
            return subprocess.Popen(
                [python, "-u", DRIVER, self.directory, str(theirs.fileno())],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env=clean_environment(self.directory, places),
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # getpass would ask at the terminal
                text=True,
            )

    @staticmethod
    def _write_command(path: Path, command: str) -> None:
        path.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        path.chmod(0o755)

    def send(self, name: str, **arguments: object) -> None:
        """Call a method and do not wait for its result."""
        self._connection.send((name, arguments))

    def result(self) -> Any:
        """Wait for the result of a method; an exception is a text.

        A manager that does not respond is given up, so that the next tests need not wait for it.
        """
        try:
            assert self._connection.poll(CALL_SECONDS), self.output_text()
            return self._connection.recv()
        except (AssertionError, EOFError):
            self._connection.close()
            raise AssertionError(self.output_text()) from None

    def call(self, name: str, **arguments: object) -> Any:
        """Call a method and wait for its result."""
        self.send(name, **arguments)
        return self.result()

    def type_line(self, line: str) -> None:
        """Give the manager a line of text on its stdin."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def status(self) -> str:
        """Return the manager's view of the daemon."""
        return str(self.call("check_status"))

    def wait_for_status(self, status: str) -> None:
        """Wait until the manager sees the daemon in this status."""
        wait_until(lambda: self.status() == status, what=lambda: f"{status}, not {self.status()}")

    def start(self, **options: object) -> None:
        """Start the daemon and its processes, and wait until they run and are ready."""
        assert self.call("start", raise_on_error=True, **options) is True
        self.wait_for_status("RUNNING")
        for name, process in self.call("get_processes_info").items():
            if name != "supervisord":
                log = Path(process["logfile"])
                wait_until(lambda log=log: "READY" in log.read_text(encoding="utf-8"))

    def output_text(self) -> str:
        """Return what the manager has printed."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def log_text(self) -> str:
        """Return the daemon's activity log."""
        return (self.project / "log" / "supervisord.log").read_text(encoding="utf-8")

    def close(self) -> None:
        """End the manager, and its daemon if that still runs."""
        self._connection.close()
        assert self._process.stdin is not None
        self._process.stdin.close()
        proctable.kill(proctable.marked(str(self.directory)))
        self._process.wait(CALL_SECONDS)


@pytest.fixture(scope="module")
def started_manager() -> Iterator[Manager]:
    """One manager for all tests: its imports take seconds."""
    with temporary_directory() as directory:
        manager = Manager(directory)
        try:
            yield manager
        finally:
            manager.close()


@pytest.fixture
def manager(started_manager: Manager) -> Iterator[Manager]:
    """A manager whose daemon does not run yet; afterwards the daemon shuts down, polled."""
    assert started_manager.status() == "SHUT_DOWN"
    yield started_manager
    responses = started_manager.call("shut_down_while_polling")
    assert not errors(responses), responses
    assert started_manager.call("recorded_runner") is None
    daemon_directory = started_manager.project / "daemon"
    assert [path.name for path in daemon_directory.iterdir()] == ["supervisord.conf"]
    assert "Traceback" not in started_manager.log_text()


def errors(responses: dict[str, int]) -> set[str]:
    """Return the exceptions that a daemon that goes down must not cause in a poller."""
    exceptions = {response for response in responses if ": " in response}
    return {text for text in exceptions if not text.startswith(GONE_BETWEEN_TWO_LOOKS)}


def test_start_returns_when_the_processes_can_be_recorded(manager: Manager) -> None:
    assert manager.call("start", raise_on_error=True) is True
    assert manager.call("recorded_runner")["processes_info"].keys() == ONE_PROCESS
    assert manager.call("wait_start") is None
    assert manager.status() == "RUNNING"
    error = "DaemonError: Daemon process is already running"
    assert manager.call("start", raise_on_error=True) == error


@pytest.mark.parametrize(
    ("method", "options"),
    [("stop", {"wait": True}), ("stop", {"wait": False}), ("kill", {"wait": True})],
)
def test_processes_that_were_ended_start_again(
    manager: Manager, method: str, options: dict[str, object]
) -> None:
    manager.start()
    assert manager.call(method, raise_on_error=True, **options) is True
    manager.wait_for_status("STOPPED")
    assert manager.call("recorded_runner") is None
    assert manager.call("stop") is False  # nothing runs
    manager.start()


def test_split_processes_are_seen_each_by_itself(manager: Manager) -> None:
    manager.start(**SPLIT)
    before = manager.call("get_processes_info")
    assert before.keys() == SEVEN_PROCESSES
    assert {process["statename"] for process in before.values()} == {"RUNNING"}
    assert manager.call("restart", raise_on_error=True) is True
    after = manager.call("get_processes_info")
    assert {name for name in after if after[name]["pid"] == before[name]["pid"]} == {"supervisord"}
    for process in after.values():
        if process["group"] == "runner_daemon_queue":
            proctable.kill([process["pid"]])
    manager.wait_for_status("PARTIALLY_RUNNING")


def test_shut_down_waits_until_the_daemon_is_gone(manager: Manager) -> None:
    manager.start()
    pid = manager.call("get_supervisord_pid")
    assert manager.call("shut_down", wait=True, raise_on_error=True) is True
    assert manager.status() == "SHUT_DOWN"
    wait_until(lambda: not proctable.is_alive(pid))


def test_pollers_see_the_daemon_go_down(manager: Manager) -> None:
    manager.start(**SPLIT)
    responses = manager.call("shut_down_while_polling")
    assert responses.keys() >= {"SHUTTING_DOWN", "SHUT_DOWN"}
    assert not errors(responses), responses


def test_a_process_in_the_foreground_reads_lines_until_it_ends(manager: Manager) -> None:
    manager.start()
    pid = manager.call("get_processes_info")[RUNNER]["pid"]
    manager.send("foreground_processes")
    wait_until(lambda: f"Entering foreground for process {RUNNER}" in manager.output_text())
    manager.type_line("a line to repeat")
    wait_until(lambda: "a line to repeat" in manager.output_text(), what=manager.output_text)
    proctable.kill([pid])
    wait_until(lambda: proctable.status(pid) is None)  # reaped
    manager.type_line("one more")
    assert manager.result() is None
    assert manager.output_text().endswith("Process got killed\nExiting foreground\n")
