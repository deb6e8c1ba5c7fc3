"""Commands about the configuration: reread, avail, add, remove, update.

Part of `default.DefaultControllerPlugin`.
"""

from __future__ import annotations

import time

from supervisor.client import proxy
from supervisor.common.faults import Faults
from supervisor.common.namespec import make_namespec
from supervisor.supervisorctl.results import LSBInitExitStatuses
from supervisor.supervisorctl.server_commands import ServerCommands

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

STOP_POLL_SECONDS = 0.1
"""Pause between two attempts to remove a group that another client is stopping."""

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
UPDATE_FAULTS = {Faults.SHUTDOWN_STATE: "ERROR: already shutting down"}


class ConfigCommands(ServerCommands):
    """The commands about the configuration."""

    def _ask_daemon(self, texts: Mapping[int, str], method: Callable[..., Any], *args: str) -> Any:
        """Return the result of a method, or None after a fault that `texts` contains."""
        try:
            return method(*args)
        except proxy.Fault as fault:
            text = texts.get(fault.faultCode)
            if fault.faultCode == Faults.CANT_REREAD:
                text = f"ERROR: {fault.faultString}"
            if text is None:
                raise
            self.ctl.output(text.format(*args) if args else text)
            if fault.faultCode != Faults.ALREADY_ADDED:
                self.ctl.exitstatus = LSBInitExitStatuses.GENERIC
            return None

    def do_reread(self, arg: str) -> None:
        """Make the daemon read the configuration, and print the changes."""
        if not self._takes_no_arguments("reread", arg):
            return
        found = self._ask_daemon(READ_FAULTS, self.ctl.get_supervisor().reloadConfig)
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
            self.ctl.output("No config updates to processes")

    def help_reread(self) -> None:
        """Print the help of `reread`."""
        self.ctl.output("reread \t\t\tRead the configuration, and only list the changes")

    def do_avail(self, arg: str) -> None:
        """Print all configured processes."""
        if not self._takes_no_arguments("avail", arg):
            return
        infos = self._ask_daemon(READ_FAULTS, self.ctl.get_supervisor().getAllConfigInfo)
        if infos:
            self.ctl.output("\n".join(map(_avail_line, infos)))

    def help_avail(self) -> None:
        """Print the help of `avail`."""
        self.ctl.output("avail\t\t\tShow all configured processes")

    def do_add(self, arg: str) -> None:
        """Activate configured groups."""
        supervisor = self.ctl.get_supervisor()
        for name in arg.split():
            if self._ask_daemon(ADD_FAULTS, supervisor.addProcessGroup, name) is not None:
                self.ctl.output(f"{name}: added process group")

    def help_add(self) -> None:
        """Print the help of `add`."""
        self.ctl.output("add <name> [...]\tActivate a configured process or group")

    def do_remove(self, arg: str) -> None:
        """Deactivate stopped groups."""
        supervisor = self.ctl.get_supervisor()
        for name in arg.split():
            if self._ask_daemon(REMOVE_FAULTS, supervisor.removeProcessGroup, name) is not None:
                self.ctl.output(f"{name}: removed process group")

    def help_remove(self) -> None:
        """Print the help of `remove`."""
        self.ctl.output("remove <name> [...]\tDeactivate a stopped process or group")

    def do_update(self, arg: str) -> None:
        """Apply the changes of the configuration: remove, replace and add groups."""
        supervisor = self.ctl.get_supervisor()
        found = self._ask_daemon(UPDATE_FAULTS, supervisor.reloadConfig)
        if found is None:
            return
        ((added, changed, removed),) = found
        names = arg.split()
        if not names or "all" in names:
            wanted = {*added, *changed, *removed}
        else:
            wanted = set(names)
            self._complain_of_unknown(supervisor, names, added)
        steps = ((self._remove_group, removed), (self._change_group, changed))
        for step, groups in (*steps, (self._add_group, added)):
            for name in groups:
                if name in wanted:
                    self._try_step(step, supervisor, name)

    def _complain_of_unknown(
        self, supervisor: Any, names: Sequence[str], added: Sequence[str]
    ) -> None:
        known = {info["group"] for info in supervisor.getAllProcessInfo()} | set(added)
        for name in names:
            if name not in known:
                self.ctl.output(f"ERROR: no such group: {name}")
                self.ctl.exitstatus = LSBInitExitStatuses.GENERIC

    def _try_step(self, step: Callable[[Any, str], None], supervisor: Any, name: str) -> None:
        """Update one group; a fault is reported and does not skip the other groups.

        Another client may have removed or added the group in the meantime.
        """
        try:
            step(supervisor, name)
        except proxy.Fault as fault:
            if fault.faultCode == Faults.SHUTDOWN_STATE:
                raise
            self.ctl.output(f"{name}: ERROR ({fault.faultString})")
            self.ctl.exitstatus = LSBInitExitStatuses.GENERIC

    def _remove_group(self, supervisor: Any, name: str) -> None:
        if self._stop_and_remove(supervisor, name):
            self.ctl.output(f"{name}: removed process group")

    def _change_group(self, supervisor: Any, name: str) -> None:
        if self._stop_and_remove(supervisor, name):
            supervisor.addProcessGroup(name)
            self.ctl.output(f"{name}: updated process group")

    def _add_group(self, supervisor: Any, name: str) -> None:
        supervisor.addProcessGroup(name)
        self.ctl.output(f"{name}: added process group")

    def _stop_and_remove(self, supervisor: Any, name: str) -> bool:
        """Stop a group and remove it; return whether its processes could be stopped.

        The daemon does not wait for processes that another client is stopping, so removal is
        retried while it reports that some are still running.
        """
        while True:
            results = supervisor.stopProcessGroup(name)
            if any(result["status"] == Faults.FAILED for result in results):
                self.ctl.output(f"{name}: stopped")
                self.ctl.output(f"{name}: has problems; not removing")
                return False
            try:
                supervisor.removeProcessGroup(name)
            except proxy.Fault as fault:
                if fault.faultCode != Faults.STILL_RUNNING:
                    raise
                time.sleep(STOP_POLL_SECONDS)
            else:
                self.ctl.output(f"{name}: stopped")
                return True

    def help_update(self) -> None:
        """Print the help of `update`."""
        for names in ("\t\t", " all\t"):
            self.ctl.output(
                f"update{names}\tRead the configuration; add, remove and restart changed groups"
            )
        self.ctl.output("update <gname> [...]\tThe same, for these groups only")


def _avail_line(info: Mapping[str, Any]) -> str:
    name = make_namespec(info["group"], info["name"])
    use = "in use" if info["inuse"] else "avail"
    start = "auto" if info["autostart"] else "manual"
    return f"{name:<32} {use:<9} {start:<9} {info['group_prio']}:{info['process_prio']}"
