"""The daemon's view of the ends of its programs; `exit_policy` decides.

`exits.Exits` makes one if an option needs it.  It watches only the processes on which the option
depends: essential ones, or all with `exit_when_all_exited`.

A decision is made at the end of a loop iteration: until then, other objects are still reacting to
the same change.  An end counts once, when it happens: a later change of options, such as one that
makes the process essential, does not make the daemon exit.

State: all of it follows from the processes, except the ends that have been considered, and the
verdict; a daemon that has a verdict is shutting down.
"""

from __future__ import annotations

from functools import partial

from supervisor.common.dependency_graph import closure
from supervisor.common.namespec import make_namespec
from supervisor.config.model import EventListenerConfig
from supervisor.config.process_config import full_config
from supervisor.daemon import exit_policy
from supervisor.daemon.exit_policy import Change, Decision, ExitPolicy, LastRun, Outlook, Verdict
from supervisor.process.plan import is_missing_command
from supervisor.states import ProcessStates, SupervisorStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from typing import Any

    from supervisor.process.child import Subprocess
    from supervisor.process.daemon_protocol import Daemon
    from supervisor.process.groups import ProcessGroupBase


class ExitWatch:
    """Shuts the daemon down when an option requires it, and keeps the exit status."""

    def __init__(self, daemon: Daemon) -> None:
        self.exit_status = 0
        self._daemon = daemon
        self._watches_all = daemon.runtime.settings.exit_when_all_exited
        self._policy = ExitPolicy(exits_when_all_exited=self._watches_all)
        self._members: dict[str, list[Subprocess]] = {}  # those that count, by group
        self._callbacks: dict[Subprocess, Callable[[], None]] = {}
        self._changed: dict[Subprocess, None] = {}
        self._considered: dict[Subprocess, object] = {}  # ends: the transitions up to each
        self._is_scheduled = False
        self._is_beginning = False
        self._verdict: Verdict | None = None

    # -- what happens -------------------------------------------------------------

    def begin(self) -> None:
        """Begin the decisions: the groups have been added, and may be started."""
        self._is_beginning = True
        for group in self._daemon.process_groups.values():
            self.group_changed(group)
        self._considered.clear()  # a failure of the first starts counts
        if self._watches_all:
            self._schedule()

    def snapshot(self) -> list[str]:
        """Return the names of the processes whose last change is still to be considered."""
        return [_name(process) for process in self._changed]

    def resume(self, unconsidered: Collection[str]) -> None:
        """Go on, in another daemon: all ends count as considered, but those of some processes."""
        for group in self._daemon.process_groups.values():
            self.group_changed(group)
        for process in self._callbacks:
            if _name(process) in unconsidered:
                self._considered.pop(process, None)

    def group_changed(self, group: ProcessGroupBase) -> None:
        """Watch the processes of a group that count by now, and no others of it."""
        counting = list(filter(self._counts, group.processes.values()))
        for process in set(self._members.get(group.config.name, ())).difference(counting):
            self._drop(process)
        self._members[group.config.name] = counting
        for process in counting:
            if process in self._callbacks:
                continue
            self._callbacks[process] = partial(self._note, process)
            self._is_news(_change(process))  # an end before an update does not count
            self._note(process)

    def group_removed(self, group: ProcessGroupBase) -> None:
        """Watch the processes of a group no longer."""
        for process in self._members.pop(group.config.name, ()):
            self._drop(process)

    def _counts(self, process: Subprocess) -> bool:
        is_essential = bool(full_config(process.config).essential)
        return is_essential or (self._watches_all and not is_listener(process))

    def _drop(self, process: Subprocess) -> None:
        process.changed.discard(self._callbacks.pop(process))
        self._considered.pop(process, None)
        self._changed.pop(process, None)
        self._policy.forget(process)

    def _note(self, process: Subprocess) -> None:
        self._changed[process] = None
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._daemon.runtime.loop.call_soon(self._decide)

    # -- the decision -------------------------------------------------------------

    def _decide(self) -> None:
        self._is_scheduled = False
        changed, self._changed = self._changed, {}
        if not self._daemon.runtime.may_start:  # all of them are being stopped
            return
        for process in changed:
            process.changed.add(self._callbacks[process])
        changes = list(filter(self._is_news, map(_change, changed)))
        decision, change = self._policy.decide(changes)
        is_beginning, self._is_beginning = self._is_beginning, False
        if change is not None and decision is Decision.ESSENTIAL:
            self._shut_down(_verdict_about(change.process))
        elif decision is Decision.ALL_EXITED:
            verdicts = map(_verdict_about, self._in_order())
            self._shut_down(exit_policy.first_failure(verdicts, exit_policy.ALL_EXITED))
        elif is_beginning and self._policy.is_idle:
            self._shut_down(exit_policy.NOTHING_TO_RUN)

    def _is_news(self, change: Change) -> bool:
        """Whether a change is not an end that has been considered; it has been from now on."""
        process: Any = change.process
        if change.outlook is not Outlook.ENDED:
            self._considered.pop(process, None)
            return True
        end = process.history.transitions
        before, self._considered[process] = self._considered.get(process), end
        return before is not end

    def _in_order(self) -> list[Subprocess]:
        """Return the processes that have to exit, in the order of the configuration."""
        found = (each for each in self._callbacks if not is_listener(each) and _cause(each))
        return sorted(found, key=lambda each: (each.config.position, each.config.process_num))

    def _shut_down(self, verdict: Verdict) -> None:
        logger = self._daemon.runtime.logger
        (logger.warn if verdict.status else logger.info)(f"shutting down because {verdict.reason}")
        self._verdict = verdict
        self._daemon.options.mood = SupervisorStates.SHUTDOWN

    # -- the end ------------------------------------------------------------------

    def conclude(self) -> None:
        """Set the exit status of a daemon that has shut down, and log the reason."""
        runtime = self._daemon.runtime
        if runtime.daemon_state != SupervisorStates.SHUTDOWN:
            return
        source = runtime.settings.exit_code_from
        verdict = self._verdict
        if source is not None:
            verdict = _verdict_from(runtime.services.processes.find(source), verdict)
        if verdict is not None:
            self.exit_status = verdict.status
            log = runtime.logger.warn if verdict.status else runtime.logger.info
            log(f"exiting with {verdict}")


