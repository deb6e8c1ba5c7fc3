"""Check of the dependencies between the programs of a configuration."""

from __future__ import annotations

from supervisor.common.dependency_graph import find_cycle
from supervisor.config.model import EventListenerPoolConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from supervisor.common.dependency_graph import Requirement
    from supervisor.config.model import ProcessConfig, ProcessGroupConfig
    from supervisor.config.parser import UnhosedConfigParser

OPTIONS = ("depends_on", "depends_on_completed", "depends_on_exited")


def check_dependencies(parser: UnhosedConfigParser, groups: Iterable[ProcessGroupConfig]) -> None:
    """Report unknown names, listeners, and programs that need themselves."""
    groups = list(groups)
    programs = {process.section: process for group in groups for process in group.process_configs}
    dependent = [each for each in programs.values() if any(True for _ in _requirements(each))]
    if not dependent:
        return
    targets = Targets(groups)
    graph: dict[str, list[str]] = {}
    for process in dependent:
        section = parser.section(process.section)
        for option, requirement in _requirements(process):
            found = targets.find(requirement.target)
            if found is None:
                if requirement.target.partition(":")[0] not in parser.mistakes.lost:
                    problem = f"unknown program {requirement.target!r}"
                    parser.mistakes.report(section.error(problem, option))
                continue
            if found & targets.listeners:
                problem = f"{requirement.target!r} is an event listener, no program may need it"
                parser.mistakes.report(section.error(problem, option))
                continue
            graph.setdefault(process.section, []).extend(sorted(found))
    cycle = find_cycle(graph)
    if cycle:
        names = [section.partition(":")[2] for section in cycle]
        section = parser.section(cycle[0])
        option = next(option for option, _ in _requirements(programs[cycle[0]]))
        problem = f"dependency cycle: {' -> '.join(names)}"
        parser.mistakes.report(section.error(problem, option))


def _requirements(process: ProcessConfig) -> Iterator[tuple[str, Requirement]]:
    for option in OPTIONS:
        for requirement in getattr(process, option):
            yield option, requirement


class Targets:
    """Sections of programs by the names that requirements use."""

    def __init__(self, groups: Iterable[ProcessGroupConfig]) -> None:
        self.listeners: set[str] = set()
        self._programs: dict[str, set[str]] = {}
        self._members: dict[str, dict[str, str]] = {}
        for group in groups:
            members = self._members[group.name] = {}
            for process in group.process_configs:
                members[process.name] = process.section
                self._programs.setdefault(process.program, set()).add(process.section)
                if isinstance(group, EventListenerPoolConfig):
                    self.listeners.add(process.section)

    def find(self, target: str) -> set[str] | None:
        """Return the sections of `program`, `group:*` or `group:process`; None for none."""
        group, colon, process = target.partition(":")
        if not colon:
            return self._programs.get(target)
        members = self._members.get(group)
        if members is None:
            return None
        if process == "*":
            return set(members.values())
        return {members[process]} if process in members else None
