"""Commands that show processes: status, health, pid."""

from __future__ import annotations

from supervisor.client import proxy
from supervisor.client.terminal import coloured, display_width, uses_colours
from supervisor.common.faults import Faults
from supervisor.common.namespec import make_namespec
from supervisor.states import STOPPED_STATES, ProcessStates
from supervisor.supervisorctl.commands import CommandGroup
from supervisor.supervisorctl.flags import Flag, FlagTable, seconds
from supervisor.supervisorctl.results import LSBInitExitStatuses, LSBStatusExitStatuses, matches

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Iterator, Mapping, Sequence
    from typing import IO, Any

    from supervisor.supervisorctl.controller import Controller
    from supervisor.supervisorctl.flags import Arguments

    Info = Mapping[str, Any]

MIN_NAME_COLUMNS = 30

JSON, VERBOSE, USAGE, WATCH = "--json", "-v", "--usage", "--watch"

SIZE_UNITS = ("bytes", "KB", "MB", "GB", "TB")

WATCH_SECONDS = 2.0
"""Default interval of --watch, in seconds."""


class StatusCommands(CommandGroup):
    """The commands that show processes."""

    flags_status = FlagTable(
        Flag(JSON, help="Print a JSON array with all details", machine_readable=True),
        Flag(VERBOSE, "--verbose", help="Also show since when, the last exit and what comes next"),
        Flag(USAGE, help="Also show the use of CPU and memory, with that of descendants"),
        Flag(
            WATCH,
            help="Show changes until Ctrl-C",
            value="SECONDS",
            convert=seconds,
            implied=WATCH_SECONDS,
        ),
        unknown_is_name=True,
    )

    def do_status(self, arg: str) -> None:
        """Print name, state and description of processes."""
        given = self._parse("status", arg)
        if given is None:
            return
        if not self.ctl.upcheck():
            self.ctl.exitstatus = LSBStatusExitStatuses.UNKNOWN
            return
        view = StatusView(self.ctl, given)
        infos = self._selected(view.query(), given.names)
        if given[WATCH] is not None and (infos or not given.names):
            from supervisor.supervisorctl.watching import watch

            watch(self.ctl, view, given[WATCH])
            return
        lines = view.lines(infos)
        if given[JSON]:
            self.ctl.print_result(*lines)
        elif lines:
            self.ctl.output("\n".join(lines))
        # Last, so that it takes precedence over an unknown name.
        if any(info["state"] in STOPPED_STATES for info in infos):
            self.ctl.exitstatus = LSBStatusExitStatuses.NOT_RUNNING

    def help_status(self) -> None:
        """Print the help of `status`."""
        self.ctl.output("status <name>\t\tShow the state of one process")
        self.ctl.output("status <gname>:*\tShow the states of a group's processes")
        self.ctl.output("status <name> <name>\tShow the states of several processes")
        self.ctl.output("status\t\t\tShow the states of all processes")

    def do_health(self, arg: str) -> None:
        """Print the essential processes that are not RUNNING.

        The exit status is 0 or 1, because a HEALTHCHECK of docker(1) may have no other.
        """
        if not self._takes_no_arguments("health", arg):
            return
        if not self.ctl.upcheck():
            self.ctl.exitstatus = LSBInitExitStatuses.GENERIC
            return
        supervisor = self.ctl.get_supervisor()
        try:
            infos = supervisor.getEssentialProcessInfo()
        except proxy.Fault as fault:
            if fault.faultCode != Faults.UNKNOWN_METHOD:
                raise
            infos = supervisor.getAllProcessInfo()  # the server is older
        unhealthy = [info for info in infos if info["state"] != ProcessStates.RUNNING]
        if unhealthy:
            self.ctl.output("\n".join(status_lines(self.ctl.stdout, unhealthy)))
            self.ctl.exitstatus = LSBInitExitStatuses.GENERIC

    def help_health(self) -> None:
        """Print the help of `health`."""
        self.ctl.output(
            "health\t\t\tShow the essential processes that are not RUNNING (all programs,"
        )
        self.ctl.output("\t\t\tif none is essential); exit with 1 if there are any, else with 0")

    def do_pid(self, arg: str) -> None:
        """Print the pid of the daemon or of processes."""
        if not self.ctl.upcheck():
            return
        supervisor = self.ctl.get_supervisor()
        names = arg.split()
        if not names:
            self.ctl.output(supervisor.getPID())
        elif "all" in names:
            for info in supervisor.getAllProcessInfo():
                self.ctl.output(info["pid"])
        else:
            for name in self._expanded(names):
                self._show_pid(supervisor, name)

    def _show_pid(self, supervisor: Any, name: str) -> None:
        try:
            info = supervisor.getProcessInfo(name)
        except proxy.Fault as fault:
            if fault.faultCode != Faults.BAD_NAME:
                raise
            self.ctl.output(f"No such process {name}")
            self.ctl.exitstatus = LSBInitExitStatuses.GENERIC
            self._hint_for_name(name)
            return
        self.ctl.output(info["pid"])
        if info["pid"] == 0:
            self.ctl.exitstatus = LSBInitExitStatuses.NOT_RUNNING

    def help_pid(self) -> None:
        """Print the help of `pid`."""
        self.ctl.output("pid\t\t\tShow the pid of supervisord")
        self.ctl.output("pid <name>\t\tShow the pid of one process, 0 if it is not running")
        self.ctl.output("pid all\t\t\tShow the pid of every process, one per line")


