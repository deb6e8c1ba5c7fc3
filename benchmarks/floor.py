"""The lower bounds for any daemon in Python on this machine; any cost above them is ours.

Each floor is the smallest program that does a row's work and nothing else: no limits, no
faults, no passwords, no states.  `python -m benchmarks --floor` prints them.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import resource
import select
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.bench import Stamps, call_request, child, memory_mib, short
from benchmarks.smallest import (
    Launcher,
    Smallest,
    by_popen,
    by_posix_spawn,
    relay,
    restart,
    start_and_stop,
    tell_deaths,
)
from tests.support.reference import reference_environment

REQUEST = call_request("supervisor.getState")
ANSWER = b"x" * 404
"""Has the length of the response to `REQUEST`."""

WHAT_IS_NEEDED = "re, socket, select, signal, configparser, getopt"
ROUNDS = 5
DEATHS = 20
PAUSE_SECONDS = 0.2
READ_BYTES = 131072
PIPE_BYTES = 2**20


def floors() -> None:
    """Print all floors; each is the median of some measurements."""
    python = str(reference_environment() / "bin" / "python")
    print("| floor | figure |\n| --- | --- |")
    for name, unit, measure in (
        ("an interpreter that does nothing", "ms of CPU", lambda: _interpreter(python, "pass")),
        (
            f"and imports {WHAT_IS_NEEDED}",
            "ms of CPU",
            lambda: _interpreter(python, f"import {WHAT_IS_NEEDED}"),
        ),
        ("an interpreter that waits", "MiB, PSS", lambda: _waiting(python)),
        ("an answer of 404 bytes", "us of CPU", lambda: _in_child(_answers)),
        ("a start through `Popen`", "us of CPU", lambda: _in_child(partial(_starts, by_popen))),
        (
            "a start through `posix_spawn`",
            "us of CPU",
            lambda: _in_child(partial(_starts, by_posix_spawn)),
        ),
        ("from a death to the new program", "ms", lambda: _wait(_restarts)),
        ("from a death to the listener", "ms", lambda: _wait(_told)),
        ("a stop that a client waits for", "ms", lambda: _wait(_stops)),
        ("an event and its result", "us of CPU", lambda: _in_child(_events)),
        ("a log of 64 KB writes", "s/GB of CPU", lambda: _in_child(partial(_copies, 65536, 256))),
        (
            "a log of 100-byte lines, read once in a millisecond",
            "s/GB of CPU",
            lambda: _in_child(partial(_copies, 100, 100, rest=0.001)),
        ),
    ):
        print(f"| {name} | {short(median(measure() for _ in range(ROUNDS)))} {unit} |", flush=True)


def _in_child(measure: Callable[[], float]) -> float:
    """Measure in a separate process, whose CPU time is that of the work alone."""
    reader, writer = os.pipe()
    if not os.fork():
        try:
            os.write(writer, repr(measure()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        figure = float(file.read())
    os.wait()
    return figure


def _interpreter(python: str, code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([python, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1e3


def _waiting(python: str) -> float:
    code = "print(flush=True); input()"
    with subprocess.Popen([python, "-c", code], stdin=-1, stdout=-1) as waiting:
        assert waiting.stdout is not None  # noqa: S101 - for type checkers
        waiting.stdout.readline()
        mib = memory_mib(waiting.pid)
        waiting.kill()
    return mib


def _answers(times: int = 3000) -> float:
    """Serve a client in another process on a kept connection."""
    server, client = socket.socketpair()
    if not os.fork():
        server.close()
        for _ in range(times):
            client.sendall(REQUEST)
            client.recv(65536)
        os._exit(0)
    client.close()
    epoll = select.epoll()
    epoll.register(server, select.EPOLLIN)
    began = time.process_time()
    for _ in range(times):
        epoll.poll()
        server.recv(16384)
        server.send(ANSWER)
    return (time.process_time() - began) / times * 1e6


def _starts(launch: Launcher, times: int = 200) -> float:
    """Start as many programs as the row that starts all."""
    with tempfile.TemporaryDirectory() as directory:
        daemon = Smallest(Path(directory), launch)
        began = time.process_time()
        for _ in range(times):
            daemon.start(child("stamp"))
            daemon.write_log()
        used = time.process_time() - began
        daemon.end()
    return used / times * 1e6


def _restarts(stamps: Stamps) -> Iterator[float]:
    """Kill a program; the new one reports when it runs."""
    with _beside(restart, child("stamp"), str(stamps.path)):
        _, pid = stamps.next()
        for _ in range(DEATHS):
            time.sleep(PAUSE_SECONDS)
            began = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            at, pid = stamps.next()
            yield (at - began) * 1e3


def _told(stamps: Stamps) -> Iterator[float]:
    """Kill a program; a listener reports when it is notified."""
    with tempfile.TemporaryDirectory() as directory, closing(Stamps(Path(directory))) as born:
        listener = [child("listener"), str(stamps.path)]
        with _beside(tell_deaths, [child("stamp"), str(born.path)], listener):
            for _ in range(DEATHS):
                _, pid = born.next()
                time.sleep(PAUSE_SECONDS)
                began = time.monotonic()
                os.kill(pid, signal.SIGKILL)
                yield (stamps.next()[0] - began) * 1e3


def _stops(stamps: Stamps) -> Iterator[float]:
    """Request a start, and, once the program runs, its stop."""
    server, client = socket.socketpair()
    with server, client, _beside(start_and_stop, server, child("stamp"), str(stamps.path)):
        for _ in range(DEATHS):
            client.send(REQUEST)
            client.recv(65536)
            stamps.next()
            began = time.monotonic()
            client.send(REQUEST)
            client.recv(65536)
            yield (time.monotonic() - began) * 1e3


def _wait(measure: Callable[[Stamps], Iterator[float]]) -> float:
    with tempfile.TemporaryDirectory() as directory, closing(Stamps(Path(directory))) as stamps:
        return median(measure(stamps))


@contextmanager
def _beside(act: Callable[..., None], *arguments: object) -> Iterator[None]:
    """Run a smallest daemon in a separate process for a while."""
    pid = os.fork()
    if not pid:
        try:
            with tempfile.TemporaryDirectory() as directory:
                daemon = Smallest(Path(directory))
                with suppress(SystemExit):
                    act(daemon, *arguments)
                daemon.end()
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


def _events(lines: int = 30_000) -> float:
    """Deliver the lines of the row to its listener."""
    with tempfile.TemporaryDirectory() as directory, closing(Stamps(Path(directory))) as stamps:
        daemon = Smallest(Path(directory))
        began = time.process_time()
        events = relay(
            daemon,
            (child("flood"), "100", str(lines), "20000"),
            (child("listener"), str(stamps.path), str(lines)),
            100 * lines,
        )
        used = time.process_time() - began
        daemon.end()
    return used / events * 1e6


def _copies(size: int, megabytes: int, rest: float = 0.0) -> float:
    """Copy a child's output to a file in memory, with a delay after each short read."""
    count = megabytes * 2**20 // size
    buffer = memoryview(mmap.mmap(-1, READ_BYTES))
    target = os.memfd_create("log")
    flood = subprocess.Popen([child("flood"), str(size), str(count)], stdout=-1)
    assert flood.stdout is not None  # noqa: S101 - for type checkers
    source = flood.stdout.fileno()
    if rest:
        fcntl.fcntl(source, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    left = count * size
    began = time.process_time()
    while left:
        length = os.readv(source, [buffer])
        os.write(target, buffer[:length])
        left -= length
        if rest and length < READ_BYTES:
            time.sleep(rest)
    used = time.process_time() - began
    flood.kill()
    flood.wait()
    return used / (count * size / 1e9)
