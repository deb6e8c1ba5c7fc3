"""The state of the whole daemon as JSON values, for the daemon that follows it in the same pid.

docs/reference/snapshot.md describes the keys; `resume` is the other side.
"""

from __future__ import annotations

import os

from supervisor.common.namespec import make_namespec
from supervisor.common.version import VERSION
from supervisor.config import standard_input
from supervisor.config.saved_config import encode_configuration, encode_group
from supervisor.daemon.start import current_directory
from supervisor.engine import posix
from supervisor.http.listening import save_listener
from supervisor.logs import backlog, sinks
from supervisor.process.event_pools import EventListenerPool, serials
from supervisor.process.fastcgi import FastCGIProcessGroup
from supervisor.process.handover import save_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from supervisor.daemon.whole_daemon import WholeDaemon
    from supervisor.process.child import Subprocess
    from supervisor.process.groups import ProcessGroupBase


def head_of(daemon: WholeDaemon) -> dict[str, Any]:
    """Return what every version can read: the running children, their pipes, and the sockets."""
    return {
        "version": VERSION,
        "pid": os.getpid(),
        "children": [
            _child(process)
            for process in _processes(daemon)
            if process.pid and process.orphans is None
        ],
        "listeners": [
            save_listener(config, (server.socket, server.file))
            for config, server in daemon.options.httpservers
        ],
        "fastcgi_sockets": {
            name: group.socket_manager.snapshot()
            for name, group in daemon.process_groups.items()
            if isinstance(group, FastCGIProcessGroup)
        },
    }


def _child(process: Subprocess) -> dict[str, Any]:
    stat = posix.read_stat(process.pid)
    return {
        "name": _name(process),
        "pid": process.pid,
        "started": 0 if stat is None else stat.started,
        "pipes": [
            {"channel": each.channel, "fd": each.fd}
            for each in process.dispatchers.values()
            if not each.closed
        ],
    }


def state_of(daemon: WholeDaemon, signal_mask: list[int]) -> dict[str, Any]:
    """Return the state of a daemon between two iterations of its loop.

    `signal_mask` are the signals that it blocks otherwise.
    """
    options, runtime = daemon.options, daemon.runtime
    groups = [_group(group) for group in daemon.process_groups.values()]
    return {
        "configuration": {
            "file": options.configfile,
            **encode_configuration(options.configuration),
            "scales": options.scales.snapshot(),
            "start_directory": options.start_directory,
            "directory": current_directory(),
            "standard_input": _standard_input(options.configfile),
        },
        "configured": list(configured_groups(daemon)),
        "file_stamps": options.file_stamps,
        "groups": groups,
        "helpers": _helpers(daemon, groups),
        "orphans": runtime.services.orphans.snapshot(lambda pipe: _name(pipe.process)),
        "event_serial": serials.next,
        "logs": _logs(),
        "pidfile": daemon.pidfile.snapshot(),
        "notify_directory": runtime.services.made_notify_directory(),
        "ticks": daemon.ticker.snapshot(),
        "exits": daemon.exits.snapshot(),
        "leftovers": [] if daemon.memory is None else daemon.memory.snapshot(),
        "signals": list(daemon.signals or ()),
        "signal_mask": signal_mask,
        "is_dumpable": posix.is_dumpable(),
    }


def configured_groups(daemon: WholeDaemon) -> Iterator[str | dict[str, Any]]:
    """Yield each group of the configuration as it was last read: its name if it runs like that.

    Raises `ValueError` if a plugin has put something into a config that cannot be saved.
    """
    for config in daemon.options.process_group_configs:
        group = daemon.process_groups.get(config.name)
        is_running = group is not None and (group.config is config or group.config == config)
        yield config.name if is_running else encode_group(config)


def _standard_input(file: str | None) -> dict[str, Any] | None:
    return standard_input.snapshot() if file == standard_input.NAME else None


def _group(group: ProcessGroupBase) -> dict[str, Any]:
    saved: dict[str, Any] = {
        "name": group.config.name,
        "config": encode_group(group.config),
        "processes": list(map(save_process, group.processes.values())),
    }
    if isinstance(group, EventListenerPool):
        saved["pool"] = group.snapshot()
    return saved


def _helpers(daemon: WholeDaemon, groups: Iterable[Any]) -> list[int]:
    """Return the pids of the helpers that the next daemon ends: all but hooks."""
    known = {process.pid for process in _processes(daemon)}
    for group in groups:
        for process in group["processes"]:
            running = (process["parts"].get("hooks") or {}).get("running")
            if running is not None:
                known.add(running["pid"])
    return [pid for pid in daemon.runtime.children if pid not in known]


def _logs() -> dict[str, Any]:
    from supervisor.logs import copies, syslog_target

    saved = sinks.snapshot()
    return {
        "sinks": saved,
        "backlogs": backlog.snapshot(but=[each["fd"] for each in saved]),
        "copies": copies.snapshot(),
        "syslog": syslog_target.snapshot(),
    }


def _processes(daemon: WholeDaemon) -> Iterator[Subprocess]:
    for group in daemon.process_groups.values():
        yield from group.processes.values()


def _name(process: Any) -> str:
    return make_namespec(process.group_name, process.name)
