"""The commands that apply the configuration or a number of processes: update, scale."""

from __future__ import annotations

import time

from supervisor.client import proxy
from supervisor.common.faults import Faults, getFaultDescription
from supervisor.common.namespec import is_pattern, make_namespec
from supervisor.supervisorctl.commands import STOP_POLL_SECONDS, CommandGroup
from supervisor.supervisorctl.flags import Flag, FlagTable
from supervisor.supervisorctl.results import NO_CONFIG_UPDATES

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    Step = Mapping[str, Any]

# Fault -> the line to print.
UPDATE_FAULTS = {Faults.SHUTDOWN_STATE: "ERROR: already shutting down"}

PLAN, MINIMAL, AS_JSON = "--plan", "--minimal", "--json"

# Fault -> the line to print; {} is the text of the fault.
SCALE_FAULTS = {
    Faults.BAD_NAME: "ERROR (no such program)",
    Faults.CANT_REREAD: "ERROR ({})",
    Faults.FAILED: "ERROR ({})",
    Faults.INCORRECT_PARAMETERS: "ERROR ({})",
}
SCALE_ARGUMENTS = 2

MARKS = {"add": "+", "remove": "-", "restart": "~", "apply": "="}
DONE = {"add": "added", "remove": "removed", "restart": "restarted", "apply": "changed"}

CHANGES_STATUS = 2
"""Exit status of a plan that has steps."""


class UpdateCommands(CommandGroup):
    """The commands `update` and `scale`."""

    flags_update = FlagTable(
        Flag(PLAN, help="Read the configuration, and only show the steps of a minimal update"),
        Flag(MINIMAL, help="Restart only the processes for which --plan shows a restart"),
        Flag(AS_JSON, help="With --plan: print the steps as JSON", machine_readable=True),
        unknown_is_name=True,
    )

    def do_update(self, arg: str) -> None:
        """Apply the changes of the configuration: remove, replace and add groups."""
        given = self._parse("update", arg)
        if given is None:
            return
        if given[PLAN]:
            self._show_plan(given.names, as_json=given[AS_JSON])
        elif given[MINIMAL] and not given[AS_JSON]:
            self._apply_plan(given.names)
        elif given[AS_JSON]:
            self._refuse(f"Error: {AS_JSON} requires {PLAN}", "update")
        else:
            self._update(given.names)

    def _update(self, names: Sequence[str]) -> None:
        supervisor = self.ctl.get_supervisor()
        found = self._call_or_report(UPDATE_FAULTS, supervisor.reloadConfig)
        if found is None:
            return
        ((added, changed, removed),) = found
        if not names or "all" in names:
            wanted = {*added, *changed, *removed}
        else:
            wanted = self._wanted(names, _known(supervisor, added))
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

    # -- plans ------------------------------------------------------------------

    def _plan(self, names: Sequence[str]) -> tuple[str, list[Step]] | None:
        """Return the id of a new plan, and its steps for some groups; None after an error."""
        supervisor = self.ctl.get_supervisor()
        plan = self._call_or_report(UPDATE_FAULTS, supervisor.planUpdate)
        if plan is None:
            return None
        steps = plan["steps"]
        if names and "all" not in names:
            added = [step["group"] for step in steps]
            wanted = self._wanted(names, _known(supervisor, added))
            steps = [step for step in steps if step["group"] in wanted]
        return plan["id"], steps

    def _show_plan(self, names: Sequence[str], *, as_json: bool) -> None:
        """Print the steps; the exit status tells whether there are any."""
        found = self._plan(names)
        if found is None:
            return
        plan_id, steps = found
        if as_json:
            import json

            self.ctl.print_result(json.dumps({"id": plan_id, "steps": steps}))
        else:
            self.ctl.output("\n".join(map(step_line, steps)) or NO_CONFIG_UPDATES)
        if steps and not self.ctl.exitstatus:
            self.ctl.exitstatus = CHANGES_STATUS

    def _apply_plan(self, names: Sequence[str]) -> None:
        """Apply the steps, and print the result of each."""
        found = self._plan(names)
        if found is None:
            return
        plan_id, steps = found
        if not steps:
            self.ctl.output(NO_CONFIG_UPDATES)
            return
        changes = {(step["group"], step["name"]): changes_text(step) for step in steps}
        groups = sorted({step["group"] for step in steps})
        supervisor = self.ctl.get_supervisor()
        try:
            results = supervisor.applyUpdate(plan_id, groups)
        except proxy.Fault as fault:
            if fault.faultCode != Faults.FAILED:
                raise
            self._fail(f"ERROR: {fault.faultString}")
            return
        self._show_results(results, changes)

    def _show_results(
        self, results: Sequence[Step], changes: Mapping[tuple[str, str], str]
    ) -> None:
        """Print the result of each step, with the text of its changes, if any."""
        for result in results:
            name = make_namespec(result["group"], result["name"])
            if result["status"] != Faults.SUCCESS:
                self._fail(f"{name}: ERROR ({result['description']})")
                continue
            text = changes.get((result["group"], result["name"]))
            done = DONE[result["action"]]
            self.ctl.output(f"{name}: {done} ({text})" if text else f"{name}: {done}")

    def help_update(self) -> None:
        """Print the help of `update`."""
        for names in ("\t\t", " all\t"):
            self.ctl.output(
                f"update{names}\tRead the configuration; add, remove and restart changed groups"
            )
        self.ctl.output("update <gname> [...]\tThe same, for these groups only")

    # -- scale ------------------------------------------------------------------

    def do_scale(self, arg: str) -> None:
        """Change the number of processes of a program."""
        words = arg.split()
        if len(words) != SCALE_ARGUMENTS or not words[1].isdecimal():
            self._refuse("Error: scale requires the name of a program and a number", "scale")
            return
        if not self.ctl.upcheck():
            return
        name, numprocs = words[0], int(words[1])
        try:
            results = self.ctl.get_supervisor().setNumprocs(name, numprocs)
        except proxy.Fault as fault:
            if fault.faultCode not in SCALE_FAULTS:
                raise
            reason = fault.faultString.removeprefix(f"{getFaultDescription(fault.faultCode)}: ")
            self._fail(f"{name}: {SCALE_FAULTS[fault.faultCode].format(reason)}")
            return
        if not results:
            self.ctl.output(f"{name}: no processes added or removed")
        self._show_results(results, {})

    def help_scale(self) -> None:
        """Print the help of `scale`."""
        self.ctl.output(
            "scale <program> <n>\tAdd or remove processes of a program, so that n remain"
        )
        self.ctl.output("\t\t\tThe number holds until numprocs changes in the file")


def _known(supervisor: Any, added: Sequence[str]) -> set[str]:
    """Return the names of all groups, those to be added included."""
    return {info["group"] for info in supervisor.getAllProcessInfo()} | set(added)


def step_line(step: Step) -> str:
    """Return the line of a plan for one step."""
    name = make_namespec(step["group"], step["name"])
    line = f"{MARKS[step['action']]} {step['action']} {name}"
    changes = changes_text(step)
    return f"{line} ({changes})" if changes else line


def changes_text(step: Step) -> str:
    """Return the options of a step, with their values as far as the daemon shows them."""
    return ", ".join(
        f"{each['name']} {each['old']} -> {each['new']}" if each["old"] else each["name"]
        for each in step["options"]
    )
