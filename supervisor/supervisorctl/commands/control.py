"""Commands that act on processes: start, stop, restart, signal."""

from __future__ import annotations

import time

from supervisor.client import proxy
from supervisor.common.faults import Faults
from supervisor.common.namespec import make_namespec, split_namespec
from supervisor.states import ProcessStates
from supervisor.supervisorctl.commands import STOP_POLL_SECONDS, CommandGroup, lasting_call
from supervisor.supervisorctl.flags import Flag, FlagTable, seconds
from supervisor.supervisorctl.results import (
    SIGNAL_RESULTS,
    START_RESULTS,
    STOP_RESULTS,
    LSBInitExitStatuses,
    matches,
    result_of,
    result_text,
    results_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, TypeVar

    from supervisor.supervisorctl.flags import Arguments

    Info = Mapping[str, Any]
    T = TypeVar("T")


NO_DEPS = "--no-deps"
WITH_DEPENDENTS = "--with-dependents"
ROLLING, BATCH, PAUSE = "--rolling", "--batch", "--pause"


def batch_size(text: str) -> int:
    """Return a number of processes, at least 1; raises ValueError."""
    size = int(text)
    if size < 1:
        raise ValueError(text)
    return size


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
        verb: str = "",
    ) -> None:
        self.one, self.group, self.all = one, group, all_  # methods of the daemon
        self.texts = texts
        self.no_such_group = no_such_group  # the exit status for an unknown group
        self.sanitize = sanitize  # a fault that is printed, but is not a failure
        self.verb = verb  # of an action that waits for processes


START = ProcessAction(
    "startProcess",
    "startProcessGroup",
    "startAllProcesses",
    START_RESULTS,
    LSBInitExitStatuses.INVALID_ARGS,
    Faults.ALREADY_STARTED,
    "start",
)
STOP = ProcessAction(
    "stopProcess",
    "stopProcessGroup",
    "stopAllProcesses",
    STOP_RESULTS,
    sanitize=Faults.NOT_RUNNING,
    verb="stop",
)
SIGNAL = ProcessAction("signalProcess", "signalProcessGroup", "signalAllProcesses", SIGNAL_RESULTS)


