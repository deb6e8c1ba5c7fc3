"""Wildcards in names: `web_*`, `team:worker_?`, `[ab]*`.

Pure functions.  The client expands patterns, so that they work with every server.  A name without
wildcards and `group:*` are not patterns: they reach the server as in Supervisor 4.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from supervisor.common.namespec import is_pattern, make_namespec

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Collection, Iterable, Mapping
    from typing import Any

    Info = Mapping[str, Any]


def expand(names: Iterable[str], infos: Iterable[Info]) -> list[str]:
    """Return names with each pattern replaced by the processes that it matches.

    `infos` are all processes.  A pattern matches a name as `status` shows it, or written as
    `group:process`.  It remains if it matches nothing, so that the command reports it, or if a
    process or a group has that very name.
    """
    spellings = {
        make_namespec(info["group"], info["name"]): f"{info['group']}:{info['name']}"
        for info in infos
    }
    known = {name: {name, full} for name, full in spellings.items()}
    groups = {f"{full.partition(':')[0]}:*" for full in spellings.values()}
    return _expand(names, known, {*spellings.values(), *groups})


def expand_groups(names: Iterable[str], groups: Iterable[str]) -> list[str]:
    """Return names with each pattern replaced by the groups that it matches, as `expand` does."""
    return _expand(names, {group: {group} for group in groups}, ())


def _expand(
    names: Iterable[str], known: Mapping[str, set[str]], exact: Collection[str]
) -> list[str]:
    """Replace patterns; `known` has the spellings of each name, `exact` are further names."""
    expanded: list[str] = []
    for name in names:
        matches = [name]
        if is_pattern(name) and name not in known and name not in exact:
            found = [
                each
                for each, spellings in known.items()
                if any(fnmatchcase(spelling, name) for spelling in spellings)
            ]
            matches = [each for each in found if each not in expanded] if found else [name]
        expanded += matches
    return expanded
