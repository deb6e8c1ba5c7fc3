"""The exit of the daemon because of its programs: whether, and with which status.

Pure: `exit_watch.ExitWatch` passes the facts about processes in, and acts on the decision.

The statuses are those that shells use (sh(1p), "Exit Status for Commands"): the exit code of the
program; 128 and the number of the signal that ended it; 127 for a command that was not found and
126 for one that could not be started.  A program that was not ready in time, or that failed its
liveness checks, has 11, as the last run's status is that of the daemon's own stop signal.
"""

from __future__ import annotations

import enum
import os

from supervisor.common.records import record
from supervisor.engine.posix import decode_wait_status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Hashable, Iterable

TIMED_OUT = 11
NOT_STARTED = 126
NOT_FOUND = 127
SIGNAL_BASE = 128

FAILED = 1
"""Status of a failure whose own status would be 0: a program that exits too quickly, say."""


class Outlook(enum.Enum):
    """The future of a process, without a further request."""

    ACTIVE = "up, or about to be started"
    HELD = "down until a person starts it"
    ENDED = "down for good"


class Decision(enum.Enum):
    """The consequence of a change."""

    CONTINUE = "continue"
    ESSENTIAL = "exit because of this process"
    ALL_EXITED = "exit because nothing is left"


@record(frozen=True)
class LastRun:
    """The last run of a process.

    `wait_status` is that of `waitpid`, None if the process has never run.  `gave_up` is true for
    FATAL, and `error` is then the reason; `timed_out` if it was not ready in time or failed its
    liveness checks, `not_found` if the command does not exist.
    """

    wait_status: int | None = None
    gave_up: bool = False
    timed_out: bool = False
    not_found: bool = False
    error: str = ""

    @property
    def _own_status(self) -> int:
        if self.gave_up and self.timed_out:
            return TIMED_OUT
        if self.wait_status is None:
            return (NOT_FOUND if self.not_found else NOT_STARTED) if self.gave_up else 0
        if os.WIFSIGNALED(self.wait_status):
            return SIGNAL_BASE + os.WTERMSIG(self.wait_status)
        return os.WEXITSTATUS(self.wait_status)

    def exit_status(self, codes_ok: Container[int] = ()) -> int:
        """Return the exit status for the daemon; `codes_ok` are those that count as 0."""
        status = self._own_status
        if status in codes_ok:
            return 0
        return status or (FAILED if self.gave_up else 0)

    def has_failed(self, exitcodes: Container[int], codes_ok: Container[int] = ()) -> bool:
        """Whether the end is a failure: FATAL, or an exit that is not expected."""
        if self.gave_up or self.wait_status is None:
            return self.gave_up
        code = decode_wait_status(self.wait_status)[0]
        return code not in exitcodes and self._own_status not in codes_ok

    def __str__(self) -> str:
        if self.wait_status is None or self.timed_out:
            text = self.error or "could not be started" if self.gave_up else "never started"
        else:
            text = decode_wait_status(self.wait_status)[1]
        return f"FATAL, {text}" if self.gave_up else text


@record(frozen=True)
class Verdict:
    """An exit status and its reason, which follows `because` in a sentence."""

    status: int
    reason: str

    def __str__(self) -> str:
        return f"status {self.status} because {self.reason}"


ALL_EXITED = Verdict(0, "all programs have exited")
NOTHING_TO_RUN = Verdict(0, "there is no program to run")


def verdict_of(name: str, run: LastRun, codes_ok: Container[int], dependent: str = "") -> Verdict:
    """Return the verdict about one process; `dependent` is the one that it keeps down, if any."""
    status = run.exit_status(codes_ok)
    if dependent:
        return Verdict(status or FAILED, f"of {name!r} ({run}), which {dependent!r} needs")
    return Verdict(status, f"of {name!r} ({run})")


def first_failure(verdicts: Iterable[Verdict], otherwise: Verdict) -> Verdict:
    """Return the first verdict whose status is not 0, or another one if there is none."""
    return next((each for each in verdicts if each.status), otherwise)


@record(frozen=True)
class Change:
    """The outlook of a process after a change of its state.

    `ends_daemon` if its end, should this be one, is also that of the daemon.
    """

    process: Hashable
    outlook: Outlook
    is_listener: bool = False
    ends_daemon: bool = False


class ExitPolicy:
    """The decision to exit, from the outlooks of processes.

    A change by hand never leads to an exit: neither a stop, nor a removal.
    """

    def __init__(self, *, exits_when_all_exited: bool) -> None:
        self._exits_when_all_exited = exits_when_all_exited
        self._active: set[Hashable] = set()

    @property
    def is_idle(self) -> bool:
        """Whether all programs that count are down, and nothing but a request starts one."""
        return self._exits_when_all_exited and not self._active

    def decide(self, changes: Iterable[Change]) -> tuple[Decision, Change | None]:
        """Return the decision after simultaneous changes, and the change that led to it."""
        ended = []
        for change in changes:
            if change.outlook is Outlook.ACTIVE and not change.is_listener:
                self._active.add(change.process)
            else:
                self._active.discard(change.process)
            if change.outlook is Outlook.ENDED:
                ended.append(change)
        for change in ended:
            if change.ends_daemon:
                return Decision.ESSENTIAL, change
        if self.is_idle:
            for change in ended:
                if not change.is_listener:
                    return Decision.ALL_EXITED, change
        return Decision.CONTINUE, None

    def forget(self, process: Hashable) -> None:
        """Drop a process that has been removed."""
        self._active.discard(process)
