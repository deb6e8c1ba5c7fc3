"""Structs that describe the daemon and its configuration to RPC clients."""

from __future__ import annotations

from supervisor.common.xmlrpc_codec import capped_int
from supervisor.config.model import ProcessConfig
from supervisor.config.option import options_of
from supervisor.datatypes import Automatic, RestartUnconditionally, RestartWhenExitUnexpected
from supervisor.states import getSupervisorStateDescription

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from supervisor.config.model import ProcessGroupConfig
    from supervisor.datatypes import AutoRestart


def daemon_state(state: int) -> dict[str, Any]:
    """Return the struct of `getState`."""
    return {"statecode": state, "statename": getSupervisorStateDescription(state)}


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
    info["autostart"] = bool(config.autostart)  # `remember` is true
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
