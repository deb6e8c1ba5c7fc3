"""Calls that waited for processes when the daemon replaced itself.

The connection of such a call has ended without a response, but the successor goes on with what the
old daemon had begun.  The states of the processes show whether it had begun, and the result.
"""

from __future__ import annotations

import time

from supervisor.client import proxy
from supervisor.common.faults import Faults
from supervisor.states import ProcessStates
from supervisor.supervisorctl.changes import WAIT_POLL_SECONDS, Changes
from supervisor.supervisorctl.results import matches

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Mapping
    from typing import Any

    from supervisor.supervisorctl.controller import Controller

    Details = Mapping[str, Any]
    Rule = Callable[[Details, float], int | None]

REPLACING_METHOD = "supervisor.reexec"

TOLERANCE_SECONDS = 1
"""Times of processes are whole seconds."""

UNTOUCHED = 0
"""In place of a result: the call has not changed this process."""


def start_result(details: Details, seconds: float) -> int | None:
    """Return the fault code, or SUCCESS, of a start that was requested `seconds` ago.

    That is None as long as the process starts or waits for its start.  A request ends the pause
    before an automatic restart, so a process that is in one does not wait.
    """
    state = details["state"]
    if state == ProcessStates.STARTING:
        return None
    is_pausing = details["next_start"] >= details["now"] + TOLERANCE_SECONDS
    if (
        state not in {ProcessStates.RUNNING, ProcessStates.BACKOFF}
        and not is_pausing
        and (details["next_start"] or details["waiting_for"])
    ):
        return None
    if not _is_recent(details, "start", seconds):
        return UNTOUCHED
    if state in {ProcessStates.RUNNING, ProcessStates.EXITED}:
        return Faults.SUCCESS
    return Faults.SPAWN_ERROR if details["spawnerr"] else Faults.ABNORMAL_TERMINATION


def stop_result(details: Details, seconds: float) -> int | None:
    """Return SUCCESS for a stop that was requested `seconds` ago, None until it has ended.

    A process that has ended by itself is not STOPPED.
    """
    state = details["state"]
    if state == ProcessStates.STOPPING:
        return None
    is_stop = state == ProcessStates.STOPPED and _is_recent(details, "stop", seconds)
    return Faults.SUCCESS if is_stop else UNTOUCHED


def _is_recent(details: Details, event: str, seconds: float) -> bool:
    return bool(details["now"] - details[event] <= seconds + TOLERANCE_SECONDS)


RULES: dict[str, Rule] = {"start": start_result, "stop": stop_result}

LATER_RESULTS = {"start": Faults.ABNORMAL_TERMINATION, "stop": Faults.SUCCESS}
"""Results for a process that another client has stopped, or started again, in the meantime."""


class Interruption:
    """A call whose connection has ended with an error; it was sent at `begun` (monotonic).

    `verb` is `start` or `stop`; `namespec` means the processes, None all of them.
    """

    def __init__(
        self, ctl: Controller, verb: str, namespec: str | None, begun: float, error: Exception
    ) -> None:
        self._ctl = ctl
        self._rule = RULES[verb]
        self._later_result = LATER_RESULTS[verb]
        self._namespec = namespec
        self._begun = begun
        self._error = error

    def results(self, call: Callable[[], Any]) -> Any:
        """Return the results of the call, from the states of the processes.

        If it has changed none, it is sent again.  Raises the error that has interrupted it if the
        daemon has gone, or is one that cannot replace itself.
        """
        touched = self._touched()
        if not touched:
            return call()
        changes = Changes(self._ctl.options, WAIT_POLL_SECONDS)
        try:
            while None in (results := self._now(touched)).values():
                changes.wait()
        finally:
            changes.close()
        return [
            {
                "group": group,
                "name": name,
                "status": self._later_result if status == UNTOUCHED else status,
                "description": "",
            }
            for (group, name), status in results.items()
        ]

    def _touched(self) -> list[tuple[str, str]]:
        """Return the processes that the call has changed, each as group and name."""
        server = self._ctl.get_server_proxy()
        try:
            is_able = REPLACING_METHOD in server.system.listMethods()
            found = self._all_details() if is_able else None
        except (OSError, proxy.Fault):
            found = None
        if found is None:
            raise self._error
        return [
            place
            for place, details in found.items()
            if self._namespec is None or matches(details, self._namespec)
            if self._result(details) != UNTOUCHED
        ]

    def _all_details(self) -> dict[tuple[str, str], Details]:
        found = self._ctl.get_supervisor().getAllProcessDetails()
        return {(each["group"], each["name"]): each for each in found}

    def _now(self, places: list[tuple[str, str]]) -> dict[tuple[str, str], int | None]:
        """Return the result of each process, None if there is none yet."""
        found = self._all_details()
        return {
            place: self._result(found[place]) if place in found else Faults.BAD_NAME
            for place in places
        }

    def _result(self, details: Details) -> int | None:
        return self._rule(details, time.monotonic() - self._begun)
