"""Structs that describe processes and configurations to RPC clients."""

from __future__ import annotations

from supervisor.common.xmlrpc_codec import MAX_INT, MIN_INT
from supervisor.config.model import ProcessConfig
from supervisor.config.option import options_of
from supervisor.datatypes import Automatic, RestartUnconditionally, RestartWhenExitUnexpected
from supervisor.process.description import NO_OUTLOOK, describe, outlook
from supervisor.states import getProcessStateDescription, getSupervisorStateDescription

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from supervisor.config.model import ProcessGroupConfig
    from supervisor.datatypes import AutoRestart
    from supervisor.process.child import Subprocess
    from supervisor.process.groups import ProcessGroupBase


def capped_int(value: float) -> int:
    """Return a number as an XML-RPC integer: truncated, and clamped to 32 bits."""
    return max(MIN_INT, min(MAX_INT, int(value)))


def daemon_state(state: int) -> dict[str, Any]:
    """Return the struct of `getState`."""
    return {"statecode": state, "statename": getSupervisorStateDescription(state)}


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
        NO_OUTLOOK if process.starts.is_plain else outlook(process),
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


# Fields of a `getAllConfigInfo` struct: key -> the attribute of the process config.  The keys, and
# their order, are those of Supervisor 4.3.
CONFIG_FIELDS = {
    "process_prio" if row.attribute == "priority" else row.attribute: row.attribute
    for row in sorted(
        (row for row in options_of(ProcessConfig) if row.info is not None),
        key=lambda row: row.info or 0,
    )
}


def config_info(group: ProcessGroupConfig, config: ProcessConfig, *, inuse: bool) -> dict[str, Any]:
    """Return one struct of `getAllConfigInfo`."""
    info: dict[str, Any] = {
        "group": group.name,
        "group_prio": _value(group.priority),
        "inuse": inuse,
    }
    for key, attribute in CONFIG_FIELDS.items():
        info[key] = _value(getattr(config, attribute))
    info["autorestart"] = _autorestart(config.autorestart)
    return info


def _autorestart(value: AutoRestart) -> bool | str:
    if value is RestartUnconditionally:
        return True
    return "unexpected" if value is RestartWhenExitUnexpected else False


def _value(value: Any) -> Any:
    if value is None:
        return "none"  # XML-RPC has no null
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return capped_int(value)
    if isinstance(value, list):
        return [_value(each) for each in value]
    return "auto" if value is Automatic else str(value)


def _path(logfile: Any) -> str:
    return logfile if isinstance(logfile, str) else ""
