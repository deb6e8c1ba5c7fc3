"""Commands about the configuration: reread, avail, add, remove."""

from __future__ import annotations

from supervisor.common.faults import Faults
from supervisor.common.namespec import is_pattern, make_namespec
from supervisor.supervisorctl.commands import CommandGroup
from supervisor.supervisorctl.results import NO_CONFIG_UPDATES

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

# Fault -> the line to print; {} is the name of the group.
ADD_FAULTS = {
    Faults.SHUTDOWN_STATE: "ERROR: shutting down",
    Faults.ALREADY_ADDED: "ERROR: process group already active",
    Faults.BAD_NAME: "ERROR: no such process/group: {}",
}
REMOVE_FAULTS = {
    Faults.SHUTDOWN_STATE: "ERROR: shutting down",
    Faults.STILL_RUNNING: "ERROR: process/group still running: {}",
    Faults.BAD_NAME: "ERROR: no such process/group: {}",
}
READ_FAULTS = {Faults.SHUTDOWN_STATE: "ERROR: supervisor shutting down"}


class ConfigCommands(CommandGroup):
    """The commands about the configuration."""

    def do_reread(self, arg: str) -> None:
        """Make the daemon read the configuration, and print the changes."""
        if not self._takes_no_arguments("reread", arg):
            return
        found = self._call_or_report(READ_FAULTS, self.ctl.get_supervisor().reloadConfig)
        if found is not None:
            ((added, changed, removed),) = found
            self._show_changes(added, changed, removed)

    def _show_changes(
        self, added: Sequence[str], changed: Sequence[str], removed: Sequence[str]
    ) -> None:
        changes = {
            **dict.fromkeys(added, "available"),
            **dict.fromkeys(changed, "changed"),
            **dict.fromkeys(removed, "disappeared"),
        }
        for name, change in sorted(changes.items()):
            self.ctl.output(f"{name}: {change}")
        if not changes:
            self.ctl.output(NO_CONFIG_UPDATES)

    def help_reread(self) -> None:
        """Print the help of `reread`."""
        self.ctl.output("reread \t\t\tRead the configuration, and only list the changes")

    def do_avail(self, arg: str) -> None:
        """Print all configured processes."""
        if not self._takes_no_arguments("avail", arg):
            return
        infos = self._call_or_report(READ_FAULTS, self.ctl.get_supervisor().getAllConfigInfo)
        if infos:
            self.ctl.output("\n".join(map(_avail_line, infos)))

    def help_avail(self) -> None:
        """Print the help of `avail`."""
        self.ctl.output("avail\t\t\tShow all configured processes")

    def do_add(self, arg: str) -> None:
        """Activate configured groups."""
        supervisor = self.ctl.get_supervisor()
        for name in self._groups(arg, self._inactive_groups):
            if self._call_or_report(ADD_FAULTS, supervisor.addProcessGroup, name) is not None:
                self.ctl.output(f"{name}: added process group")

    def _inactive_groups(self) -> list[str]:
        """Return the groups that `add` may activate."""
        infos = self.ctl.get_supervisor().getAllConfigInfo()
        return [info["group"] for info in infos if not info["inuse"]]

    def _active_groups(self) -> list[str]:
        """Return the groups that `remove` may deactivate."""
        return [info["group"] for info in self.ctl.get_supervisor().getAllProcessInfo()]

    @staticmethod
    def _groups(arg: str, known: Callable[[], list[str]]) -> list[str]:
        """Return the groups that the words of `arg` mean; `known` queries the daemon."""
        names = arg.split()
        if not any(map(is_pattern, names)):
            return names
        from supervisor.supervisorctl.patterns import expand_groups

        return expand_groups(names, known())

    def help_add(self) -> None:
        """Print the help of `add`."""
        self.ctl.output("add <name> [...]\tActivate a configured process or group")

    def do_remove(self, arg: str) -> None:
        """Deactivate stopped groups."""
        supervisor = self.ctl.get_supervisor()
        for name in self._groups(arg, self._active_groups):
            if self._call_or_report(REMOVE_FAULTS, supervisor.removeProcessGroup, name) is not None:
                self.ctl.output(f"{name}: removed process group")

    def help_remove(self) -> None:
        """Print the help of `remove`."""
        self.ctl.output("remove <name> [...]\tDeactivate a stopped process or group")


def _avail_line(info: Mapping[str, Any]) -> str:
    name = make_namespec(info["group"], info["name"])
    use = "in use" if info["inuse"] else "avail"
    start = "auto" if info["autostart"] else "manual"
    return f"{name:<32} {use:<9} {start:<9} {info['group_prio']}:{info['process_prio']}"
