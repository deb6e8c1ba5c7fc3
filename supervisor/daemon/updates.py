"""Updates of the running daemon: plans, which clients see before they apply them."""

from __future__ import annotations

import os
from functools import partial

from supervisor.common.faults import Faults, RPCError
from supervisor.common.records import replace
from supervisor.daemon.update_plan import REMOVE, RunningGroup, make_plan, plan_by_process
from supervisor.daemon.update_run import UpdateRun
from supervisor.engine.deferred import NOT_DONE_YET, detached, gather, then

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeAlias

    from supervisor.config.model import ProcessGroupConfig
    from supervisor.daemon.update_plan import Step
    from supervisor.engine.deferred import Deferred
    from supervisor.process.daemon_protocol import Daemon

    Basis: TypeAlias = tuple[list[ProcessGroupConfig], dict[str, RunningGroup]]
    """Everything that a plan depends on: the configured and the running groups."""

ID_BYTES = 8
"""Length of a plan's id, so that one from before a restart of the daemon is never valid."""

OUTDATED = "the plan is out of date: the configuration or the groups have changed since it was made"
MAX_PROCESSES = 10_000
"""Upper bound of the number of a program's processes; a slip of the finger must not fill memory."""

BUSY = "another update is being applied"


class Updates:
    """The updates of one daemon; it remembers the latest plan."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._id = ""
        self._basis: Basis = ([], {})
        self._running: Deferred | None = None

    def plan(self) -> Deferred:
        """Read the configuration again; return a deferred function with the struct of `planUpdate`.

        The id stays the same while nothing has changed, so several clients may show one plan.
        The function raises `RPCError` CANT_REREAD.
        """
        put = self._daemon.runtime.services.start_queue.put
        return then(gather(self._daemon.reread_steps(), put), lambda _: self._plan())

    def _plan(self) -> Deferred:
        basis = self._current()
        if not self._id or basis != self._basis:
            self._id, self._basis = os.urandom(ID_BYTES).hex(), basis
        return self._with_steps(basis, partial(_plan_struct, self._id))

    def apply(self, plan_id: str, names: Sequence[str] = ()) -> Deferred:
        """Apply the plan with this id, for some groups or for all of them; see `applyUpdate`.

        The work goes on when the caller does not wait for the result.  Raises `RPCError` FAILED for
        a plan that is out of date and while another one is being applied, BAD_NAME for an unknown
        group.
        """
        configured, present = basis = self._current()
        if not self._id or plan_id != self._id or basis != self._basis:
            raise RPCError(Faults.FAILED, OUTDATED)
        known = {config.name for config in configured} | present.keys()
        if not isinstance(names, list | tuple):
            raise RPCError(Faults.INCORRECT_PARAMETERS, names)
        for name in names:
            if not isinstance(name, str) or name not in known:
                raise RPCError(Faults.BAD_NAME, name)
        wanted = frozenset(names) or known

        def run(steps: list[Step]) -> Deferred:
            chosen = [step for step in steps if step.group in wanted]
            return UpdateRun(self._daemon, chosen, configured).function

        applied = self._run(self._with_steps(basis, run))
        self._id, self._basis = "", ([], {})  # frees the configs that are replaced
        return applied

    def _with_steps(self, basis: Basis, use: Callable[[list[Step]], Any]) -> Deferred:
        """Return a deferred function with the result of `use`, which gets the steps of a plan.

        The work is spread over iterations of the loop: to compare a thousand processes takes 50 ms.
        """
        put = self._daemon.runtime.services.start_queue.put
        steps = gather(plan_by_process(*basis), put)
        return then(steps, lambda found: use([step for step in found if step is not None]))

    def scale(self, program: str, count: int) -> Deferred:
        """Change the number of processes of a program; see `setNumprocs`.

        Reads the configuration again, as new processes follow it; other changes stay pending.
        Raises `RPCError`.
        """
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_PROCESSES:
            text = f"the number of processes must be from 1 to {MAX_PROCESSES}: {count!r}"
            raise RPCError(Faults.INCORRECT_PARAMETERS, text)
        self._check_idle()
        section, scales = self._section(program), self._daemon.options.scales
        before = scales.snapshot()
        scales.set(section, count)
        try:
            self._daemon.reread()
        except RPCError:
            scales.restore(before)
            raise
        configured, present = self._current()
        if problem := self._obstacle(program, section):
            scales.restore(before)
            self._daemon.reread()  # without the number
            raise RPCError(Faults.FAILED, problem)
        groups = [
            _scaled(present[config.name], config, section)
            for config in configured
            if config.name in present and _has_member(config, present[config.name], section)
        ]
        steps = make_plan(groups, {config.name: present[config.name] for config in groups})
        return self._run(UpdateRun(self._daemon, _highest_first(steps), groups).function)

    def _obstacle(self, program: str, section: str) -> str | None:
        """Return why the configuration does not allow a number of processes, None if it does."""
        configured, present = self._current()
        names = {
            each.name
            for config in configured
            for each in config.process_configs
            if each.section == section
        }
        kept = [
            each.name in names
            for group in present.values()
            for each in group.processes.values()
            if each.section == section
        ]
        if not names:
            return f"{program} is no longer in the configuration"
        if not self._daemon.options.scales.is_numbered(section):
            return f"{program} needs %(process_num)d in its process_name for several processes"
        if not any(kept):
            return f"the names of the processes of {program} have changed, run update first"
        return None

    def _section(self, program: str) -> str:
        """Return the section of a running program; raises `RPCError`."""
        members = [
            process.config
            for group in self._daemon.process_groups.values()
            for process in group.processes.values()
        ]
        sections = {config.section for config in members if config.program == program}
        if len(sections) != 1:
            raise RPCError(Faults.BAD_NAME, program)
        return sections.pop()

    @property
    def is_busy(self) -> bool:
        """Whether a plan is being applied."""
        return self._running is not None and self._running() is NOT_DONE_YET

    def _check_idle(self) -> None:
        if self.is_busy:
            raise RPCError(Faults.FAILED, BUSY)

    def _run(self, work: Deferred) -> Deferred:
        """Do the work, whether or not the caller waits for it; raises `RPCError` if it is busy."""
        self._check_idle()
        self._running = detached(work, self._daemon.runtime.loop)
        return self._running

    def _current(self) -> Basis:
        running = {
            name: RunningGroup(
                group.config, {key: each.config for key, each in group.processes.items()}
            )
            for name, group in self._daemon.process_groups.items()
        }
        return list(self._daemon.options.process_group_configs), running


def _plan_struct(plan_id: str, steps: Sequence[Step]) -> dict[str, Any]:
    return {"id": plan_id, "steps": [step.struct() for step in steps]}


def _has_member(config: ProcessGroupConfig, present: RunningGroup, section: str) -> bool:
    members = (*config.process_configs, *present.processes.values())
    return any(each.section == section for each in members)


def _scaled(
    present: RunningGroup, configured: ProcessGroupConfig, section: str
) -> ProcessGroupConfig:
    """Return the config of a group that differs in the processes of one section alone."""
    own = [config for config in configured.process_configs if config.section == section]
    kept = {config.name for config in own}
    others = [
        config
        for config in present.processes.values()
        if config.section != section or config.name in kept
    ]
    added = [config for config in own if config.name not in present.processes]
    order = {config.name: number for number, config in enumerate(configured.process_configs)}
    members = sorted([*others, *added], key=lambda each: order.get(each.name, len(order)))
    return replace(present.config, process_configs=members)


def _highest_first(steps: Sequence[Step]) -> list[Step]:
    """Return steps with those that remove processes in the reverse order."""
    removals = [step for step in steps if step.action == REMOVE]
    return [*(step for step in steps if step.action != REMOVE), *reversed(removals)]
