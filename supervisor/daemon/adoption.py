"""The adoption of children by a daemon that has executed itself, if their states are lost.

They are known by their pids and start times.  If even these are lost, `find_children` finds them in
/proc by their environment, and their pipes by the inodes of these.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress

from supervisor.common.namespec import make_namespec, split_namespec
from supervisor.common.proc_stat import EXITED_STATES
from supervisor.config.model import EventListenerConfig, ProcessGroupConfig
from supervisor.engine import posix
from supervisor.options import ProcessConfig
from supervisor.process.group_factory import make_group
from supervisor.process.groups import create_auto_logs
from supervisor.process.handover import adopt_child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from supervisor.daemon.whole_daemon import WholeDaemon
    from supervisor.process.child import Subprocess

CHANNELS = (("stdin", 0, os.O_WRONLY), ("stdout", 1, os.O_RDONLY), ("stderr", 2, os.O_RDONLY))
"""Name of each pipe, fd of the child, and access mode of the daemon's end."""

MAX_VARIABLES_BYTES = 2**21

PRIORITY = 999


# -- children without a snapshot --------------------------------------------------------


def find_children() -> list[dict[str, Any]]:
    """Return the running children of this process as `snapshot.head_of` describes them.

    A child without the variables of a program is not one of them, nor is a hook.  Of two with the
    same name, the younger one is the second: an orphan is older than the child of today.
    """
    own_pipes = dict(_own_pipes())
    found = []
    for stat in posix.read_processes():
        if stat is None or stat.parent != os.getpid() or stat.state in EXITED_STATES:
            continue
        name = _name_of(stat.pid)
        if name is not None and stat.pgid == stat.pid:
            pipes = [*_pipes_of(stat.pid, own_pipes)]
            found.append({"name": name, "pid": stat.pid, "started": stat.started, "pipes": pipes})
    return sorted(found, key=lambda child: (not child["pipes"], -child["started"]))


def _name_of(pid: int) -> str | None:
    """Return the name of a child, from the variables with which it was started."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            pairs = os.fsdecode(file.read(MAX_VARIABLES_BYTES)).split("\0")
    except OSError:
        return None
    variables = dict(pair.partition("=")[::2] for pair in pairs)
    group, process = map(variables.get, ("SUPERVISOR_GROUP_NAME", "SUPERVISOR_PROCESS_NAME"))
    if not group or not process or "SUPERVISOR_HOOK" in variables:
        return None
    return make_namespec(group, process)


def _own_pipes() -> Iterator[tuple[tuple[str, int], int]]:
    """Yield ((pipe, access mode), fd) of each pipe of this process."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            pipe = os.readlink(f"/proc/self/fd/{name}")
            if pipe.startswith("pipe:"):
                fd = int(name)
                yield (pipe, fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE), fd


def _pipes_of(pid: int, own_pipes: dict[tuple[str, int], int]) -> Iterator[dict[str, Any]]:
    """Yield the pipes to a child; each of them once, even if it is stdout and stderr."""
    for channel, fd, mode in CHANNELS:
        with suppress(OSError):
            own_fd = own_pipes.pop((os.readlink(f"/proc/{pid}/fd/{fd}"), mode), None)
            if own_fd is not None:
                yield {"channel": channel, "fd": own_fd}


# -- children without a state -----------------------------------------------------------


def add_groups_of_children(
    daemon: WholeDaemon, head: Mapping[str, Any], *, has_state: bool
) -> None:
    """Add the configured groups of children whose groups could not be taken over.

    Without the state of the daemon these are all configured groups.  None of their programs is
    started: it may be running.
    """
    sockets = head.get("fastcgi_sockets") or {}
    names = {split_namespec(child["name"])[0] for child in head["children"]}
    missing = names - daemon.process_groups.keys()
    for config in daemon.options.process_group_configs:
        if config.name in missing or not has_state:
            _add_group(daemon, config, sockets.get(config.name) or {})


def adopt_children(daemon: WholeDaemon, children: Sequence[Mapping[str, Any]]) -> None:
    """Adopt the children that no process has taken over, by pid and start time."""
    logger = daemon.runtime.logger
    for child in children:
        pid, name = child["pid"], child["name"]
        if pid in daemon.runtime.children:
            continue
        process = _process_of(daemon, name) or _make_up_process(daemon, child)
        if process.pid in daemon.runtime.children:
            logger.critical(f"{name} (pid {pid}) is left alone: {name} runs with another pid")
        elif adopt_child(process, child):
            logger.critical(f"{name} (pid {pid}) is adopted by its pid: its state has been lost")
            process.arm()
            if isinstance(process.config, EventListenerConfig):
                logger.critical(f"{name} is stopped: it may wait for an event without end")
                process.signal(process.config.stopsignal)


def _add_group(daemon: WholeDaemon, config: ProcessGroupConfig, opened: Mapping[str, Any]) -> None:
    """Add a group whose programs are not to be started."""
    for process_config in config.process_configs:
        with suppress(OSError):  # a log that is missing is reported when it is opened
            create_auto_logs(process_config, daemon.runtime.settings)
    # Opening the socket for a check would replace the one that the children use.
    group = make_group(config, daemon.runtime, must_open=False, opened=opened or {"fd": None})
    daemon.process_groups[config.name] = group
    for process in group.processes.values():
        process.starts.withdraw()


def _process_of(daemon: WholeDaemon, name: str) -> Subprocess | None:
    group_name, process_name = split_namespec(name)
    group = daemon.process_groups.get(group_name)
    return None if group is None else group.processes.get(process_name or "")


def _make_up_process(daemon: WholeDaemon, child: Mapping[str, Any]) -> Subprocess:
    """Return a process, in a group of its own, for a child that is no longer configured.

    So it can be stopped, and an update removes it.
    """
    group_name, process_name = split_namespec(child["name"])
    name = process_name or group_name
    config = ProcessConfig(
        daemon.options,
        name=name,
        command=_command_of(child["pid"]),
        autostart=False,
        autorestart=False,
    )
    if group_name in daemon.process_groups:
        group_name = child["name"]
    _add_group(daemon, ProcessGroupConfig(group_name, PRIORITY, [config]), {})
    daemon.runtime.services.processes.groups_changed()
    return daemon.process_groups[group_name].processes[name]


def _command_of(pid: int) -> str:
    """Return the command line of a process (proc(5))."""
    import shlex

    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = os.fsdecode(file.read().rstrip(b"\0")).split("\0")
    except OSError:
        return "?"
    return shlex.join(words).replace("%", "%%")
