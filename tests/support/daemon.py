r"""Real daemons for tests, ours or the reference, each in a directory of its own.

    with Daemon(directory, "[program:x]\ncommand=...") as daemon:
        daemon.rpc.supervisor.startProcess("x")
        daemon.ctl("status").stdout

On leaving the block the daemon is stopped; whatever it started must be gone with it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support import proctable
from tests.support.reference import reference_environment
from tests.support.transport import proxy
from tests.support.waiting import wait_until

CLIENT_SECONDS = 30

REEXECUTED = os.environ.get("SUPERVISOR_TESTS") == "reexec"
"""Whether each daemon of ours is to be replaced by itself once, as soon as it runs."""

REPLACEMENT = re.compile(
    r"^.* supervisord executes the installed version\n(?s:.*?) resumed \d+ process.*\n",
    re.MULTILINE,
)
"""The lines of a replacement in the activity log."""

KEPT_VARIABLES = ("PATH", "HOME", "USER", "TZ", "COVERAGE_PROCESS_START", "COVERAGE_FILE")

MODULES = {"echo_supervisord_conf": "confecho"}
"""The module of a command that is not called like it."""

BASE = """\
[supervisord]
logfile=%(here)s/supervisord.log
pidfile=%(here)s/supervisord.pid
childlogdir=%(here)s
identifier=test
"""

CONTROL = """\
[unix_http_server]
file=%(here)s/s.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://%(here)s/s.sock
"""


@dataclass(frozen=True)
class Implementation:
    """Whose commands to run, and how: `launcher` followed by a command's name, joined."""

    name: str
    launcher: tuple[str, ...]

    def command(self, name: str) -> list[str]:
        """Return the words that run `supervisord`, `supervisorctl`, `echo_supervisord_conf` ..."""
        module = MODULES.get(name, name) if len(self.launcher) > 1 else name
        return [*self.launcher[:-1], f"{self.launcher[-1]}{module}"]

    def __str__(self) -> str:
        """Return the name: pytest shows it as the parameter's id."""
        return self.name


OURS = Implementation("ours", (sys.executable, "-m", "supervisor."))


def reference() -> Implementation:
    """Return the reference's commands; its environment is made when it is missing."""
    return Implementation("reference", (f"{reference_environment()}/bin/",))