class StatusView:
    """Queries processes and shows them as the flags of `status` require."""

    def __init__(self, ctl: Controller, given: Arguments) -> None:
        self._ctl = ctl
        self._names = given.names
        self._is_verbose: bool = given[VERBOSE]
        self._has_usage: bool = given[USAGE]
        self.is_json: bool = given[JSON]

    def query(self) -> list[dict[str, Any]]:
        """Return the structs of all processes, with details if the flags require these.

        A server without details, such as Supervisor 4.3, returns the structs that it has.
        """
        supervisor = self._ctl.get_supervisor()
        infos: list[dict[str, Any]]
        if self.is_json or self._is_verbose or self._has_usage:
            try:
                infos = supervisor.getAllProcessDetails(*[True] * self._has_usage)
            except proxy.Fault as fault:
                if fault.faultCode != Faults.UNKNOWN_METHOD:
                    raise
            else:
                return infos
        infos = supervisor.getAllProcessInfo()
        return infos

    def query_again(self) -> list[dict[str, Any]]:
        """Return the structs of the processes to show; unknown names are not reported again."""
        infos = self.query()
        if not self._names or "all" in self._names:
            return infos
        from supervisor.supervisorctl.patterns import expand

        names = expand(self._names, infos)
        return [info for name in names for info in infos if matches(info, name)]

    def lines(self, infos: Sequence[Info]) -> list[str]:
        """Return the lines to show: as JSON, one line with an array."""
        return (
            [as_json(infos)]
            if self.is_json
            else list(status_lines(self._ctl.stdout, infos, is_verbose=self._is_verbose))
        )


def as_json(infos: Sequence[Info]) -> str:
    """Return structs as a JSON array, without `logfile`, another name of `stdout_logfile`."""
    import json

    structs = [{key: value for key, value in info.items() if key != "logfile"} for info in infos]
    return json.dumps(structs, ensure_ascii=False)


def status_lines(
    stdout: IO[str], infos: Sequence[Info], *, is_verbose: bool = False
) -> Iterator[str]:
    """Yield the lines of `status` for processes, in colours if they go to a terminal."""
    has_colours = uses_colours(stdout)
    if has_colours:
        from supervisor.supervisorctl.colours import STATE_COLOURS
    if is_verbose:
        from supervisor.supervisorctl.commands.explain import summary
    names = [make_namespec(info["group"], info["name"]) for info in infos]
    width = max([MIN_NAME_COLUMNS, *map(display_width, names)]) + 3
    for name, info in zip(names, infos, strict=True):
        state = f"{info['statename']:<10}"
        if has_colours:
            state = coloured(state, STATE_COLOURS.get(info["statename"], ""))
        description = f"{info['description']}{usage_text(info)}"
        yield f"{name}{' ' * (width - display_width(name))}{state}{description}"
        if is_verbose:
            yield from (f"  {sentence}" for sentence in summary(info))


def usage_text(info: Info) -> str:
    """Return the use of CPU and memory as a further part of a description, "" if unknown."""
    count = info.get("processes", 0)
    if not count:
        return ""
    processes = "1 process" if count == 1 else f"{count} processes"
    return (
        f", cpu {info['cpu_percent']:.1f}%, memory {size_text(info['memory_bytes'])}, {processes}"
    )


def size_text(size: float) -> str:
    """Return a size in bytes as users read it: `34.1 MB`, with 1024 bytes in a KB."""
    unit = min(max(int(size).bit_length() - 1, 0) // 10, len(SIZE_UNITS) - 1)
    return f"{size / 1024**unit:.{1 if unit else 0}f} {SIZE_UNITS[unit]}"