class ControlCommands(CommandGroup):
    """The commands that act on processes."""

    flags_start = FlagTable(
        Flag(NO_DEPS, help="Start one process at once, without its dependencies"),
        unknown_is_name=True,
    )

    def do_start(self, arg: str) -> None:
        """Start processes."""
        given = self._parse("start", arg)
        if given is None or not self.ctl.upcheck():
            return
        if not given.names:
            error = "Error: start requires a process name"
            self._refuse(error, "start", LSBInitExitStatuses.INVALID_ARGS)
        elif not given[NO_DEPS]:
            self._act(START, self._expanded(given.names))
        elif "all" in given.names:
            error = f"Error: {NO_DEPS} requires the names of processes"
            self._refuse(error, "start", LSBInitExitStatuses.INVALID_ARGS)
        else:
            for namespec in self._expanded(given.names):
                self._show_results(START, self._results(START, "startProcessAlone", namespec))

    def help_start(self) -> None:
        """Print the help of `start`."""
        self.ctl.output("start <name>\t\tStart one process")
        self.ctl.output("start <gname>:*\t\tStart the processes of a group")
        self.ctl.output("start <name> <name>\tStart several processes or groups")
        self.ctl.output("start all\t\tStart all processes")

    flags_stop = FlagTable(
        Flag(WITH_DEPENDENTS, help="Stop the processes that depend on it as well, these first"),
        unknown_is_name=True,
    )

    def do_stop(self, arg: str) -> None:
        """Stop processes."""
        given = self._parse("stop", arg)
        if given is None or not self.ctl.upcheck():
            return
        if not given.names:
            self._refuse("Error: stop requires a process name", "stop")
        elif given[WITH_DEPENDENTS] and "all" not in given.names:
            self._stop_with_dependents(self._expanded(given.names))
        else:
            self._act(STOP, self._expanded(given.names))

    def help_stop(self) -> None:
        """Print the help of `stop`."""
        self.ctl.output("stop <name>\t\tStop one process")
        self.ctl.output("stop <gname>:*\t\tStop the processes of a group")
        self.ctl.output("stop <name> <name>\tStop several processes or groups")
        self.ctl.output("stop all\t\tStop all processes")

    flags_restart = FlagTable(
        Flag(WITH_DEPENDENTS, help="Restart the processes that depend on it as well"),
        Flag(ROLLING, help="Restart one after the other; stop at the first failure"),
        Flag(BATCH, help="With --rolling: this many at a time", value="N", convert=batch_size),
        Flag(PAUSE, help="With --rolling: wait in between", value="SECONDS", convert=seconds),
        unknown_is_name=True,
    )

    def do_restart(self, arg: str) -> None:
        """Stop processes, then start them."""
        given = self._parse("restart", arg)
        if given is None or not self.ctl.upcheck():
            return
        if not given.names:
            self._refuse("Error: restart requires a process name", "restart")
            return
        if error := _conflict(given):
            self._refuse(error, "restart")
            return
        if given[ROLLING]:
            from supervisor.supervisorctl.rolling import RollingRestart

            rolling = RollingRestart(self.ctl, self.plugin)
            rolling.run(given.names, given[BATCH] or 1, given[PAUSE] or 0)
            return
        names = self._expanded(given.names)
        infos = self.ctl.get_supervisor().getAllProcessInfo() if self.ctl.is_at_terminal else []
        if given[WITH_DEPENDENTS] and "all" not in names:
            self._start_again(names, self._stop_with_dependents(names))
        else:
            self._act(STOP, names)
            self._act(START, names)
        restarted = [
            info for info in infos if "all" in names or any(matches(info, each) for each in names)
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
            self._refuse("Error: signal requires a signal name and a process name", "signal")
            return
        self._act(SIGNAL, self._expanded(names), signame)

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
        if "all" in names:

            def act_on_all() -> Any:
                return getattr(self.ctl.get_supervisor(), action.all)(*values)

            self._show_results(action, self._lasting(action, None, act_on_all))
            return
        if action is STOP and len(names) > 1:
            self._stop_together(names)
            return
        for namespec in names:
            self._show_outcome(action, namespec, self._call(action, namespec, *values))

    def _stop_with_dependents(self, names: Sequence[str]) -> list[str]:
        """Stop processes and those that depend on them; return the names of all."""
        stopped = []
        for namespec in names:
            results = self._results(STOP, "stopProcessWithDependents", namespec, is_wider=True)
            self._show_results(STOP, results)
            stopped += [
                make_namespec(each["group"], each["name"])
                for each in results
                if each["status"] == Faults.SUCCESS
            ]
        return stopped

    def _start_again(self, names: Sequence[str], stopped: Sequence[str]) -> None:
        """Start processes, then those that were stopped with them.

        A start starts dependencies as well, so some of them run already.
        """
        reported = set()
        for namespec in dict.fromkeys([*names, *stopped]):
            for result in self._results(START, START.one, namespec):
                name = make_namespec(result["group"], result["name"])
                if name in stopped and result["status"] == Faults.ALREADY_STARTED:
                    result["status"] = Faults.SUCCESS
                if name not in reported:
                    reported.add(name)
                    self._show_results(START, [result])

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

        def act() -> list[Info] | None:
            supervisor = self.ctl.get_supervisor()
            if process is not None:
                return [result_of(getattr(supervisor, action.one), namespec, *values)]
            try:
                return list(getattr(supervisor, action.group)(group, *values))
            except proxy.Fault as fault:
                if fault.faultCode != Faults.BAD_NAME:
                    raise
                return None

        return self._lasting(action, namespec, act)

    def _results(
        self, action: ProcessAction, method: str, namespec: str, *, is_wider: bool = False
    ) -> list[dict[str, Any]]:
        """Call a further method for an action; return its results.

        One that `is_wider` concerns other processes than those that `namespec` means, too.
        """

        def act() -> Any:
            return results_of(getattr(self.ctl.get_supervisor(), method), namespec)

        return self._lasting(action, None if is_wider else namespec, act)

    def _lasting(self, action: ProcessAction, namespec: str | None, call: Callable[[], T]) -> T:
        """Return the results of a call, which may wait for processes."""
        return lasting_call(self.ctl, action.verb, namespec, call) if action.verb else call()

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

    def _show_results(self, action: ProcessAction, results: Iterable[Info]) -> None:
        results = list(results)
        for result in results:
            if action is START:
                text = self.plugin._startresult(result)  # noqa: SLF001 - Supvisors replaces it
            else:
                text = result_text(result, action.texts)
            self.ctl.output(text)
            self.ctl.set_exitstatus_from_xmlrpc_fault(result["status"], action.sanitize)
        self.ctl.hint(lambda hints: hints.for_results(self.ctl.get_supervisor(), results))


def _conflict(given: Arguments) -> str | None:
    """Return the error for flags of `restart` that do not go together."""
    if given[ROLLING]:
        return f"Error: {ROLLING} excludes {WITH_DEPENDENTS}" if given[WITH_DEPENDENTS] else None
    lonely = next((flag for flag in (BATCH, PAUSE) if given[flag] is not None), None)
    return None if lonely is None else f"Error: {lonely} requires {ROLLING}"
