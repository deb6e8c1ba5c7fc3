"""Commands about processes: status, pid, start, stop, restart, signal.

Part of `default.DefaultControllerPlugin`.
"""

from __future__ import annotations

import time

from supervisor.client import proxy
from supervisor.client.terminal import display_width
from supervisor.common.faults import Faults
from supervisor.common.namespec import make_namespec, split_namespec
from supervisor.states import STOPPED_STATES, ProcessStates
from supervisor.supervisorctl.plugin import ControllerPluginBase
from supervisor.supervisorctl.results import (
    SIGNAL_RESULTS,
    START_RESULTS,
    STOP_RESULTS,
    LSBInitExitStatuses,
    LSBStatusExitStatuses,
    result_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    Info = Mapping[str, Any]

MIN_NAME_COLUMNS = 30

STOP_POLL_SECONDS = 0.1
"""Poll interval for a server that cannot wait until a process has stopped."""


class ProcessAction:
    """The parameters in which start, stop and signal differ."""

    def __init__(  # noqa: PLR0917 - a row of the table below
        self,
        one: str,
        group: str,
        all_: str,
        texts: Mapping[int, str],
        no_such_group: int = LSBInitExitStatuses.GENERIC,
        sanitize: int | None = None,
    ) -> None:
        self.one, self.group, self.all = one, group, all_  # methods of the daemon
        self.texts = texts
        self.no_such_group = no_such_group  # the exit status for an unknown group
        self.sanitize = sanitize  # a fault that is printed, but is not a failure


START = ProcessAction(
    "startProcess",
    "startProcessGroup",
    "startAllProcesses",
    START_RESULTS,
    LSBInitExitStatuses.INVALID_ARGS,
    Faults.ALREADY_STARTED,
)
STOP = ProcessAction(
    "stopProcess",
    "stopProcessGroup",
    "stopAllProcesses",
    STOP_RESULTS,
    sanitize=Faults.NOT_RUNNING,
)
SIGNAL = ProcessAction("signalProcess", "signalProcessGroup", "signalAllProcesses", SIGNAL_RESULTS)


class ProcessCommands(ControllerPluginBase):
    """The commands about processes."""

    # -- queries --------------------------------------------------------------------

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

    def _matching(self, infos: Sequence[Info], namespec: str) -> list[Info]:
        """Return the processes that a name matches; print an error if there are none."""
        group, process = split_namespec(namespec)
        found = [info for info in infos if _is_meant(info, namespec)]
        if not found:
            message = "no such group" if process is None else "no such process"
            name = group if process is None else namespec
            self.ctl.output(f"{name}: ERROR ({message})")
            self.ctl.exitstatus = LSBStatusExitStatuses.UNKNOWN
            self.ctl.hint(lambda hints: hints.for_unknown_name(namespec, infos))
        return found

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

    # -- actions ---------------------------------------------------------------------

    def do_start(self, arg: str) -> None:
        """Start processes."""
        if not self.ctl.upcheck():
            return
        if not arg.split():
            self.ctl.exitstatus = LSBInitExitStatuses.INVALID_ARGS
            self._usage("Error: start requires a process name", "start")
            return
        self._act(START, arg.split())

    def help_start(self) -> None:
        """Print the help of `start`."""
        self.ctl.output("start <name>\t\tStart one process")
        self.ctl.output("start <gname>:*\t\tStart the processes of a group")
        self.ctl.output("start <name> <name>\tStart several processes or groups")
        self.ctl.output("start all\t\tStart all processes")

    def do_stop(self, arg: str) -> None:
        """Stop processes."""
        if not self.ctl.upcheck():
            return
        if not arg.split():
            self.ctl.exitstatus = LSBInitExitStatuses.GENERIC
            self._usage("Error: stop requires a process name", "stop")
            return
        self._act(STOP, arg.split())

    def help_stop(self) -> None:
        """Print the help of `stop`."""
        self.ctl.output("stop <name>\t\tStop one process")
        self.ctl.output("stop <gname>:*\t\tStop the processes of a group")
        self.ctl.output("stop <name> <name>\tStop several processes or groups")
        self.ctl.output("stop all\t\tStop all processes")

    def do_restart(self, arg: str) -> None:
        """Stop processes, then start them."""
        if not self.ctl.upcheck():
            return
        if not arg.split():
            self.ctl.exitstatus = LSBInitExitStatuses.GENERIC
            self._usage("Error: restart requires a process name", "restart")
            return
        names = arg.split()
        infos = self.ctl.get_supervisor().getAllProcessInfo() if self.ctl.is_at_terminal else []
        self._act(STOP, names)
        self._act(START, names)
        restarted = [
            info for info in infos if "all" in names or any(_is_meant(info, each) for each in names)
        ]
        options = self.ctl.options
        self.ctl.hint(lambda hints: hints.for_changed_files(options.configfile, restarted))

    def help_restart(self) -> None:
        """Print the help of `restart`."""
        self.ctl.output("restart <name>\t\tStop and start one process")
        self.ctl.output("restart <gname>:*\tStop and start the processes of a group")
        self.ctl.output("restart <name> <name>\tStop and start several processes or groups")
        self.ctl.output("restart all\t\tStop and start all processes")
        self.ctl.output("Note: restart does not reread the configuration; see reread and update.")

    def do_signal(self, arg: str) -> None:
        """Send a signal to processes."""
        if not self.ctl.upcheck():
            return
        signame, *names = arg.split() or [""]
        if not names:
            self.ctl.exitstatus = LSBInitExitStatuses.GENERIC
            self._usage("Error: signal requires a signal name and a process name", "signal")
            return
        self._act(SIGNAL, names, signame)

    def help_signal(self) -> None:
        """Print the help of `signal`."""
        self.ctl.output("signal <signal name> <name>\t\tSend a signal to one process")
        self.ctl.output("signal <signal name> <gname>:*\t\tSend a signal to a group's processes")
        self.ctl.output("signal <signal name> <name> <name>\tSend a signal to several")
        self.ctl.output("signal <signal name> all\t\tSend a signal to all processes")

    def _act(self, action: ProcessAction, names: Sequence[str], *values: str) -> None:
        """Apply an action to all processes, or to one name after the other.

        `values` are further arguments of the daemon's method.
        """
        supervisor = self.ctl.get_supervisor()
        if "all" in names:
            self._show_results(action, getattr(supervisor, action.all)(*values))
            return
        if action is STOP and len(names) > 1:
            self._stop_together(names)
            return
        for namespec in names:
            self._show_outcome(action, namespec, self._call(action, namespec, *values))

    def _stop_together(self, names: Sequence[str]) -> None:
        """Request every stop before waiting for the first, so that slow ones run in parallel."""
        outcomes = [(namespec, self._call(STOP, namespec, False)) for namespec in names]
        for namespec, results in outcomes:
            for result in results or ():
                if result["status"] == Faults.SUCCESS:
                    self._wait_for_stop(make_namespec(result["group"], result["name"]))
            self._show_outcome(STOP, namespec, results)

    def _wait_for_stop(self, namespec: str) -> None:
        """Wait until a process is no longer STOPPING.

        A second stopProcess waits for the end of the first.  Supervisor 4.3.0 returns
        NOT_RUNNING at once instead, so it must be polled.
        """
        supervisor = self.ctl.get_supervisor()
        while supervisor.getProcessInfo(namespec)["state"] == ProcessStates.STOPPING:
            try:
                supervisor.stopProcess(namespec)
            except proxy.Fault as fault:
                if fault.faultCode != Faults.NOT_RUNNING:
                    raise
                time.sleep(STOP_POLL_SECONDS)

    def _call(self, action: ProcessAction, namespec: str, *values: Any) -> list[Info] | None:
        """Apply an action to a process or a group; return its results, None for no such group."""
        group, process = split_namespec(namespec)
        if process is not None:
            return [self._act_on_one(action, group, process, namespec, *values)]
        try:
            return list(getattr(self.ctl.get_supervisor(), action.group)(group, *values))
        except proxy.Fault as fault:
            if fault.faultCode != Faults.BAD_NAME:
                raise
            return None

    def _show_outcome(
        self, action: ProcessAction, namespec: str, results: list[Info] | None
    ) -> None:
        if results is not None:
            self._show_results(action, results)
            return
        group, _ = split_namespec(namespec)
        self.ctl.output(f"{group}: ERROR (no such group)")
        self.ctl.exitstatus = action.no_such_group
        self.ctl.hint(lambda hints: hints.for_group(self.ctl.get_supervisor(), group))

    def _act_on_one(
        self, action: ProcessAction, group: str, process: str, namespec: str, *values: Any
    ) -> Info:
        status, description = Faults.SUCCESS, ""
        try:
            getattr(self.ctl.get_supervisor(), action.one)(namespec, *values)
        except proxy.Fault as fault:
            status, description = fault.faultCode, fault.faultString
        return {"group": group, "name": process, "status": status, "description": description}

    def _startresult(self, result: Info) -> str:
        # Supvisors overrides this to report a disabled program.
        return result_text(result, START_RESULTS)

    def _show_results(self, action: ProcessAction, results: Iterable[Info]) -> None:
        results = list(results)
        for result in results:
            is_start = action is START
            text = self._startresult(result) if is_start else result_text(result, action.texts)
            self.ctl.output(text)
            self.ctl.set_exitstatus_from_xmlrpc_fault(result["status"], action.sanitize)
        self.ctl.hint(lambda hints: hints.for_results(self.ctl.get_supervisor(), results))


def _is_meant(info: Info, namespec: str) -> bool:
    """Whether a namespec matches a process, by its own name or its group's."""
    group, process = split_namespec(namespec)
    return bool(info["group"] == group and process in {None, info["name"]})
