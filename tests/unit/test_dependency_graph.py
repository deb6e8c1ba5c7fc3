"""Dependencies: the syntax of `depends_on`, cycles, and what is reached."""

from __future__ import annotations

import itertools
from graphlib import CycleError, TopologicalSorter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.common.dependency_graph import (
    Requirement,
    closure,
    find_cycle,
    parse_requirements,
    reversed_graph,
)

nodes = st.integers(0, 8)
graphs = st.dictionaries(nodes, st.lists(nodes, max_size=4, unique=True), max_size=9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("db", ["db"]),
        (" db , cache,", ["db", "cache"]),
        ("db, grp:*, -cache", ["db", "grp:*", "-cache"]),
        ("- cache", ["-cache"]),
        ("grp:web_01", ["grp:web_01"]),
        ("a-b", ["a-b"]),
        ("db\ncache", None),
        ("db,\n cache", ["db", "cache"]),
        ("db cache", None),
        ("-", None),
        ("db, -", None),
        (":x", None),
        ("grp:", None),
        ("db, db", None),
        ("db, -db", None),
    ],
)
def test_lists(text: str, expected: list[str] | None) -> None:
    if expected is None:
        with pytest.raises(ValueError, match=r".+"):
            parse_requirements(text)
    else:
        found = parse_requirements(text)
        assert [str(each) for each in found] == expected
        assert all(each.is_soft == str(each).startswith("-") for each in found)


def test_a_requirement_is_a_value() -> None:
    assert parse_requirements("-x") == (Requirement("x", is_soft=True),)


@given(graphs)
def test_a_cycle_is_found_where_there_is_one(graph: dict[int, list[int]]) -> None:
    cycle = find_cycle(graph)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError:
        assert cycle[0] == cycle[-1]
        assert len(set(cycle)) == len(cycle) - 1
        assert all(after in graph[before] for before, after in itertools.pairwise(cycle))
    else:
        assert cycle == []


def test_a_node_that_needs_itself_is_a_cycle() -> None:
    assert find_cycle({"a": ["a"]}) == ["a", "a"]


def test_a_long_chain_needs_no_deep_stack() -> None:
    chain = {number: [number + 1] for number in range(50_000)}
    assert find_cycle(chain) == []
    assert len(find_cycle({**chain, 50_000: [0]})) == 50_002


@given(graphs, st.lists(nodes, max_size=3, unique=True))
def test_the_closure_is_what_can_be_reached(graph: dict[int, list[int]], start: list[int]) -> None:
    reached = closure(start, lambda node: graph.get(node, []))
    assert reached[: len(start)] == start
    assert len(set(reached)) == len(reached)
    expected = set(start)
    while new := {each for node in expected for each in graph.get(node, [])} - expected:
        expected |= new
    assert set(reached) == expected


@given(graphs)
def test_dependents_are_the_reverse(graph: dict[int, list[int]]) -> None:
    pairs = {(node, each) for node, needed in graph.items() for each in needed}
    dependents = reversed_graph(graph)
    assert {(each, node) for node, others in dependents.items() for each in others} == pairs
    assert graph.keys() <= dependents.keys()
