"""Updates of the running daemon: plans, which clients see before they apply them."""

from __future__ import annotations

import os

from supervisor.common.faults import Faults, RPCError
from supervisor.daemon.update_plan import RunningGroup, make_plan
from supervisor.daemon.update_run import UpdateRun
from supervisor.engine.deferred import NOT_DONE_YET, detached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
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
BUSY = "another update is being applied"


class Updates:
    """The updates of one daemon; it remembers the latest plan."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._id = ""
        self._basis: Basis = ([], {})
        self._running: Deferred | None = None

    def plan(self) -> dict[str, Any]:
        """Read the configuration again; return the struct of `planUpdate`.

        The id stays the same while nothing has changed, so several clients may show one plan.
        Raises `RPCError` CANT_REREAD.
        """
        self._daemon.reread()
        basis = self._current()
        if not self._id or basis != self._basis:
            self._id, self._basis = os.urandom(ID_BYTES).hex(), basis
        return {"id": self._id, "steps": [step.struct() for step in make_plan(*basis)]}

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
        for name in names:
            if name not in known:
                raise RPCError(Faults.BAD_NAME, name)
        steps = make_plan(configured, present)
        return self._run([each for each in steps if not names or each.group in names], configured)

    def _run(self, steps: Sequence[Step], configured: Sequence[ProcessGroupConfig]) -> Deferred:
        if self._running is not None and self._running() is NOT_DONE_YET:
            raise RPCError(Faults.FAILED, BUSY)
        run = UpdateRun(self._daemon, steps, configured)
        self._running = detached(run.function, self._daemon.runtime.loop)
        return self._running

    def _current(self) -> Basis:
        running = {
            name: RunningGroup(
                group.config, {key: each.config for key, each in group.processes.items()}
            )
            for name, group in self._daemon.process_groups.items()
        }
        return list(self._daemon.options.process_group_configs), running
