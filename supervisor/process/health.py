"""The health monitor of a process, if its options require one."""

from __future__ import annotations

from supervisor.config.process_config import full_config
from supervisor.states import ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from supervisor.config.model import ProcessConfig
    from supervisor.process.health_monitor import HealthMonitor
    from supervisor.process.monitored import Monitored

    class Owner(Monitored, Protocol):
        """A process that may have a monitor."""

        health: HealthMonitor | None


def make_health_monitor(process: Monitored) -> HealthMonitor | None:
    """Return a monitor for a process, None if its options require none."""
    config = full_config(process.config)
    if not config.health.is_effective(config.notify):
        return None
    from supervisor.process.health_monitor import HealthMonitor  # few programs need it

    return HealthMonitor(process)


def replace_health_monitor(process: Owner, before: ProcessConfig) -> None:
    """Follow the config of a process, which has replaced `before`, also in a run in progress."""
    if full_config(before).health == full_config(process.config).health:
        return
    monitor, process.health = process.health, make_health_monitor(process)
    if monitor is not None:
        monitor.cancel_check()
    if process.health is not None and process.state == ProcessStates.RUNNING:
        process.health.continue_run(monitor)