def is_listener(process: Subprocess) -> bool:
    """Whether a process is an event listener."""
    return isinstance(process.config, EventListenerConfig)


def _change(process: Subprocess) -> Change:
    """Return the present outlook of a process."""
    if process.pid or not process.is_down_for_good:
        return Change(process, Outlook.ACTIVE, is_listener=is_listener(process))
    cause = _cause(process)
    if cause is None:
        return Change(process, Outlook.HELD)
    return Change(
        process,
        Outlook.ENDED,
        is_listener=is_listener(process),
        ends_daemon=_ends_daemon(process, cause),
    )


def _cause(process: Subprocess) -> Subprocess | None:
    """Return the process that has ended and so keeps a process down; None if there is none.

    It is another one if the process waits for it in vain.
    """
    return next(filter(_has_ended, closure([process], _blockers)), None)


def _has_ended(process: Subprocess) -> bool:
    """Whether a process has ended by itself, and will not be started again."""
    is_end = process.state in {ProcessStates.EXITED, ProcessStates.FATAL}
    return is_end and not process.awaits_start and not process.administrative_stop


def _blockers(process: Subprocess) -> list[Any]:
    """Return the processes, down for good, that a process waits for."""
    unmet = (each for each in process.starts.unmet() if each.is_hopeless)
    return [each.target for each in unmet if each.target is not None]


def _ends_daemon(process: Subprocess, cause: Subprocess) -> bool:
    """Whether a process is essential, and its end counts."""
    config = full_config(process.config)
    if config.essential != "failure" or cause is not process:
        return bool(config.essential)
    return last_run(process).has_failed(config.exitcodes, config.exit_codes_ok)


def _verdict_about(process: Any) -> Verdict:
    """Return the verdict about a process that is down for good."""
    cause = _cause(process) or process
    dependent = "" if cause is process else _name(process)
    codes_ok = full_config(cause.config).exit_codes_ok
    return exit_policy.verdict_of(_name(cause), last_run(cause), codes_ok, dependent)


def _verdict_from(processes: Iterable[Subprocess], otherwise: Verdict | None) -> Verdict | None:
    """Return the verdict about the processes of `exit_code_from`, in any state.

    One that has never been started has no status; then the reason of the exit is the verdict.
    """
    verdicts = [
        exit_policy.verdict_of(_name(each), last_run(each), full_config(each.config).exit_codes_ok)
        for each in processes
        if each.history.starts
    ]
    if not verdicts:
        return otherwise
    return exit_policy.first_failure(verdicts, verdicts[0])


def last_run(process: Subprocess) -> LastRun:
    """Return the facts about the last run of a process."""
    history, error = process.history, process.spawnerr or ""
    return LastRun(
        wait_status=history.wait_status if history.exited_at else None,
        gave_up=process.state == ProcessStates.FATAL,
        timed_out=process.startup.timed_out or process.starts.planned_stop.is_timeout,
        not_found=is_missing_command(error),
        error=error,
    )


def _name(process: Subprocess) -> str:
    return make_namespec(process.group_name, process.name)
