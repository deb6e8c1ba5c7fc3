"""The plan of an update: the steps from the running groups to the configured ones.

Pure: configs in, steps out.  There is a step for each process that changes, and one for a group
(its name is `*`) whose own options change.  A process restarts only if an option differs that is
not `live`; the others can be applied while it runs.  A process keeps its identity by its name, so
a change of `numprocs` adds or removes processes and leaves the others as they are, unless one of
their options expands `%(numprocs)s`.  The steps of these processes have the change.

A group is replaced as a whole, as by a plain `update`, if it becomes another kind of group, or if
the socket of an `[fcgi-program:x]` changes: its processes share the socket.
"""

from __future__ import annotations

from collections import Counter

from supervisor.common.records import record
from supervisor.config.changes import changed_options
from supervisor.config.model import EventListenerPoolConfig, FastCGIGroupConfig
from supervisor.config.notation import in_notation
from supervisor.config.option import options_of
from supervisor.config.process_config import ProcessConfig
from supervisor.events import getEventNameByType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from supervisor.config.model import ProcessGroupConfig

ADD, REMOVE, RESTART, APPLY = "add", "remove", "restart", "apply"

WHOLE_GROUP = "*"
"""Name of a step that concerns a group and none of its processes."""

ROWS = {row.name: row for row in options_of(ProcessConfig)}


@record(frozen=True)
class RunningGroup:
    """The config of a group, and those of its processes by name."""

    config: ProcessGroupConfig
    processes: Mapping[str, ProcessConfig]


@record(frozen=True)
class Change:
    """An option that differs; the values are "" if they are not to be shown."""

    name: str
    old: str = ""
    new: str = ""


@record(frozen=True)
class Step:
    """A change of one process, or of the options of a group."""

    action: str
    group: str
    name: str
    changes: tuple[Change, ...] = ()

    def struct(self) -> dict[str, Any]:
        """Return the step for RPC clients."""
        return {
            "action": self.action,
            "group": self.group,
            "name": self.name,
            "options": [dict(vars(change)) for change in self.changes],
        }


def make_plan(
    configured: Sequence[ProcessGroupConfig], running: Mapping[str, RunningGroup]
) -> list[Step]:
    """Return the steps, in the order of the configuration; removed groups are at the end."""
    return [step for step in plan_by_process(configured, running) if step is not None]


def plan_by_process(
    configured: Sequence[ProcessGroupConfig], running: Mapping[str, RunningGroup]
) -> Iterator[Step | None]:
    """Yield the steps, None for each process that stays, so that the work can be spread."""
    for config in configured:
        present = running.get(config.name)
        if present is None:
            yield from _whole(ADD, config.name, [each.name for each in config.process_configs])
        else:
            yield from _group_steps(config, present)
    names = {config.name for config in configured}
    for name, present in running.items():
        if name not in names:
            yield from _whole(REMOVE, name, list(present.processes))


def replacement_reason(old: ProcessGroupConfig, new: ProcessGroupConfig) -> str | None:
    """Return the name of the option that requires another group object, None if none does."""
    if _kind(old) is not _kind(new):
        return "section"
    if isinstance(old, FastCGIGroupConfig) and isinstance(new, FastCGIGroupConfig):
        return None if old.socket_config == new.socket_config else "socket"
    return None


def _kind(config: ProcessGroupConfig) -> type | None:
    """Return the class of a group that is not an ordinary one."""
    for kind in (EventListenerPoolConfig, FastCGIGroupConfig):
        if isinstance(config, kind):
            return kind
    return None


def _whole(action: str, group: str, names: list[str]) -> Iterator[Step]:
    """Yield a step for each process of a group; one for the group if there are none."""
    return (Step(action, group, name) for name in names or [WHOLE_GROUP])


def _group_steps(config: ProcessGroupConfig, present: RunningGroup) -> Iterator[Step | None]:
    reason = replacement_reason(present.config, config)
    numbers = _NumberChanges(present.processes.values(), config.process_configs)
    shown: set[Change] = set()
    for each in config.process_configs:
        old = present.processes.get(each.name)
        if old is None:
            step: Step | None = Step(ADD, config.name, each.name, numbers.of(each))
        else:
            step = _process_step(config.name, old, each, reason)
        if step is not None:
            shown.update(step.changes)
        yield step
    if reason is None:
        yield _options_step(config, present.config, shown)
    kept = {each.name for each in config.process_configs}
    for name, each in present.processes.items():
        if name not in kept:
            yield Step(REMOVE, config.name, name, numbers.of(each))


class _NumberChanges:
    """Changes of `numprocs` of the programs of a group."""

    def __init__(self, old: Iterable[ProcessConfig], new: Iterable[ProcessConfig]) -> None:
        self._numbers = [Counter(each.program for each in configs) for configs in (old, new)]

    def of(self, config: ProcessConfig) -> tuple[Change, ...]:
        """Return the change of a process's program; none if the whole program comes or goes."""
        old, new = (numbers[config.program] for numbers in self._numbers)
        return (Change("numprocs", str(old), str(new)),) if old and new and old != new else ()


def _process_step(
    group: str, old: ProcessConfig, new: ProcessConfig, reason: str | None
) -> Step | None:
    names = changed_options(old, new)
    changes = tuple(_shown(name, old, new) for name in names)
    if reason is not None:
        changes = (Change(reason), *changes)
    if reason is not None or not all(ROWS[name].live for name in names):
        return Step(RESTART, group, new.name, changes)
    return Step(APPLY, group, new.name, changes) if changes else None


def _shown(name: str, old: ProcessConfig, new: ProcessConfig) -> Change:
    row = ROWS[name]
    texts = [in_notation(row, getattr(each, row.attribute)) for each in (old, new)]
    return Change(name) if None in texts else Change(name, *map(str, texts))


# -- options of groups ---------------------------------------------------------------


def _event_names(value: list[type]) -> str:
    return ",".join(str(getEventNameByType(each)) for each in value)


def _function_name(value: Any) -> str:
    return f"{getattr(value, '__module__', '')}:{getattr(value, '__name__', '')}"


# Option -> the attribute of the group's config, and its notation.
GROUP_OPTIONS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("priority", "priority", str),
    ("buffer_size", "buffer_size", str),
    ("events", "pool_events", _event_names),
    ("result_handler", "result_handler", _function_name),
)


def _options_step(
    config: ProcessGroupConfig, present: ProcessGroupConfig, shown: set[Change]
) -> Step | None:
    """Return the step of the group; `shown` are changes of its processes.

    The priority of a program is also that of the group which consists of it alone.
    """
    changes = []
    for name, attribute, notation in GROUP_OPTIONS:
        old, new = getattr(present, attribute, None), getattr(config, attribute, None)
        if old != new:
            changes.append(Change(name, notation(old), notation(new)))
    left = [each for each in changes if each not in shown and Change(each.name) not in shown]
    return Step(APPLY, config.name, WHOLE_GROUP, tuple(left)) if left else None
