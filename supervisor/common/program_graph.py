"""Programs and their dependencies, made from the structs of `getDependencies` (pure)."""

from __future__ import annotations

from supervisor.common.dependency_graph import closure
from supervisor.common.namespec import is_pattern, split_namespec

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Iterable, Mapping
    from typing import Any

    Program = Mapping[str, Any]
    Edge = tuple[str, str]
    """A neighbouring program, and the kind of the dependency: "", `completed`, `exited`, ..."""


class Graph:
    """Programs and their dependencies, in both directions."""

    def __init__(self, programs: Iterable[Program]) -> None:
        self.programs = {program["name"]: program for program in programs}
        self.needs: dict[str, list[Edge]] = {name: [] for name in self.programs}
        self.needed_by: dict[str, list[Edge]] = {name: [] for name in self.programs}
        for name, program in self.programs.items():
            for need in program["needs"]:
                for target in need["programs"] or [need["name"]]:
                    self.needs[name].append((target, _kind(need)))
                    self.needed_by.setdefault(target, []).append((name, _kind(need)))

    def find(self, name: str) -> list[str]:
        """Return the programs that a name means.

        It may be that of a program, of a process or `group:*`, or a pattern.
        """
        if name in self.programs:
            return [name]
        group, process = split_namespec(name)
        found = [
            program
            for program, struct in self.programs.items()
            if any(
                split_namespec(each)[0] == group if process is None else each == name
                for each in struct["processes"]
            )
        ]
        return found or (self._matching(name) if is_pattern(name) else [])

    def _matching(self, pattern: str) -> list[str]:
        from fnmatch import fnmatchcase

        return [
            program
            for program, struct in self.programs.items()
            if any(fnmatchcase(each, pattern) for each in (program, *struct["processes"]))
        ]

    def around(self, names: Iterable[str]) -> Graph:
        """Return the part with some programs, what they need, and what needs them."""
        names = list(names)
        kept = {
            *closure(names, lambda each: [target for target, _ in self.needs.get(each, ())]),
            *closure(names, lambda each: [other for other, _ in self.needed_by.get(each, ())]),
        }
        return Graph(program for name, program in self.programs.items() if name in kept)

    def connected(self) -> list[str]:
        """Return the programs with a dependency in either direction."""
        return [name for name in self.needs if self.needs[name] or self.needed_by[name]]


def _kind(need: Mapping[str, Any]) -> str:
    kind = "" if need["condition"] == "running" else str(need["condition"])
    return "optional" if need["optional"] else kind
