"""Dependencies between programs: the syntax of `depends_on`, and the graph (pure)."""

from __future__ import annotations

from supervisor.common.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
    from typing import TypeVar

    N = TypeVar("N", bound=Hashable)


@record(frozen=True)
class Requirement:
    """One item of a list such as `db, grp:*, -cache`.

    `target` is a program, `group:*` or `group:process`.  A soft requirement (`-x`) is met as well
    once its target has failed.
    """

    target: str
    is_soft: bool = False

    def __str__(self) -> str:
        return f"-{self.target}" if self.is_soft else self.target


def parse_requirements(text: str) -> tuple[Requirement, ...]:
    """Return the requirements of a comma-separated list; raises `ValueError`."""
    found: dict[str, Requirement] = {}
    for item in text.split(","):
        name = item.strip()
        target = name.removeprefix("-").strip()
        if not target:
            if name:
                raise ValueError(f"no name behind '-' in {text!r}")
            continue
        if target in found:
            raise ValueError(f"{target!r} is named twice")
        group, colon, process = target.partition(":")
        if any(each.isspace() for each in target) or (colon and not (group and process)):
            raise ValueError(f"{target!r} is not a program, group:* or group:process")
        found[target] = Requirement(target, name.startswith("-"))
    return tuple(found.values())


def find_cycle(graph: Mapping[N, Iterable[N]]) -> list[N]:
    """Return the nodes of a cycle, its first node again at the end; [] if there is none.

    `graph` maps a node to those it depends on.  The search is iterative: a chain of programs may
    be longer than Python's stack.
    """
    finished: set[N] = set()
    for start in graph:
        if start in finished:
            continue
        path: dict[N, None] = {start: None}
        pending = [iter(graph[start])]
        while pending:
            following = next(pending[-1], None)
            if following is None:
                pending.pop()
                finished.add(path.popitem()[0])
            elif following in path:
                nodes = list(path)
                return [*nodes[nodes.index(following) :], following]
            elif following not in finished:
                path[following] = None
                pending.append(iter(graph.get(following, ())))
    return []


def closure(nodes: Iterable[N], following: Callable[[N], Iterable[N]]) -> list[N]:
    """Return nodes and all that can be reached from them, the nearest first."""
    reached = dict.fromkeys(nodes)
    pending = list(reached)
    for node in pending:
        for each in following(node):
            if each not in reached:
                reached[each] = None
                pending.append(each)
    return pending


def reversed_graph(graph: Mapping[N, Collection[N]]) -> dict[N, list[N]]:
    """Return node -> the nodes that depend on it; the order of `graph` is kept."""
    dependents: dict[N, list[N]] = {node: [] for node in graph}
    for node, needed in graph.items():
        for each in needed:
            dependents.setdefault(each, []).append(node)
    return dependents
