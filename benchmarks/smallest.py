"""The smallest daemon: the cost of a row without the features of a real daemon.

It creates pipes, starts programs, reaps them and writes a log.  It has no states, limits,
faults or passwords, and no error handling.  Only one can exist in a process, because it
handles SIGCHLD and SIGTERM.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

ENVIRONMENT = {"HOME": "/root", "PATH": "/usr/bin:/bin", "SUPERVISOR_ENABLED": "1"}
LINE = b"2026-11-28 11:29:53,805 INFO spawned: 'many_123' with pid 4711\n"


class Started(NamedTuple):
    """A program that was started, and the daemon's ends of its pipes."""

    pid: int
    stdin: int
    stdout: int


Launcher = Callable[[Sequence[str], int, int], int]
"""(command, stdin, stdout) -> pid."""


def by_popen(command: Sequence[str], stdin: int, stdout: int) -> int:
    """Start a program as ours does."""
    child = subprocess.Popen(
        command,
        stdin=stdin,
        stdout=stdout,
        stderr=stdout,
        env=ENVIRONMENT,
        close_fds=False,
        restore_signals=False,
        process_group=0,
    )
    child.returncode = 0
    return child.pid


def by_posix_spawn(command: Sequence[str], stdin: int, stdout: int) -> int:
    """Start a program with the C library's `posix_spawn`."""
    return os.posix_spawn(
        command[0],
        command,
        ENVIRONMENT,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, *ends) for ends in ((stdin, 0), (stdout, 1), (stdout, 2))
        ],
        setpgroup=0,
    )


class Smallest:
    """Starts programs and reports their output and exits; it kills them at its end."""

    def __init__(self, directory: Path, launch: Launcher = by_popen) -> None:
        self.epoll = select.epoll()
        self._launch = launch
        self._log = os.open(directory / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self._started: dict[int, Started] = {}
        self._wakeup, sender = os.pipe()
        for fd in (self._wakeup, sender):
            os.set_blocking(fd, False)
        self.epoll.register(self._wakeup, select.EPOLLIN)
        for signum in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(signum, lambda *_: None)
        signal.set_wakeup_fd(sender)

    def start(self, *command: str) -> Started:
        """Start a program; its stderr goes where its stdout goes."""
        its_stdin, stdin = os.pipe()
        stdout, its_stdout = os.pipe()
        for fd in (stdin, stdout):
            os.set_blocking(fd, False)
        started = Started(self._launch(command, its_stdin, its_stdout), stdin, stdout)
        os.close(its_stdin)
        os.close(its_stdout)
        self._started[started.pid] = started
        self.write_log()
        return started

    def write_log(self, line: bytes = LINE) -> None:
        """Write to the log at once."""
        os.write(self._log, line)

    def turn(self) -> tuple[list[int], list[int]]:
        """Wait for an event; return (fds that are ready, pids that have died).

        Raises `SystemExit` after a SIGTERM.
        """
        ready = [fd for fd, _ in self.epoll.poll()]
        if self._wakeup not in ready:
            return ready, []
        if signal.SIGTERM in os.read(self._wakeup, 4096):
            raise SystemExit
        ready.remove(self._wakeup)
        return ready, self._reap()

    def _reap(self) -> list[int]:
        died = []
        while self._started:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            _, stdin, stdout = self._started.pop(pid)
            os.close(stdin)
            os.close(stdout)
            self.write_log()
            died.append(pid)
        return died

    def end(self) -> None:
        """End the programs."""
        for pid in self._started:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


# -- workloads -------------------------------------------------------------------


def restart(daemon: Smallest, *command: str) -> None:
    """Keep a program running."""
    daemon.start(*command)
    while True:
        for _ in daemon.run_once()[1]:
            daemon.start(*command)


def tell_deaths(daemon: Smallest, mortal: Sequence[str], listener: Sequence[str]) -> None:
    """Notify a listener each time a program has died, then restart the program."""
    heir = daemon.start(*listener)
    daemon.epoll.register(heir.stdout, select.EPOLLIN)
    daemon.start(*mortal)
    while True:
        ready, died = daemon.run_once()
        if heir.stdout in ready:
            daemon.write_log(os.read(heir.stdout, 65536))
        for pid in died:
            payload = b"processname:mortal groupname:mortal from_state:RUNNING pid:%d" % pid
            os.write(heir.stdin, _event(b"PROCESS_STATE_EXITED", pid, payload))
            daemon.start(*mortal)


def start_and_stop(daemon: Smallest, client: socket.socket, *command: str) -> None:
    """Start a program at a client's first request, stop it at the second, and so on."""
    daemon.epoll.register(client, select.EPOLLIN)
    started: Started | None = None
    while True:
        ready, died = daemon.run_once()
        if client.fileno() in ready and client.recv(65536):
            if started is None:
                started = daemon.start(*command)
                client.send(LINE)
            else:
                os.kill(started.pid, signal.SIGTERM)
        if died:
            started = None
            client.send(LINE)


def relay(daemon: Smallest, writer: Sequence[str], listener: Sequence[str], size: int) -> int:
    """Deliver a number of bytes of a program to a listener; return the number of events."""
    to = daemon.start(*listener)
    source = daemon.start(*writer)
    for started in (to, source):
        daemon.epoll.register(started.stdout, select.EPOLLIN)
    waiting: deque[bytes] = deque()
    is_ready, events, left = False, 0, size
    while left or waiting or not is_ready:
        ready, _ = daemon.run_once()
        if source.stdout in ready:
            data = os.read(source.stdout, 65536)
            left -= len(data)
            events += 1
            head = b"processname:chatty groupname:chatty pid:%d\n" % source.pid
            waiting.append(_event(b"PROCESS_LOG_STDOUT", events, head + data))
        if to.stdout in ready:
            answer = os.read(to.stdout, 65536)
            daemon.write_log(answer)
            is_ready = answer.endswith(b"READY\n")
        if is_ready and waiting:
            os.write(to.stdin, waiting.popleft())
            is_ready = False
    return events


def _event(name: bytes, serial: int, payload: bytes) -> bytes:
    return (
        b"ver:3.0 server:supervisor serial:%d pool:heir poolserial:%d eventname:%b len:%d\n%b"
        % (serial, serial, name, len(payload), payload)
    )
