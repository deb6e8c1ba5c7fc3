"""Commands that show processes: status, health, pid."""

from __future__ import annotations

from supervisor.client import proxy
from supervisor.client.terminal import display_width
from supervisor.common.faults import Faults
from supervisor.common.namespec import make_namespec
from supervisor.states import STOPPED_STATES, ProcessStates
from supervisor.supervisorctl.commands import CommandGroup
from supervisor.supervisorctl.results import LSBInitExitStatuses, LSBStatusExitStatuses

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Mapping, Sequence
    from typing import Any

    Info = Mapping[str, Any]

MIN_NAME_COLUMNS = 30


class StatusCommands(CommandGroup):
    """The commands that show processes."""

    def do_status(self, arg: str) -> None:
        """Print name, state and description of processes."""
        if not self.ctl.upcheck():
            self.ctl.exitstatus = LSBStatusExitStatuses.UNKNOWN
            return
        every = infos = self.ctl.get_supervisor().getAllProcessInfo()
        names = arg.split()
        if names and "all" not in names:
            infos = [info for name in names for info in self._matching(every, name)]
        self._show_statuses(infos)
        # Last, so that it takes precedence over an unknown name.
        if any(info["state"] in STOPPED_STATES for info in infos):
            self.ctl.exitstatus = LSBStatusExitStatuses.NOT_RUNNING

    def _show_statuses(self, infos: Sequence[Info]) -> None:
        names = [make_namespec(info["group"], info["name"]) for info in infos]
        width = max([MIN_NAME_COLUMNS, *map(display_width, names)]) + 3
        lines = [
            f"{name}{' ' * (width - display_width(name))}"
            f"{info['statename']:<10}{info['description']}"
            for name, info in zip(names, infos, strict=True)
        ]
        if lines:
            self.ctl.output("\n".join(lines))

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
        self._show_statuses(unhealthy)
        if unhealthy:
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
            for name in names:
                self._show_pid(supervisor, name)

    def _show_pid(self, supervisor: Any, name: str) -> None:
        try:
            info = supervisor.getProcessInfo(name)
        except proxy.Fault as fault:
            if fault.faultCode != Faults.BAD_NAME:
                raise
            self.ctl.output(f"No such process {name}")
            self.ctl.exitstatus = LSBInitExitStatuses.GENERIC
            return
        self.ctl.output(info["pid"])
        if info["pid"] == 0:
            self.ctl.exitstatus = LSBInitExitStatuses.NOT_RUNNING

    def help_pid(self) -> None:
        """Print the help of `pid`."""
        self.ctl.output("pid\t\t\tShow the pid of supervisord")
        self.ctl.output("pid <name>\t\tShow the pid of one process, 0 if it is not running")
        self.ctl.output("pid all\t\t\tShow the pid of every process, one per line")
