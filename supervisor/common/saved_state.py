"""The contents of a state file: what a daemon remembers for the next one.

JSON, with one line for each process.  Keys that are unknown are skipped, so a later version may
add some; it raises `FORMAT` when an older one would misread the file.  This module does no I/O:
`daemon.statefile` reads and writes the file, `daemon.memory` has the values.
"""

from __future__ import annotations

import json

from supervisor.common.pids import MAX_PID
from supervisor.common.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

FORMAT = 1

NO_INT = -1
"""In place of a value that is no integer: less than every valid one."""

MAX_COUNT = 2**63 - 1
"""Upper bound of counters, and of seconds, which timers need as floats."""

MAX_SIGNAL = 64
"""The highest number of a signal (signal(7))."""


@record(frozen=True)
class Identity:
    """A process that no other one can be mistaken for, on one machine since its boot.

    `started` is its start time in clock ticks since the boot (proc_pid_stat(5)).
    """

    pid: int
    started: int


@record(frozen=True)
class SavedChild:
    """A child that was running, and how its program is stopped; `stopwaitsecs` in seconds."""

    identity: Identity
    stopsignal: int
    stopwaitsecs: int
    stopasgroup: bool
    killasgroup: bool


@record(frozen=True)
class SavedProcess:
    """One process: whether a client has stopped it, the numbers of its starts, its child."""

    name: str
    is_stopped: bool = False
    starts: int = 0
    restarts: int = 0
    child: SavedChild | None = None

    def encode(self) -> str:
        """Return the process as one line of JSON."""
        values: dict[str, Any] = {
            "name": self.name,
            "stopped": self.is_stopped,
            "starts": self.starts,
            "restarts": self.restarts,
        }
        if self.child is not None:
            values |= {
                "pid": self.child.identity.pid,
                "started": self.child.identity.started,
                "stopsignal": self.child.stopsignal,
                "stopwaitsecs": self.child.stopwaitsecs,
                "stopasgroup": self.child.stopasgroup,
                "killasgroup": self.child.killasgroup,
            }
        return json.dumps(values)


@record(frozen=True)
class SavedState:
    """All that a state file contains.

    `machine` identifies the machine since its boot, and the namespace of the pids; `daemon` is
    the daemon that has written the file.  `scales` has the numbers of processes that clients have
    set, as `config.scales` saves them.
    """

    machine: str = ""
    daemon: Identity | None = None
    processes: Mapping[str, SavedProcess] = field(default_factory=dict)
    scales: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def encode(
    machine: str,
    daemon: Identity | None,
    processes: Iterable[str],
    scales: Mapping[str, Mapping[str, int]],
) -> bytes:
    """Return the text of a file; `processes` are results of `SavedProcess.encode`."""
    head = {
        "format": FORMAT,
        "machine": machine,
        "daemon": None if daemon is None else {"pid": daemon.pid, "started": daemon.started},
        "scales": scales,
    }
    lines = ",\n".join(processes)
    return f'{json.dumps(head)[:-1]}, "processes": [\n{lines}\n]}}\n'.encode()


def decode(text: bytes) -> SavedState:
    """Return the contents of a file; raises `ValueError` with a reason for users.

    Values that make no sense are replaced by their defaults.
    """
    try:
        saved = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is not complete JSON") from None
    number = _int(saved.get("format")) if isinstance(saved, dict) else NO_INT
    if number < 1:
        raise ValueError("it has no format number")
    if number > FORMAT:
        raise ValueError(f"its format {number} is that of a newer version")
    processes, machine = saved.get("processes"), saved.get("machine")
    found = map(_process, processes if isinstance(processes, list) else ())
    return SavedState(
        machine=machine if isinstance(machine, str) else "",
        daemon=_identity(saved.get("daemon")),
        processes={each.name: each for each in found if each is not None},
        scales=_scales(saved.get("scales")),
    )


def decode_processes(lines: Iterable[str]) -> Iterator[SavedProcess]:
    """Yield the processes of lines that `SavedProcess.encode` has returned."""
    found = map(_process, map(json.loads, lines))
    return (each for each in found if each is not None)


def _scales(saved: Any) -> dict[str, dict[str, int]]:
    if not isinstance(saved, dict):
        return {}
    found = {
        section: {name: _int(scale.get(name)) for name in ("count", "configured")}
        for section, scale in saved.items()
        if isinstance(scale, dict)
    }
    return {section: scale for section, scale in found.items() if min(scale.values()) >= 0}


def _process(saved: Any) -> SavedProcess | None:
    name = saved.get("name") if isinstance(saved, dict) else None
    if not isinstance(name, str):
        return None
    return SavedProcess(
        name,
        is_stopped=saved.get("stopped") is True,
        starts=_count(saved.get("starts")),
        restarts=_count(saved.get("restarts")),
        child=_child(saved),
    )


def _child(saved: Mapping[str, Any]) -> SavedChild | None:
    identity, signum = _identity(saved), _int(saved.get("stopsignal"))
    if identity is None or not 0 < signum <= MAX_SIGNAL:
        return None
    return SavedChild(
        identity,
        stopsignal=signum,
        stopwaitsecs=_count(saved.get("stopwaitsecs")),
        stopasgroup=saved.get("stopasgroup") is True,
        killasgroup=saved.get("killasgroup") is True,
    )


def _identity(saved: Any) -> Identity | None:
    if not isinstance(saved, dict):
        return None
    pid, started = _int(saved.get("pid")), _int(saved.get("started"))
    return Identity(pid, started) if 1 < pid <= MAX_PID and started >= 0 else None


def _count(value: Any) -> int:
    return min(max(_int(value), 0), MAX_COUNT)


def _int(value: Any) -> int:
    is_int = isinstance(value, int) and not isinstance(value, bool)
    return int(value) if is_int else NO_INT
