"""The application of a plan: stop what must stop, change it, and start it again.

Live options are changed first, so that a process that no longer depends on a removed one is not
stopped with it.  Then each group stops its processes, is changed, and starts them, independent of
the other groups; if one of the processes to stop has dependencies, all groups do this together, so
that dependents stop first and none starts while another that it needs is still to be stopped.

A process that was up is up again afterwards, and one that was stopped by request stays down.
"""

from __future__ import annotations

from functools import partial

from supervisor.common.faults import Faults, RPCError
from supervisor.common.namespec import make_namespec
from supervisor.daemon.update_plan import (
    ADD,
    APPLY,
    REMOVE,
    RESTART,
    WHOLE_GROUP,
    Step,
    replacement_reason,
)
from supervisor.engine.deferred import NOT_DONE_YET, derived, gather, in_sequence
from supervisor.engine.start_queue import Pace
from supervisor.loggers import exception_text
from supervisor.process.groups import create_auto_logs
from supervisor.process.reconfigure import reconfigure
from supervisor.rpc import control
from supervisor.states import STOPPED_STATES, ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from supervisor.config.model import ProcessConfig, ProcessGroupConfig
    from supervisor.engine.deferred import Deferred
    from supervisor.process.child import Subprocess
    from supervisor.process.daemon_protocol import Daemon
    from supervisor.rpc.lookup import Member

NOT_TAKEN = RPCError(Faults.FAILED, "the step was not taken, see the activity log")

START_REASON = "update of its configuration"
"""Reason of a start, as `process.history` shows it."""


