"""Structs that describe processes to all interfaces.

`process_info` is the struct of Supervisor 4, `process_details` the one with everything else.
XML-RPC has no null: 0, "" or [] mean that a value is unknown or does not apply.
"""

from __future__ import annotations

from supervisor.common.xmlrpc_codec import capped_int
from supervisor.config.changes import changed_options
from supervisor.process.description import NO_OUTLOOK, describe, outlook
from supervisor.states import getProcessStateDescription

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from supervisor.config.model import ProcessConfig
    from supervisor.process.child import Subprocess
    from supervisor.process.groups import ProcessGroupBase


Facts: TypeAlias = "tuple[Any, ...]"


def facts(group: ProcessGroupBase, process: Subprocess) -> Facts:
    """Return all values that the struct of a process depends on, except the wall-clock time."""
    config = process.config
    return (
        config.name,
        group.config.name,
        process.laststart,
        process.laststop,
        process.get_state(),
        process.spawnerr,
        process.exitstatus,
        config.stdout.logfile,
        config.stderr.logfile,
        process.pid,
        NO_OUTLOOK if process.is_plain else outlook(process),
    )


def struct(facts: Facts, now: int) -> dict[str, Any]:
    """Return the struct of `getProcessInfo`; times are seconds since the epoch."""
    name, group, start, stop, state, spawnerr, exitstatus, stdout, stderr, pid, ahead = facts
    stdout_logfile = _path(stdout)
    info = {
        "name": name,
        "group": group,
        "start": capped_int(start),
        "stop": capped_int(stop),
        "now": now,
        "state": state,
        "statename": getProcessStateDescription(state),
        "spawnerr": spawnerr or "",
        "exitstatus": exitstatus or 0,
        "logfile": stdout_logfile,
        "stdout_logfile": stdout_logfile,
        "stderr_logfile": _path(stderr),
        "pid": pid,
    }
    info["description"] = describe(info, ahead)
    return info


def process_info(group: ProcessGroupBase, process: Subprocess) -> dict[str, Any]:
    """Return the struct of `getProcessInfo` for the current time."""
    return struct(facts(group, process), capped_int(process.runtime.clock.time()))


def next_start(process: Subprocess) -> float:
    """Return the time of the next start without a request, in wall-clock seconds; 0 if unknown."""
    at, clock = process.starts.next_start_at, process.runtime.clock
    if process.starts.is_queued and process.starts.is_wanted:
        return clock.time()
    return 0.0 if at is None else clock.time() + max(at - clock.monotonic(), 0)


def failing_check(process: Subprocess) -> tuple[str, float]:
    """Return the reason of the failing check of a process, and since when it fails.

    The check is that of its liveness or, until it is ready, of its readiness.  The time is in
    seconds since the epoch; "" and 0 if no check fails.
    """
    for monitor in (process.health, process.startup.readiness):
        if monitor is not None and process.pid and monitor.failing_check[0]:
            return monitor.failing_check
    return "", 0.0


def process_details(
    group: ProcessGroupBase, process: Subprocess, configured: ProcessConfig | None = None
) -> dict[str, Any]:
    """Return the struct of `getProcessDetails` for the current time.

    `configured` is the process in the last configuration that was read, if it is there.  The
    fields of Supervisor 4 have the values of `process_info`; new times are seconds since the
    epoch with fractions.
    """
    config, history = process.config, process.history
    file, line = config.place
    info = process_info(group, process)
    del info["logfile"]
    monitor = process.startup.readiness
    missing = monitor.missing() if monitor is not None and process.pid else []
    health_reason, health_since = failing_check(process)
    return {
        **info,
        "signal": 0 if process.pid else history.last_signal,
        "ready_at": 0.0 if monitor is None else monitor.ready_at,
        "health": "" if process.health is None else process.health.text,
        "health_reason": health_reason,
        "health_since": health_since,
        "hook": "" if process.hooks is None else process.hooks.running,
        "waiting_for": [str(each) for each in process.starts.unmet()] or missing,
        "restarts": history.restarts,
        "next_start": next_start(process),
        "last_exit": history.last_exit(config.exitcodes),
        "starts": history.starts,
        "history": [
            {"at": at, "state": state, "reason": reason}
            for at, state, reason in history.transitions
        ],
        "config_file": file,
        "config_line": line,
        "pending_changes": [] if configured is None else changed_options(config, configured),
    }


def _path(logfile: Any) -> str:
    return logfile if isinstance(logfile, str) else ""
