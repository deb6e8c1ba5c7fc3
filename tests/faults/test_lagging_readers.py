"""Logs that are pipes with a slow reader: every byte arrives, and the loop never waits."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.children import child
from tests.support.daemon import Daemon

ANSWER_SECONDS = 4.0
"""More than an answer takes on a loaded machine; less than any wait for a reader."""

CHUNK_BYTES = 4096


@contextmanager
def daemon_on_a_pipe(directory: Path, config: str) -> Iterator[tuple[Daemon, int]]:
    """Run a silent daemon in the foreground whose stdout is a pipe; yield its reading end too."""
    fifo = directory / "stdout"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    within = ("sh", "-c", f'exec "$@" >{fifo}', "sh")
    try:
        with Daemon(directory, config, arguments=("-n", "-s"), within=within) as daemon:
            yield daemon, reader
    finally:
        os.close(reader)


def program(command: str, *options: str) -> str:
    """Return the section of a program that logs to the daemon's stdout."""
    lines = (
        "[program:x]",
        f"command={command}",
        "stdout_logfile=/dev/stdout",
        "stdout_logfile_maxbytes=0",
        "startsecs=0",
        "autorestart=false",
        *options,
    )
    return "\n".join(lines)


def read_slowly(reader: int, size: int) -> bytes:
    """Read that many bytes in small pieces, or to the end of the pipe."""
    got = b""
    while len(got) < size and (piece := os.read(reader, min(CHUNK_BYTES, size - len(got)))):
        got += piece
    return got


def assert_answers(daemon: Daemon) -> None:
    begun = time.monotonic()
    assert daemon.rpc.supervisor.getState()
    assert time.monotonic() - begun < ANSWER_SECONDS


def test_a_program_that_has_ended(directory: Path) -> None:
    """Its log has been closed long before the reader takes the last of half a megabyte."""
    expected = b"".join(b"%099d\n" % number for number in range(5000))
    with daemon_on_a_pipe(directory, program(child("flood", 5000, 100, 0))) as (daemon, reader):
        daemon.wait_for_state("x", "EXITED")
        assert_answers(daemon)
        assert read_slowly(reader, len(expected)) == expected


def test_a_program_that_is_started_again(directory: Path) -> None:
    """What the second run writes comes after the first run's output, not into the middle."""
    expected = b"".join(b"%099d\n" % number for number in range(3000))
    with daemon_on_a_pipe(directory, program(child("flood", 3000, 100, 0))) as (daemon, reader):
        daemon.wait_for_state("x", "EXITED")
        daemon.rpc.supervisor.startProcess("x", False)
        daemon.wait_for_state("x", "EXITED")
        assert read_slowly(reader, 2 * len(expected)) == 2 * expected


def test_last_words_before_the_daemon_ends(directory: Path) -> None:
    lines = b"".join(b"%d\n" % number for number in range(20_001))
    with daemon_on_a_pipe(directory, program(child("last_words", 20_001))) as (daemon, reader):
        assert read_slowly(reader, 6) == b"READY\n"
        daemon.signal(signal.SIGTERM)
        daemon.wait_for_log("stopped: x")
        assert read_slowly(reader, len(lines)) == lines
        daemon.wait_for_exit()


def test_a_reload_and_sigusr2(directory: Path) -> None:
    """Neither waits for the reader, and both leave it what it has not read yet."""
    expected = b"".join(b"%099d\n" % number for number in range(5000))
    silent = "\n[program:silent]\ncommand=/bin/cat\nstdout_logfile=/dev/stdout\n"
    config = program(child("flood", 5000, 100, 0)) + silent + "stdout_logfile_maxbytes=0"
    with daemon_on_a_pipe(directory, config) as (daemon, reader):
        daemon.wait_for_state("x", "EXITED")
        assert read_slowly(reader, 100) == expected[:100]
        daemon.signal(signal.SIGUSR2)
        daemon.wait_for_log("supervisord logreopen")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_start(2)
        assert_answers(daemon)
        assert read_slowly(reader, len(expected) - 100) == expected[100:]
        assert read_slowly(reader, len(expected)) == expected  # from the next run


def test_a_reader_that_never_comes_back(directory: Path) -> None:
    """The daemon waits for a few seconds, logs how much it has dropped, and ends."""
    with daemon_on_a_pipe(directory, program(child("flood", 5000, 100, 0))) as (daemon, _reader):
        daemon.wait_for_state("x", "EXITED")
        daemon.signal(signal.SIGTERM)
        daemon.wait_for_exit()
        last = daemon.log_text().splitlines()[-1]
        assert "CRIT log /dev/stdout: " in last
        assert last.endswith(" bytes dropped (its reader has stalled)")
