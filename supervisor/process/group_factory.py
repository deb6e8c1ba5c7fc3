"""Construction of the right kind of group for a configuration."""

from __future__ import annotations

from supervisor.config.model import EventListenerPoolConfig, FastCGIGroupConfig
from supervisor.process.event_pools import EventListenerPool
from supervisor.process.groups import ProcessGroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from supervisor.config.model import ProcessGroupConfig
    from supervisor.process.groups import ProcessGroupBase
    from supervisor.process.runtime import Runtime


def make_group(
    config: ProcessGroupConfig,
    runtime: Runtime,
    *,
    must_open: bool,
    opened: Mapping[str, Any] | None = None,
) -> ProcessGroupBase:
    """Return a new group; raises `ValueError` if its FastCGI socket `must_open` and cannot.

    `opened` is the snapshot of the socket of a group that another daemon has made.
    """
    if isinstance(config, EventListenerPoolConfig):
        return EventListenerPool(config, runtime)
    if isinstance(config, FastCGIGroupConfig):
        from supervisor.process.fastcgi import FastCGIProcessGroup

        return FastCGIProcessGroup(config, runtime, must_open=must_open, opened=opened)
    return ProcessGroup(config, runtime)
