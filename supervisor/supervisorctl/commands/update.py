"""The command that applies the configuration: update."""

from __future__ import annotations

import time

from supervisor.client import proxy
from supervisor.common.faults import Faults
from supervisor.common.namespec import is_pattern
from supervisor.supervisorctl.commands import STOP_POLL_SECONDS, CommandGroup

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Sequence
    from typing import Any

# Fault -> the line to print.
UPDATE_FAULTS = {Faults.SHUTDOWN_STATE: "ERROR: already shutting down"}


class UpdateCommands(CommandGroup):
    """The command `update`."""

    def do_update(self, arg: str) -> None:
        """Apply the changes of the configuration: remove, replace and add groups."""
        supervisor = self.ctl.get_supervisor()
        found = self._call_or_report(UPDATE_FAULTS, supervisor.reloadConfig)
        if found is None:
            return
        ((added, changed, removed),) = found
        names = arg.split()
        if not names or "all" in names:
            wanted = {*added, *changed, *removed}
        else:
            known = {info["group"] for info in supervisor.getAllProcessInfo()} | set(added)
            wanted = self._wanted(names, known)
        steps = ((self._remove_group, removed), (self._change_group, changed))
        for step, groups in (*steps, (self._add_group, added)):
            for name in groups:
                if name in wanted:
                    self._try_step(step, supervisor, name)

    def _wanted(self, names: Sequence[str], known: set[str]) -> set[str]:
        """Return the groups that names and patterns mean; report those that are unknown."""
        if any(map(is_pattern, names)):
            from supervisor.supervisorctl.patterns import expand_groups

            names = expand_groups(names, sorted(known))
        for name in names:
            if name not in known:
                self._fail(f"ERROR: no such group: {name}")
                self.ctl.hint(lambda hints: hints.for_unknown_word(name, known))  # noqa: B023 - called at once
        return set(names)

    def _try_step(self, step: Callable[[Any, str], None], supervisor: Any, name: str) -> None:
        """Update one group; a fault is reported and does not skip the other groups.

        Another client may have removed or added the group in the meantime.
        """
        try:
            step(supervisor, name)
        except proxy.Fault as fault:
            if fault.faultCode == Faults.SHUTDOWN_STATE:
                raise
            self._fail(f"{name}: ERROR ({fault.faultString})")

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