class UpdateRun:
    """The application of some steps; `function` is deferred and returns a struct for each."""

    def __init__(
        self, daemon: Daemon, steps: Sequence[Step], configured: Sequence[ProcessGroupConfig]
    ) -> None:
        self._daemon = daemon
        self._steps = steps
        self._configured = {config.name: config for config in configured}
        self._configs = {
            (group.name, config.name): config
            for group in configured
            for config in group.process_configs
        }
        self._outcomes: dict[tuple[str, str], RPCError | None] = {}
        self._restarts = {(each.group, each.name) for each in steps if each.action == RESTART}
        self._wishes: dict[tuple[str, str], bool | None] = {}
        live_changes = partial(self._gather, self._live_changes)
        work = in_sequence([live_changes, partial(self._gather, self._batches)])
        self.function = derived(work, lambda: self._results(work()))

    def _results(self, result: Any) -> Any:
        if result is NOT_DONE_YET:
            return result
        return [self._struct(step) for step in self._steps]

    def _struct(self, step: Step) -> dict[str, Any]:
        fault = self._outcomes.get((step.group, step.name), NOT_TAKEN)
        return {
            "action": step.action,
            "name": step.name,
            "group": step.group,
            "status": Faults.SUCCESS if fault is None else fault.code,
            "description": "OK" if fault is None else fault.text,
        }

    def _attempt(self, steps: Sequence[Step], action: Callable[[Step], object]) -> None:
        """Take steps by one action; a failure is their result, and the others are taken anyway."""
        fault = None
        try:
            if self._daemon.runtime.may_start:
                action(steps[0])
            else:
                fault = RPCError(Faults.SHUTDOWN_STATE)
        except RPCError as error:
            fault = error
        except (OSError, ValueError) as error:  # a log or a FastCGI socket
            fault = RPCError(Faults.FAILED, error)
        except Exception:  # noqa: BLE001 - of a plugin; what has been stopped must start again
            self._log_failure()
            fault = NOT_TAKEN
        self._outcomes.update(((step.group, step.name), fault) for step in steps)

    # -- changes while a process runs -------------------------------------------------

    def _live_changes(self) -> Iterator[None]:
        live = [step for step in self._steps if step.action == APPLY]
        groups = {step.group: Step(APPLY, step.group, WHOLE_GROUP) for step in live}
        for step in live:
            if step.name != WHOLE_GROUP:
                self._attempt([step], self._reconfigure)
                yield
        for step in groups.values():
            self._attempt([step], self._settle)
            yield

    def _reconfigure(self, step: Step) -> None:
        reconfigure(self._process(step), self._config(step))
        name = make_namespec(step.group, step.name)
        options = ", ".join(change.name for change in step.changes)
        self._daemon.runtime.logger.info(f"changed: {name} ({options})")

    def _process(self, step: Step) -> Subprocess:
        """Return the process of a step; raises `RPCError` BAD_NAME if it is gone."""
        group = self._daemon.process_groups.get(step.group)
        if group is None or step.name not in group.processes:
            raise RPCError(Faults.BAD_NAME, make_namespec(step.group, step.name))
        return group.processes[step.name]

    def _config(self, step: Step) -> ProcessConfig:
        return self._configs[step.group, step.name]

    def _settle(self, step: Step) -> None:
        """Let the config of a group describe its present processes."""
        group = self._daemon.process_groups.get(step.group)
        if group is None:
            raise RPCError(Faults.BAD_NAME, step.group)
        group.reconfigure(self._configured[step.group])
        self._daemon.process_group_changed(step.group)

    # -- stops, replacements and starts ------------------------------------------------

    def _batches(self) -> Iterator[Deferred]:
        """Yield the work of each group, or that of all groups together."""
        by_group: dict[str, list[Step]] = {}
        for step in self._steps:
            if step.action != APPLY:
                by_group.setdefault(step.group, []).append(step)
        batches = list(by_group.values())
        members = [each for steps in batches for _, each in self._stopping(steps)]
        if any(each.starts.gate is not None for each in members):
            batches = [[step for steps in batches for step in steps]]
        for steps in batches:
            for group, each in self._stopping(steps):
                self._wishes[group.config.name, each.name] = _wish(each)
            self._mark(steps, is_replaced=True)
            stopped = self._stop(steps)
            stopped()  # stops take time, so they belong to this step
            change = partial(self._gather, partial(self._replacements, steps))
            yield in_sequence([_constant(stopped), change])

    def _gather(self, source: Callable[[], Iterator[Deferred | None]]) -> Deferred:
        """Return a deferred function that takes steps, spread over iterations of the loop."""
        put = self._daemon.runtime.services.start_queue.put
        return gather(self._guarded(source()), put)

    def _guarded(self, steps: Iterator[Deferred | None]) -> Iterator[Deferred | None]:
        """Yield steps; an unexpected error, such as that of a plugin, is logged and ends them."""
        try:
            yield from steps
        except Exception:  # noqa: BLE001 - else the update would never end
            self._log_failure()

    def _log_failure(self) -> None:
        self._daemon.runtime.logger.critical(f"an update failed\n{exception_text()}")

    def _stopping(self, steps: Sequence[Step]) -> list[Member]:
        """Return the processes that steps stop, as far as they are still there."""
        groups = self._daemon.process_groups
        return [
            (groups[step.group], groups[step.group].processes[step.name])
            for step in steps
            if step.action in {REMOVE, RESTART}
            and step.group in groups
            and step.name in groups[step.group].processes
        ]

    def _mark(self, steps: Sequence[Step], *, is_replaced: bool) -> None:
        """Let dependents know which processes are down for a moment only."""
        for group, process in self._stopping(steps):
            wish = self._wishes.get((group.config.name, process.name))
            restarts = (group.config.name, process.name) in self._restarts
            process.starts.is_replaced = is_replaced and restarts and wish is True

    def _stop(self, steps: Sequence[Step]) -> Deferred:
        members = self._stopping(steps)
        named = {make_namespec(group.config.name, each.name): each for group, each in members}

        def stop(name: str, *, wait: bool = True) -> Any:
            return control.stop(named[name], name, wait=wait)

        in_order = control.in_order(members, stop)
        pace = Pace(self._daemon.runtime.loop)
        return control.make_allfunc(
            members, control.is_to_be_stopped, in_order, pace.run, wait=True
        )

    def _replacements(self, steps: Sequence[Step]) -> Iterator[None]:
        """Change the processes of a batch, then start them."""
        changes = {ADD: self._add, REMOVE: self._remove, RESTART: self._change}
        by_group: dict[str, list[Step]] = {}
        for step in steps:
            by_group.setdefault(step.group, []).append(step)
        for name, own in by_group.items():
            if self._is_replaced(name):
                self._attempt(own, self._replace_group)
            else:
                for step in own:
                    self._attempt([step], changes[step.action])
                    yield
                self._attempt([Step(APPLY, name, WHOLE_GROUP)], self._settle)
            yield
        self._daemon.runtime.services.processes.groups_changed()
        self._mark(steps, is_replaced=False)
        for step in steps:
            if step.action != REMOVE and self._outcomes.get((step.group, step.name)) is None:
                self._daemon.runtime.run_guarded(partial(self._start, step), step.name)
                yield

    def _is_replaced(self, name: str) -> bool:
        """Whether a group is added, removed or replaced as a whole."""
        present, config = self._daemon.process_groups.get(name), self._configured.get(name)
        if present is None or config is None:
            return True
        return replacement_reason(present.config, config) is not None

    def _replace_group(self, step: Step) -> None:
        if step.group in self._daemon.process_groups:
            if not self._daemon.remove_process_group(step.group):
                raise RPCError(Faults.STILL_RUNNING, step.group)
        if step.group in self._configured:
            self._daemon.add_process_group(self._configured[step.group])

    def _add(self, step: Step) -> None:
        config = self._config(step)
        create_auto_logs(config, self._daemon.runtime.settings)
        self._daemon.process_groups[step.group].add_process(config)

    def _remove(self, step: Step) -> None:
        _check_down(step, self._process(step))
        self._daemon.process_groups[step.group].remove_process(step.name)

    def _change(self, step: Step) -> None:
        process = self._process(step)
        _check_down(step, process)
        reconfigure(process, self._config(step))

    def _start(self, step: Step) -> None:
        """Start a process that was up; a new one starts if `autostart` says so."""
        group = self._daemon.process_groups.get(step.group)
        process = None if group is None else group.processes.get(step.name)
        if process is None:
            return
        wish = self._wishes.get((step.group, step.name))
        if wish:
            process.starts.request(reason=START_REASON)
            process.transition()
        else:
            if wish is False:
                process.starts.withdraw()
            process.arm()


def _constant(value: Deferred) -> Callable[[], Deferred]:
    return lambda: value


def _wish(process: Subprocess) -> bool | None:
    """Whether a process is to be up after an update; None if that was never decided.

    One that has failed, or has run to its end, gets another try if it starts by itself.
    """
    if process.is_running or process.awaits_start or process.start_requested:
        return True
    if process.get_state() in {ProcessStates.FATAL, ProcessStates.EXITED}:
        return bool(process.config.autostart)
    return False if process.laststart or process.administrative_stop else None


def _check_down(step: Step, process: Subprocess) -> None:
    if process.pid or process.get_state() not in STOPPED_STATES:
        raise RPCError(Faults.STILL_RUNNING, make_namespec(step.group, step.name))
