"""The orders of the rows."""

from __future__ import annotations

from supervisor.web import kinds
from supervisor.web.columns import BY_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from supervisor.process.usage import Usage
    from supervisor.rpc.lookup import Member


def _urgency(member: Member) -> tuple[int, str]:
    return kinds.KINDS.index(kinds.kind_of(member)), member[1].config.name


def _latest_first(member: Member) -> float:
    return -max(member[1].laststart, member[1].laststop)


def _most_restarts_first(member: Member) -> int:
    return -member[1].history.restarts


def _usage(member: Member) -> Usage:
    process = member[1]
    return process.runtime.services.usage.usage(process.pid)


def _most_cpu_first(member: Member) -> float:
    return -_usage(member).cpu_percent


def _most_memory_first(member: Member) -> int:
    return -_usage(member).memory_bytes


KEYS: Final[dict[str, Callable[[Member], Any]]] = {
    "state": _urgency,
    "changed": _latest_first,
    "restarts": _most_restarts_first,
    "cpu": _most_cpu_first,
    "memory": _most_memory_first,
}

SORTS: Final = (BY_NAME, *KEYS)

SORTS_BY_USAGE: Final = frozenset({"cpu", "memory"})
"""Orders that need a sample of /proc."""
