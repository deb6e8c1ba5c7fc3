"""The processes that a name on the command line means."""

from __future__ import annotations

from supervisor.common.namespec import split_namespec

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Mapping
    from typing import Any


def matches(info: Mapping[str, Any], namespec: str) -> bool:
    """Whether a namespec means a process, by its own name or its group's.

    `info` is a result of `getProcessInfo`.
    """
    group, process = split_namespec(namespec)
    return bool(info["group"] == group and process in {None, info["name"]})