def clean_environment(directory: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a small environment, the same whoever runs the tests, with the tests' mark."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return {"LC_ALL": "C.UTF-8", **kept, proctable.MARK: str(directory), **(extra or {})}


class Daemon:
    """One supervisord with its configuration, logs and socket in `directory`.

    `config` is added to `[supervisord]`, a unix socket and the standard RPC interface; it may
    begin with more options of `[supervisord]`, before its first section.  `arguments` are those
    of the command line, after `-c`; without `-n` among them the daemon goes to the background.
    `within` is put before the command, to run it in a namespace for example (see
    `support.namespaces`); it must exec what follows, so that the pid stays the same.
    `seconds` is how long a start or a stop may take.
    """

    def __init__(
        self,
        directory: Path,
        config: str = "",
        *,
        implementation: Implementation = OURS,
        arguments: tuple[str, ...] = ("-n",),
        environment: Mapping[str, str] | None = None,
        within: tuple[str, ...] = (),
        seconds: float = 20,
    ) -> None:
        self.directory = directory
        self.seconds = seconds
        self.implementation = implementation
        self.arguments = arguments
        self.within = within
        self.environment = clean_environment(directory, environment)
        self.config_path = directory / "supervisord.conf"
        self.socket_path = directory / "s.sock"
        self.log_path = directory / "supervisord.log"
        self.pid_path = directory / "supervisord.pid"
        self.may_leave_processes = False
        self._started: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self.write_config(config)

    # -- from start to end ----------------------------------------------------

    def write_config(self, config: str) -> None:
        """Replace the configuration file; see the class for what is added."""
        options, bracket, sections = textwrap.dedent(config).partition("[")
        text = f"{BASE}{options}\n{CONTROL}{bracket}{sections}\n"
        self.config_path.write_text(text, encoding="utf-8")
        self.config_path.chmod(0o600)  # else there may be warnings

    def start(self) -> Self:
        """Start the daemon and wait until it answers on its socket."""
        self.launch()
        wait_until(self._answers, self.seconds, what=self._what_is_there)
        self._pid = self.rpc.supervisor.getPID()
        if REEXECUTED and self.implementation is OURS:
            self.reexec()
        return self

    def reexec(self) -> None:
        """Let the daemon replace itself, and wait until the next one answers on its socket."""
        assert self.rpc.supervisor.reexec() is True
        self.close_rpc()  # new connections wait for the next daemon
        wait_until(self._answers, self.seconds, what=self._what_is_there)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the daemon and wait for nothing; its output goes to `output.txt`."""
        command = [
            *self.within,
            *self.implementation.command("supervisord"),
            "-c",
            str(self.config_path),
            *self.arguments,
        ]
        with open(self.directory / "output.txt", "ab") as output:
            self._started = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.directory,
                env=self.environment,
            )
        self._pid = self._started.pid
        return self._started

    def wait_for_start(self, number: int) -> None:
        """Wait until the daemon has started this many times, restarts included, and answers."""
        said = "supervisord started with pid"
        wait_until(lambda: self.log_text().count(said) >= number, what=self._what_is_there)
        self.close_rpc()
        wait_until(self._answers, self.seconds, what=self._what_is_there)

    def stop(self) -> None:
        """End the daemon by SIGTERM and wait until it and all its processes are gone.

        Raises AssertionError when something had to be killed.
        """
        self.close_rpc()
        try:
            if self._pid:
                self._end_daemon()
        finally:
            left = self._processes_left()
            proctable.kill(left)
        assert not left or self.may_leave_processes, f"left behind: {left}\n{self.log_text()}"

    def kill(self) -> None:
        """End the daemon and all that it started at once, without asking anyone."""
        self.close_rpc()
        proctable.kill(proctable.marked(str(self.directory)))
        self.wait_for_exit()
        if self._started is not None:
            self._started.wait(self.seconds)

    def wait_for_exit(self, seconds: float | None = None) -> int | None:
        """Wait until the daemon has ended; return its status (None for a daemonized one)."""
        wait_until(self._is_gone, seconds or self.seconds, what=self._what_is_there)
        return None if self._started is None else self._started.returncode

    def __enter__(self) -> Self:
        """Start; see `start`."""
        try:
            return self.start()
        except BaseException:
            self.may_leave_processes = True  # the failure to start is the news
            self.stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop; see `stop`."""
        self.stop()

    # -- talking to it --------------------------------------------------------

    @property
    def pid(self) -> int:
        """The pid of the daemon itself, also when it has gone to the background."""
        return self._pid

    @cached_property
    def rpc(self) -> xmlrpc.client.ServerProxy:
        """The XML-RPC interface over the unix socket, on one kept connection."""
        return proxy(str(self.socket_path))

    def close_rpc(self) -> None:
        """Close the kept connection; the next use of `rpc` opens a new one."""
        if "rpc" in self.__dict__:
            self.rpc("close")()
            del self.rpc

    def ctl(
        self, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run supervisorctl with this daemon's configuration to its end."""
        command = [
            *self.implementation.command("supervisorctl"),
            "-c",
            str(self.config_path),
            *arguments,
        ]
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=CLIENT_SECONDS,
            cwd=self.directory,
            env={**self.environment, **(env or {})},
            check=False,
        )

    def client_script(self) -> str:
        """Return the path of a `supervisorctl` that is one file, as some clients want it."""
        script = self.directory / "supervisorctl"
        command = " ".join(self.implementation.command("supervisorctl"))
        script.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
        return str(script)

    def signal(self, signum: int) -> None:
        """Send a signal to the daemon."""
        os.kill(self._pid, signum)

    def info(self, name: str) -> dict[str, Any]:
        """Return what `getProcessInfo` says of a process."""
        answer: Any = self.rpc.supervisor.getProcessInfo(name)
        return dict(answer)

    def wait_for_state(self, name: str, *states: str, seconds: float = 10) -> dict[str, Any]:
        """Wait until a process is in one of the states; return its info."""

        def reached() -> dict[str, Any] | None:
            found = self.info(name)
            return found if found["statename"] in states else None

        def complaint() -> str:
            return f"{name} in {states}, but {self.info(name)}\n{self.log_text()}"

        found = wait_until(reached, seconds, what=complaint)
        assert found is not None
        return found

    def wait_for_child(self, name: str, where: Path) -> bool:
        """Wait until a process executes a program of the directory `where`.

        Before that a signal meets the daemon's own handlers, in the original at least.
        """
        cmdline = Path(f"/proc/{self.info(name)['pid']}/cmdline")
        return wait_until(lambda: str(where).encode() in cmdline.read_bytes())

    # -- looking at it --------------------------------------------------------

    def log_text(self) -> str:
        """Return the activity log."""
        return self.text("supervisord.log")

    def output_text(self) -> str:
        """Return what the daemon wrote to its own stdout and stderr."""
        return self.text("output.txt")

    def text(self, name: str) -> str:
        """Return a file of the daemon's directory, '' when it is missing.

        The lines of a replacement that all tests have are left out.
        """
        path = self.directory / name
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        return REPLACEMENT.sub("", text) if REEXECUTED else text

    def wait_for_log(self, text: str, seconds: float = 10) -> None:
        """Wait until the activity log contains a text."""
        wait_until(
            lambda: text in self.log_text(), seconds, what=lambda: f"{text!r}\n{self.log_text()}"
        )

    def wait_for_text(self, name: str, text: str, seconds: float = 10) -> str:
        """Wait until a file of the daemon's directory contains a text; return the file."""
        wait_until(
            lambda: text in self.text(name),
            seconds,
            what=lambda: f"{text!r} in {name}\n{self.text(name)[-2000:]}\n{self.log_text()}",
        )
        return self.text(name)

    # -- inside ---------------------------------------------------------------

    def _answers(self) -> bool:
        assert self._started is not None
        failed = self._started.poll() not in {None, 0}
        assert not failed, f"supervisord ended at once\n{self._what_is_there()}"
        try:
            self.rpc.supervisor.getState()
        except OSError:
            self.close_rpc()
            return False
        return True

    def _what_is_there(self) -> str:
        return f"{self.implementation}\n{self.output_text()}\n{self.log_text()}"

    def _is_gone(self) -> bool:
        """Whether the daemon has ended; also collects it when it is a child of ours."""
        if self._started is not None and self._started.pid == self._pid:
            return self._started.poll() is not None
        return not proctable.is_alive(self._pid)

    def _end_daemon(self) -> None:
        if not self._is_gone():
            self.signal(signal.SIGTERM)
        try:
            self.wait_for_exit()
        except AssertionError:
            proctable.kill([self._pid])
            self.wait_for_exit()
            raise
        finally:
            if self._started is not None:
                self._started.wait(self.seconds)

    def _processes_left(self) -> list[int]:
        """Return what the daemon started and is still there a moment after its end."""
        try:
            wait_until(lambda: not proctable.marked(str(self.directory)), 2)
        except AssertionError:
            return proctable.marked(str(self.directory))
        return []
