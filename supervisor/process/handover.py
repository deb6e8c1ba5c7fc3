"""The handover of one process from a daemon to the next one, which the same pid executes.

`save_process` returns the state of a process as JSON values; `restore_process` gives it to the
process of the same name in the next daemon.  Every `fd` in the values stays open meanwhile.
"""

from __future__ import annotations

import os

from supervisor.engine import posix
from supervisor.process.child import tree_to_stop
from supervisor.process.dispatchers import adopt_dispatchers
from supervisor.process.fastcgi import FastCGISubprocess
from supervisor.process.forking import LaunchReport
from supervisor.process.usage import age_of
from supervisor.states import ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from supervisor.process.child import Subprocess

ATTRIBUTES = (
    "state",
    "pid",
    "started_at",
    "laststop",
    "laststopreport",
    "backoff",
    "killing",
    "administrative_stop",
    "start_requested",
    "has_exited",
    "has_completed",
    "exitstatus",
    "spawnerr",
    "listener_state",
    "leader_status",
)
"""Attributes of a process that are JSON values."""

PARTS = ("starts", "startup", "health", "hooks", "history", "stop_deadline")
"""Attributes with a `snapshot` and a `restore` of their own; some are None in most processes."""


def save_process(process: Subprocess) -> dict[str, Any]:
    """Return the state of a process as JSON values."""
    report, tree = process.launch_report, process.tree
    parts = ((name, getattr(process, name)) for name in PARTS)
    return {
        "name": process.name,
        "attributes": {name: getattr(process, name) for name in (*ATTRIBUTES, "laststart")},
        "parts": {name: part.snapshot() for name, part in parts if part is not None},
        "dispatchers": [
            dispatcher.snapshot()
            for dispatcher in process.dispatchers.values()
            if not dispatcher.closed
        ],
        "launch_report": None if report is None else report.snapshot(),
        "has_orphans": process.orphans is not None,
        "tree": None if tree is None else tree.snapshot(),
        "holds_socket": isinstance(process, FastCGISubprocess) and process.holds_socket,
    }


def restore_process(process: Subprocess, saved: Mapping[str, Any]) -> None:
    """Give a process the state that `save_process` has returned; unknown keys are ignored.

    `resume` follows when all processes have been restored.
    """
    for name, value in saved["attributes"].items():
        if name in ATTRIBUTES:
            setattr(process, name, value)
    process.laststart = saved["attributes"].get("laststart", 0.0)
    process.dispatchers = adopt_dispatchers(process, saved.get("dispatchers", ()))
    if saved.get("holds_socket") and isinstance(process, FastCGISubprocess):
        process.hold_socket()
    for name, part in (saved.get("parts") or {}).items():
        if name in PARTS and getattr(process, name) is not None:
            getattr(process, name).restore(part)
    if process.pid and not saved.get("has_orphans"):
        process.runtime.children[process.pid] = process
    report = saved.get("launch_report")
    loop = process.runtime.loop
    if report is not None:
        process.launch_report = LaunchReport(report["fd"], loop, process.exec_succeeded)
        process.launch_report.restore(report)
        return
    for dispatcher in process.dispatchers.values():
        loop.watch(dispatcher)


def resume(process: Subprocess, saved: Mapping[str, Any]) -> None:
    """Set the timers of a process, and go on with a stop that waits for orphans."""
    if saved.get("tree") is not None:
        process.tree = tree_to_stop(process)
        if process.tree is not None:
            process.tree.restore(saved["tree"])
    if saved.get("has_orphans"):
        process.finish(process.pid, process.leader_status)
    process.arm()
    process.changed.notify()


def adopt_child(process: Subprocess, child: Mapping[str, Any]) -> bool:
    """Let a process take over a child of which only pid, start time and pipes are known.

    Return whether it is still a child of this daemon.
    """
    stat = posix.read_stat(child["pid"])
    if stat is None or stat.parent != os.getpid() or stat.started != child["started"]:
        return False
    clock, seconds = process.runtime.clock, age_of(stat)
    process.state, process.pid = ProcessStates.RUNNING, stat.pid
    process.laststart = clock.time() - seconds
    process.started_at = clock.monotonic() - seconds
    process.runtime.children[process.pid] = process
    process.dispatchers = adopt_dispatchers(process, child["pipes"])
    for dispatcher in process.dispatchers.values():
        process.runtime.loop.watch(dispatcher)
    if isinstance(process, FastCGISubprocess) and process.has_open_socket:
        if not process.holds_socket:  # else `restore_process` has failed later than that
            process.hold_socket()
    return True
