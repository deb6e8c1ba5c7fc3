"""What the kernel knows of the processes that a test has started (Linux's /proc)."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

MARK = "SUPERVISOR_TEST_DIRECTORY"
"""In the environment of every daemon of the tests, and so of its children and theirs."""


class ProcessStatus(NamedTuple):
    """One row of the process table."""

    pid: int
    state: str  # R, S, D, T, Z ...
    parent: int


def status(pid: int) -> ProcessStatus | None:
    """Return a process's status, None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may contain anything
    return ProcessStatus(pid, fields[0], int(fields[1]))


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    found = status(pid)
    return found is not None and found.state not in "ZX"


def children(parent: int) -> list[ProcessStatus]:
    """Return the children of a process, zombies included."""
    rows = (status(pid) for pid in _all_pids())
    return [row for row in rows if row is not None and row.parent == parent]


def marked(directory: str) -> list[int]:
    """Return the live processes with this mark in the environment they were started with."""
    mark = f"{MARK}={directory}".encode()
    found = []
    for pid in _all_pids():
        with suppress(OSError):
            if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.append(pid)
    return found


def kill(pids: list[int]) -> None:
    """End processes at once; those that are gone already do no harm."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def open_fds(pid: int) -> dict[int, str]:
    """Return what each open fd of a process refers to."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        with suppress(OSError):
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
    return found


def fd_count(pid: int) -> int:
    """Return the number of open fds of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_bytes(pid: int) -> int:
    """Return the resident memory of a process, in bytes (VmRSS, see proc_pid_status(5))."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) * 1024


def proportional_bytes(pid: int) -> int:
    """Return the proportional set size of a process, in bytes (proc_pid_smaps(5))."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii", errors="replace")
    return int(text.partition("\nPss:")[2].split()[0]) * 1024


def voluntary_switches(pid: int) -> int:
    """Return how often a process has gone to sleep (proc_pid_status(5))."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def settled_switches(pid: int) -> int:
    """Return the count once it stays the same for a tenth of a second, 0 before."""
    before = voluntary_switches(pid)
    time.sleep(0.1)
    return before if voluntary_switches(pid) == before else 0


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


STATUS_FIELDS = ("SigBlk", "SigIgn", "SigCgt", "Umask", "Uid", "Gid", "Groups", "NoNewPrivs")
"""Fields of proc_pid_status(5) that a process inherits, or sets for itself."""


def status_fields(pid: int) -> dict[str, str]:
    """Return signal masks, users and the like of a process."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    found = dict(line.split(":", 1) for line in lines)
    return {name: found[name].strip() for name in STATUS_FIELDS}


def limits(pid: int) -> str:
    """Return the resource limits of a process, see proc_pid_limits(5)."""
    return Path(f"/proc/{pid}/limits").read_text(encoding="utf-8")


def environment(pid: int) -> dict[str, str]:
    """Return the environment with which a process was executed."""
    pairs = os.fsdecode(Path(f"/proc/{pid}/environ").read_bytes()).split("\0")
    return dict(pair.partition("=")[::2] for pair in pairs if pair)


def shared_fds(pid: int, other: int) -> set[str]:
    """Return the files above stderr that two processes have open."""
    return _open_files(pid) & _open_files(other)


def _open_files(pid: int) -> set[str]:
    found = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            if int(each.name) > 2:
                found.add(os.readlink(each))
    return found
