"""Updates of the running daemon: plans, which clients see before they apply them."""

from __future__ import annotations

import os

from supervisor.daemon.update_plan import RunningGroup, make_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from supervisor.config.model import ProcessGroupConfig
    from supervisor.process.daemon_protocol import Daemon

    Basis: TypeAlias = tuple[list[ProcessGroupConfig], dict[str, RunningGroup]]
    """Everything that a plan depends on: the configured and the running groups."""

ID_BYTES = 8
"""Length of a plan's id, so that one from before a restart of the daemon is never valid."""


class Updates:
    """The updates of one daemon; it remembers the latest plan."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._id = ""
        self._basis: Basis = ([], {})

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

    def _current(self) -> Basis:
        running = {
            name: RunningGroup(
                group.config, {key: each.config for key, each in group.processes.items()}
            )
            for name, group in self._daemon.process_groups.items()
        }
        return list(self._daemon.options.process_group_configs), running
