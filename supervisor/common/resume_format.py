"""The snapshot by which a daemon hands over to the next one, see docs/reference/snapshot.md.

The first line is the head, which every version can read: what must never be lost, above all the
children.  The second one is the state as the format of its number has it.
"""

from __future__ import annotations

import json
import re

from supervisor.common.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

SNAPSHOT_FORMAT: Final = 1
"""Number of the format that this version writes; it reads this one and all before."""

FD_PATTERN: Final = re.compile(rb'"fd": (\d+)')
"""The key of each fd that stays open.  In a text of JSON, a backslash precedes each quote."""


@record(frozen=True)
class Snapshot:
    """A snapshot: `head` as every version has it, and `state`.

    `problem` is the reason for which the state cannot be read, "" if it can.  `fds` are those of
    both parts, also of a state that cannot be read.
    """

    head: Mapping[str, Any]
    state: Mapping[str, Any]
    problem: str = ""
    fds: frozenset[int] = frozenset()


def encode(head: Mapping[str, Any], state: Mapping[str, Any]) -> bytes:
    """Return the bytes of a snapshot; the values are JSON values."""
    parts = ({"format": SNAPSHOT_FORMAT, **head}, state)
    # The check for cycles takes a third of the time.
    return b"".join(f"{json.dumps(part, check_circular=False)}\n".encode() for part in parts)


def decode(data: bytes) -> Snapshot:
    """Return the snapshot; raises `ValueError` with a reason if not even its head can be read."""
    first, _, rest = data.partition(b"\n")
    head = _decode_object(first)
    if not isinstance(head.get("format"), int) or not _are_children(head.get("children")):
        raise ValueError("it has no head")
    fds = fds_in(data)
    if head["format"] > SNAPSHOT_FORMAT:
        problem = f"its format {head['format']} is that of a newer version"
        return Snapshot(head, {}, problem, fds)
    try:
        return Snapshot(head, _decode_object(rest), fds=fds)
    except ValueError as error:
        return Snapshot(head, {}, str(error), fds)


def _are_children(value: object) -> bool:
    """Whether a value is a list of children as `snapshot.head_of` writes them."""
    return isinstance(value, list) and all(
        isinstance(child, dict)
        and isinstance(child.get("name"), str)
        and isinstance(child.get("pid"), int)
        and isinstance(child.get("started"), int)
        and isinstance(child.get("pipes"), list)
        for child in value
    )


def _decode_object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("it is not complete JSON") from None
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - as above
    return value


def fds_in(data: bytes) -> frozenset[int]:
    """Return all fds in the bytes of a snapshot, of any version.

    A walk over the values takes 40 ms for 1,000 processes, this search 2.
    """
    return frozenset(map(int, FD_PATTERN.findall(data)))
