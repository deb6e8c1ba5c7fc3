"""What no daemon in Python can do without, on this machine: what is left above it is ours.

Each floor is the smallest program that does a row's work and nothing else: no limits, no
faults, no passwords, no states.  `python -m benchmarks --floor` prints them.
"""

from __future__ import annotations

import mmap
import os
import resource
import select
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from statistics import median

from benchmarks.bench import call_request, child, memory_mib, short
from tests.support.reference import reference_environment

REQUEST = call_request("supervisor.getState")
ANSWER = b"x" * 404
"""As long as the answer to `REQUEST`."""

WHAT_IS_NEEDED = "re, socket, select, signal, configparser, getopt"
ROUNDS = 5


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
        ("a start and its end", "us of CPU", lambda: _in_child(_starts)),
        ("an event and its result", "us of CPU", lambda: _in_child(_events)),
        ("a log of 64 KB writes", "s/GB of CPU", lambda: _in_child(_copies)),
    ):
        print(f"| {name} | {short(median(measure() for _ in range(ROUNDS)))} {unit} |", flush=True)


def _in_child(measure: Callable[[], float]) -> float:
    """Measure in a process of its own, whose CPU time is that of the work alone."""
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
    """Answer a client in another process on a kept connection."""
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


def _starts(times: int = 300) -> float:
    """Start a program that ends at once."""
    environment = dict(os.environ)
    began = time.process_time()
    for _ in range(times):
        os.waitpid(os.posix_spawn("/bin/true", ["true"], environment, setpgroup=0), 0)
    return (time.process_time() - began) / times * 1e6


def _events(times: int = 3000) -> float:
    """Hand events to the listener of the benchmarks."""
    with tempfile.TemporaryDirectory() as directory:
        os.mkfifo(f"{directory}/stamps")
        stamps = os.open(f"{directory}/stamps", os.O_RDWR)
        listener = subprocess.Popen(
            [child("listener"), f"{directory}/stamps", str(2**40)], stdin=-1, stdout=-1
        )
        assert listener.stdin is not None  # noqa: S101 - for type checkers
        assert listener.stdout is not None  # noqa: S101 - for type checkers
        to_listener, from_listener = listener.stdin.fileno(), listener.stdout.fileno()
        epoll = select.epoll()
        epoll.register(from_listener, select.EPOLLIN)
        event = b"ver:3.0 eventname:PROCESS_LOG_STDOUT len:160\n" + b"x" * 160
        began = time.process_time()
        for _ in range(times):
            os.write(to_listener, event)
            answer = b""
            while b"OK" not in answer:
                epoll.poll()
                answer += os.read(from_listener, 65536)
        used = time.process_time() - began
        listener.kill()
        listener.wait()
        os.close(stamps)
    return used / times * 1e6


def _copies(size: int = 65536, megabytes: int = 256) -> float:
    """Copy what a child writes into a file in memory."""
    count = megabytes * 2**20 // size
    buffer = memoryview(mmap.mmap(-1, 2 * size))
    target = os.memfd_create("log")
    flood = subprocess.Popen([child("flood"), str(size), str(count)], stdout=-1)
    assert flood.stdout is not None  # noqa: S101 - for type checkers
    source = flood.stdout.fileno()
    left = count * size
    began = time.process_time()
    while left:
        length = os.readv(source, [buffer])
        os.write(target, buffer[:length])
        left -= length
    used = time.process_time() - began
    flood.kill()
    flood.wait()
    return used / (count * size / 1e9)
