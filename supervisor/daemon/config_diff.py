"""The difference between the running and the configured groups."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from supervisor.config.model import ProcessGroupConfig
    from supervisor.process.groups import ProcessGroupBase


def difference(
    configured: Sequence[ProcessGroupConfig], running: Mapping[str, ProcessGroupBase]
) -> list[list[str]]:
    """Return [added, changed, removed] group names, as `reloadConfig` reports them."""
    names = {config.name for config in configured}
    added = [config.name for config in configured if config.name not in running]
    changed = [
        config.name
        for config in configured
        if config.name in running and config != running[config.name].config
    ]
    removed = [name for name in running if name not in names]
    return [added, changed, removed]


def share_configs(
    configured: list[ProcessGroupConfig], running: Mapping[str, ProcessGroupBase]
) -> None:
    """Replace each config that equals that of a running group by the latter.

    Only these contain the paths of logs with AUTO.
    """
    for index, config in enumerate(configured):
        group = running.get(config.name)
        if group is not None and group.config == config:
            configured[index] = group.config
