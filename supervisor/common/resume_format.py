"""The snapshot by which a daemon hands over to the next one, see docs/reference/snapshot.md.

The first line is the head, which every version can read: what must never be lost, above all the
children.  The second one is the state as the format of its number has it.
"""

from __future__ import annotations

import json

from supervisor.common.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Final

SNAPSHOT_FORMAT: Final = 1
"""Number of the format that this version writes; it reads this one and all before."""

FD: Final = "fd"
"""Key of each fd that stays open."""


@record(frozen=True)
class Snapshot:
    """A snapshot: `head` as every version has it, `state`, and the number of its `format`.

    `problem` is the reason for which the state cannot be read, "" if it can.
    """

    head: Mapping[str, Any]
    state: Mapping[str, Any]
    problem: str = ""

    @property
    def format(self) -> int:
        """The number of the format."""
        return int(self.head["format"])


def encode(head: Mapping[str, Any], state: Mapping[str, Any]) -> bytes:
    """Return the bytes of a snapshot; the values are JSON values."""
    return f"{json.dumps({'format': SNAPSHOT_FORMAT, **head})}\n{json.dumps(state)}\n".encode()


def decode(data: bytes) -> Snapshot:
    """Return the snapshot; raises `ValueError` with a reason if not even its head can be read."""
    first, _, rest = data.partition(b"\n")
    head = _decode_object(first)
    if not isinstance(head.get("format"), int) or not _are_children(head.get("children")):
        raise ValueError("it has no head")
    if head["format"] > SNAPSHOT_FORMAT:
        return Snapshot(head, {}, f"its format {head['format']} is that of a newer version")
    try:
        return Snapshot(head, _decode_object(rest))
    except ValueError as error:
        return Snapshot(head, {}, str(error))


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


def fds_in(value: object) -> Iterator[int]:
    """Yield each fd in a snapshot."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key == FD:
                if isinstance(each, int) and each >= 0:
                    yield each
            else:
                yield from fds_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from fds_in(each)
