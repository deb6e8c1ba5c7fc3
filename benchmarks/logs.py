"""Copying of children's output to log files; all bytes are counted."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from benchmarks.bench import Bench, Figures, child, cpu_seconds, head, wait_for

ROTATED = "stdout_logfile_maxbytes=50MB\nstdout_logfile_backups=99"
PLAIN = "stdout_logfile_maxbytes=0"
KINDS = {
    "plain": PLAIN,
    "rotating": ROTATED,
    "prefix": f"{PLAIN}\nstdout_logfile_format=prefix",
    "timestamp": f"{PLAIN}\nstdout_logfile_format=timestamp",
    "json": f"{PLAIN}\nstdout_logfile_format=json",
    "tee": f"{PLAIN}\nstdout_tee=%(here)s/out.log.copy",
}
"""Kinds of logs; Supervisor 4.3.0 has no formats and copies, and writes the lines as they are."""

FORMATTED = ("prefix", "timestamp", "json")


def throughput(bench: Bench, size: int, megabytes: int, kind: str) -> Figures:
    """Run one child that writes as fast as it can; the bytes are those that it writes."""
    count = megabytes * 2**20 // size
    config = f"""
        [program:flood]
        command={child("flood")} {size} {count}
        autostart=false
        startsecs=0
        stdout_logfile=%(here)s/out.log
        {KINDS[kind]}
        """.replace("\nstdout", "\n        stdout")
    with bench.daemon(config) as daemon:
        _claim_memory(daemon.directory, count * size)
        cpu, began = cpu_seconds(daemon.pid), time.monotonic()
        daemon.rpc.supervisor.startProcess("flood")
        wanted = count * size
        if kind in FORMATTED:
            wanted = count * wait_for(lambda: _first_line_bytes(daemon.directory / "out.log"))
        elif kind == "tee" and bench.implementation.name == "ours":
            copy = daemon.directory / "out.log.copy"
            wanted += count * wait_for(lambda: _first_line_bytes(copy))
        wait_for(lambda: _written(daemon.directory) >= wanted, pause=0.01)
        seconds = time.monotonic() - began
        cpu = cpu_seconds(daemon.pid) - cpu
    shutil.rmtree(daemon.directory)
    gigabytes = count * size / 1e9
    return {"rate [MB/s]": [gigabytes * 1e3 / seconds], "CPU [s/GB]": [cpu / gigabytes]}


BURST = 10
"""Lines per burst: 100 children that slept before each line would use both cores for that."""


def chatty(bench: Bench, count: int, rate: int, kind: str = "plain") -> Figures:
    """Run many children that each write lines of 100 bytes at a fixed rate per second."""
    seconds = bench.times(10, 3)
    config = f"""
        [program:chatty]
        command={child("flood")} 100 {rate * seconds} {rate} {BURST}
        process_name=%(program_name)s_%(process_num)03d
        numprocs={count}
        autostart=false
        startsecs=0
        stdout_logfile=%(here)s/out.log%(process_num)s
        {KINDS[kind]}
        """.replace("\nstdout", "\n        stdout")
    with bench.daemon(head(count) + config) as daemon:
        _claim_memory(daemon.directory, count * rate * seconds * 100)
        daemon.rpc.supervisor.startAllProcesses()
        line_bytes = 100
        if kind in FORMATTED:
            line_bytes = wait_for(lambda: _first_line_bytes(daemon.directory / "out.log0"))
        cpu, began = cpu_seconds(daemon.pid), time.monotonic()
        done = _written(daemon.directory)
        wanted = count * rate * seconds * line_bytes
        wait_for(lambda: _written(daemon.directory) >= wanted, pause=0.05)
        cpu = cpu_seconds(daemon.pid) - cpu
        elapsed = time.monotonic() - began
    shutil.rmtree(daemon.directory)
    lines = (wanted - done) / line_bytes
    return {"CPU [%]": [cpu / elapsed * 100], "CPU per line [us]": [cpu / lines * 1e6]}


def _claim_memory(directory: Path, size: int) -> None:
    """Claim enough memory so that a log there measures the daemon, not the host's page supply.

    A virtual machine returns unused memory to its host, and getting a page back costs several
    times more than writing to it.
    """
    path = directory / "claimed"
    with path.open("wb") as file:
        for _ in range(size // 2**20):
            file.write(bytes(2**20))
    path.unlink()


def _first_line_bytes(path: Path) -> int:
    """Return the length of a log's first line, 0 while there is none; the others are as long."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        line = file.readline()
        return len(line) if line.endswith(b"\n") else 0
    return 0


def _written(directory: Path) -> int:
    """Return the size of all logs; a file that is just being rotated counts the next time."""
    with os.scandir(directory) as entries, suppress(FileNotFoundError):
        return sum(entry.stat().st_size for entry in entries if entry.name.startswith("out.log"))
    return 0
