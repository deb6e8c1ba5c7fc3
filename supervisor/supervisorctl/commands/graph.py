"""The command that shows the dependencies between programs: graph.

The daemon returns a struct for each program (`getDependencies`).  The formats are pure functions
of these structs.
"""

from __future__ import annotations

from supervisor.common.program_graph import Graph
from supervisor.supervisorctl.commands import CommandGroup
from supervisor.supervisorctl.flags import Flag, FlagTable
from supervisor.supervisorctl.results import LSBInitExitStatuses

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Mapping, Sequence

    from supervisor.common.program_graph import Edge

FORMAT = "--format"
NO_DEPENDENCIES = "No program depends on another."


# -- the formats -----------------------------------------------------------------


def text(graph: Graph, names: Sequence[str]) -> str:
    """Return trees, in which each program is above those that it needs."""
    if names:
        return "\n\n".join(_neighbours(graph, name) for name in names)
    roots = [each for each in graph.connected() if not graph.needed_by[each]]
    trees = ["\n".join([root, *_tree(root, graph.needs)]) for root in roots]
    return "\n".join(trees) or NO_DEPENDENCIES


def _neighbours(graph: Graph, name: str) -> str:
    """Return what one program needs, and what needs it."""
    lines = [name, *(_tree(name, graph.needs) or ["  needs no other program"])]
    dependents = _tree(name, graph.needed_by)
    if dependents:
        lines += ["", f"{name} is needed by", *dependents]
    return "\n".join(lines)


def _tree(root: str, edges: Mapping[str, list[Edge]]) -> list[str]:
    """Return an indented line for each program below the root; a branch is shown once.

    Iterative: a chain of programs may be longer than Python's stack.
    """
    lines, shown = [], {root}
    pending = [(1, edge) for edge in reversed(edges.get(root, []))]
    while pending:
        depth, (name, kind) = pending.pop()
        below = edges.get(name, [])
        notes = [kind] if kind else []
        if below and name in shown:
            notes.append("see above")
        else:
            pending += [(depth + 1, edge) for edge in reversed(below)]
        shown.add(name)
        suffix = f" ({', '.join(notes)})" if notes else ""
        lines.append(f"{'  ' * depth}{name}{suffix}")
    return lines


def mermaid(graph: Graph, _names: Sequence[str]) -> str:
    """Return a flow chart for Mermaid (mermaid.js.org); an arrow leads to what is needed."""
    names = graph.connected()
    ids = {each: f"p{number}" for number, each in enumerate(names)}
    lines = ["graph TD", *(f"  {ids[each]}[{_quoted(each)}]" for each in names)]
    for source in names:
        for target, kind in graph.needs[source]:
            if target in ids:
                arrow = f"-->|{kind}|" if kind else "-->"
                lines.append(f"  {ids[source]} {arrow} {ids[target]}")
    return "\n".join(lines)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', "#quot;") + '"'


def as_json(graph: Graph, _names: Sequence[str]) -> str:
    """Return the structs of the daemon as a JSON array."""
    import json

    return json.dumps(list(graph.programs.values()))


FORMATS: dict[str, Callable[[Graph, Sequence[str]], str]] = {
    "text": text,
    "mermaid": mermaid,
    "json": as_json,
}


class GraphCommands(CommandGroup):
    """The command that shows dependencies."""

    flags_graph = FlagTable(
        Flag(
            FORMAT,
            help="text (default), mermaid or json",
            value="FORMAT",
            choices=tuple(FORMATS),
            default="text",
            machine_readable=True,
        )
    )

    def do_graph(self, arg: str) -> None:
        """Print which programs need which others."""
        given = self._parse("graph", arg)
        if given is None or not self.ctl.upcheck():
            return
        if len(given.names) > 1:
            self._refuse("Error: graph accepts one name", "graph")
            return
        graph = Graph(self.ctl.get_supervisor().getDependencies())
        programs = [program for name in given.names for program in graph.find(name)]
        if given.names:
            if not programs:
                self.ctl.output(f"{given.names[0]}: ERROR (no such process)")
                self.ctl.exitstatus = LSBInitExitStatuses.GENERIC
                self._hint_for_name(given.names[0])
                return
            graph = graph.around(programs)
        self.ctl.print_result(FORMATS[given[FORMAT]](graph, programs))

    def help_graph(self) -> None:
        """Print the help of `graph`."""
        self.ctl.output("graph\t\t\tShow which programs need which others")
        self.ctl.output("graph <name>\t\tShow what one program needs, and what needs it")
