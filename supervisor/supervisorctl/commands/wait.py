"""The command that waits for states of processes: wait."""

from __future__ import annotations

import time

from supervisor.client import proxy
from supervisor.common.faults import Faults
from supervisor.common.namespec import make_namespec
from supervisor.states import ProcessStates
from supervisor.supervisorctl.commands import CommandGroup
from supervisor.supervisorctl.flags import Flag, FlagTable, seconds
from supervisor.supervisorctl.results import LSBInitExitStatuses, LSBStatusExitStatuses

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    Info = Mapping[str, Any]

TIMEOUT = "--timeout"

NO_TIME = "{}: ERROR (not {} after {:g} seconds: {})"
NO_HOPE = "{}: ERROR (not {}: {})"


class Goal:
    """A state to wait for: the states that count as it, and those that do not lead to it."""

    def __init__(self, reached: Iterable[int], lost: Iterable[int]) -> None:
        self.reached = frozenset(reached)
        self.lost = frozenset(lost)


GOALS = {
    "running": Goal(
        {ProcessStates.RUNNING}, {ProcessStates.FATAL, ProcessStates.EXITED, ProcessStates.UNKNOWN}
    ),
    "stopped": Goal(
        {ProcessStates.STOPPED, ProcessStates.EXITED, ProcessStates.FATAL}, {ProcessStates.UNKNOWN}
    ),
    "exited": Goal({ProcessStates.EXITED}, {ProcessStates.FATAL, ProcessStates.UNKNOWN}),
}
"""Word of the command -> its goal.  A stopped process may be started by another client."""

PASSING_STATES = (ProcessStates.EXITED, ProcessStates.STOPPED, ProcessStates.FATAL)
"""States that a process leaves by itself if a start is pending."""


class WaitCommands(CommandGroup):
    """The command `wait`."""

    flags_wait = FlagTable(
        Flag(TIMEOUT, help="Give up after so long", value="SECONDS", convert=seconds)
    )

    def do_wait(self, arg: str) -> None:
        """Wait until processes are running, stopped or exited."""
        given = self._parse("wait", arg)
        if given is None or not self.ctl.upcheck():
            return
        *names, goal = given.names or [""]
        if not names or goal not in GOALS:
            error = f"Error: wait requires process names and a state ({', '.join(GOALS)})"
            self._refuse(error, "wait", LSBInitExitStatuses.INVALID_ARGS)
            return
        infos = self._selected(self.ctl.get_supervisor().getAllProcessInfo(), names)
        pending = [make_namespec(info["group"], info["name"]) for info in infos]
        if pending and self.ctl.exitstatus != LSBStatusExitStatuses.UNKNOWN:
            self._wait(pending, goal, given[TIMEOUT])

    def help_wait(self) -> None:
        """Print the help of `wait`."""
        self.ctl.output("wait <name> running\tWait until a process is running")
        self.ctl.output("wait <name> stopped\tWait until it has no process any more")
        self.ctl.output("wait <name> exited\tWait until it has ended by itself")
        self.ctl.output("wait <name> <name> <state>\tWait for several processes")

    def _wait(self, pending: Sequence[str], goal: str, timeout: float | None) -> None:
        """Wait for all processes, or until one of them cannot reach the goal."""
        from supervisor.supervisorctl.changes import WAIT_POLL_SECONDS, Changes

        end = None if timeout is None else time.monotonic() + timeout
        changes = Changes(self.ctl.options, WAIT_POLL_SECONDS)
        try:
            while True:
                known = self._known()
                verdicts = {name: self._verdict(known.get(name), name, goal) for name in pending}
                self._report(verdicts, known, goal)
                pending = [name for name in pending if verdicts[name] is None]
                if not pending or False in verdicts.values():
                    return
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    for name in pending:
                        state = known[name]["statename"]
                        self._fail(NO_TIME.format(name, goal, timeout, state))
                    return
                changes.wait(left)
        finally:
            changes.close()

    def _known(self) -> dict[str, Info]:
        infos = self.ctl.get_supervisor().getAllProcessInfo()
        return {make_namespec(info["group"], info["name"]): info for info in infos}

    def _verdict(self, info: Info | None, name: str, word: str) -> bool | None:
        """Return whether a process has reached its goal, None if it still may."""
        goal = GOALS[word]
        if info is None:
            return False
        if info["state"] not in goal.reached | goal.lost:
            return None
        if info["state"] in PASSING_STATES and word != "exited":
            # Supervisor 4.3 does not tell whether it restarts a process that has exited.
            may_start = word == "running" and info["state"] == ProcessStates.EXITED
            if self._will_start(name, unknown=may_start):
                return None
        return info["state"] in goal.reached

    def _will_start(self, name: str, *, unknown: bool) -> bool:
        """Return whether a start is pending, or `unknown` if the server does not report it."""
        try:
            details = self.ctl.get_supervisor().getProcessDetails(name)
        except proxy.Fault as fault:
            if fault.faultCode not in {Faults.UNKNOWN_METHOD, Faults.BAD_NAME}:
                raise
            return unknown
        return bool(details["next_start"] or details["waiting_for"])

    def _report(
        self, verdicts: Mapping[str, bool | None], known: Mapping[str, Info], goal: str
    ) -> None:
        for name, verdict in verdicts.items():
            if verdict:
                self.ctl.output(f"{name}: {goal}")
            elif verdict is False and name not in known:
                self._fail(f"{name}: ERROR (no such process)")
            elif verdict is False:
                self._fail(NO_HOPE.format(name, goal, known[name]["statename"]))
                self.ctl.exitstatus = LSBInitExitStatuses.NOT_RUNNING
