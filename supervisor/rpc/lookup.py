"""Lookup of groups and processes by the names that clients send."""

from __future__ import annotations

from supervisor.common.faults import Faults, RPCError
from supervisor.common.namespec import split_namespec
from supervisor.config.model import EventListenerConfig
from supervisor.config.process_config import full_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.process.child import Subprocess
    from supervisor.process.daemon_protocol import Daemon
    from supervisor.process.groups import ProcessGroupBase

Member = tuple["ProcessGroupBase", "Subprocess"]


def find_group(daemon: Daemon, name: str) -> ProcessGroupBase:
    """Return a group; raises `RPCError` BAD_NAME, or `TypeError` for an array or struct."""
    group = daemon.process_groups.get(name)
    if group is None:
        raise RPCError(Faults.BAD_NAME, name)
    return group


def find(daemon: Daemon, name: str) -> tuple[ProcessGroupBase, Subprocess | None]:
    """Return the group and process that a namespec names; None as the process of `group:*`.

    Raises `RPCError` BAD_NAME.
    """
    group_name, process_name = split_namespec(_text(name))
    group = daemon.process_groups.get(group_name)
    if group is None:
        raise RPCError(Faults.BAD_NAME, name)
    if process_name is None:
        return group, None
    process = group.processes.get(process_name)
    if process is None:
        raise RPCError(Faults.BAD_NAME, name)
    return group, process


def find_process(daemon: Daemon, name: str) -> Subprocess:
    """Return the single process that a namespec names; raises `RPCError` BAD_NAME."""
    process = find(daemon, name)[1]
    if process is None:
        raise RPCError(Faults.BAD_NAME, name)
    return process


def members(groups: list[ProcessGroupBase], *, by_name: bool = False) -> list[Member]:
    """Return all processes of groups, sorted by priority or by name."""
    if by_name:
        return [
            (group, group.processes[name])
            for group in sorted(groups, key=lambda group: group.config.name)
            for name in sorted(group.processes)
        ]
    return [
        (group, process) for group in sorted(groups) for process in sorted(group.processes.values())
    ]


def essential_members(every: list[Member]) -> list[Member]:
    """Return the processes of essential programs, or all but event listeners if there are none."""
    found = [member for member in every if full_config(member[1].config).essential]
    return found or [
        member for member in every if not isinstance(member[1].config, EventListenerConfig)
    ]


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise RPCError(Faults.BAD_NAME, name)
    return name
