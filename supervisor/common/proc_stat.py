"""The fields of /proc/PID/stat that the daemon uses; see proc_pid_stat(5)."""

from __future__ import annotations

from supervisor.common.records import record

EXITED_STATES = frozenset({"Z", "X"})
"""Zombies and dead processes."""


@record(frozen=True)
class ProcessStat:
    """One process; times are in clock ticks, `started` since the boot of the machine."""

    pid: int
    state: str
    parent: int
    pgid: int
    cpu_ticks: int
    started: int
    resident_pages: int


def parse_stat(text: bytes) -> ProcessStat | None:
    """Return the fields, or None if the text is not complete.

    The second field, the name of the program, may contain blanks and parentheses.
    """
    before, _, after = text.rpartition(b")")
    fields = after.split()
    try:
        return ProcessStat(
            pid=int(before.split(b"(", 1)[0]),
            state=fields[0].decode(),
            parent=int(fields[1]),
            pgid=int(fields[2]),
            cpu_ticks=int(fields[11]) + int(fields[12]),
            started=int(fields[19]),
            resident_pages=int(fields[21]),
        )
    except (IndexError, ValueError):
        return None
