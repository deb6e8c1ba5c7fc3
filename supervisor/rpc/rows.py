"""The processes as XML: each keeps its row until it changes (floor 5).

The special form of what `info` and `xmlvalues` say, byte for byte: 2 instead of 10 microseconds
for a process.
"""

from __future__ import annotations

from supervisor.rpc import info
from supervisor.states import ProcessStates
from supervisor.xmlvalues import Ready, to_xml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from supervisor.process.child import Subprocess
    from supervisor.process.groups import ProcessGroupBase
    from supervisor.rpc.lookup import Member

Row: TypeAlias = "tuple[str, int | None]"
"""XML with a place for the time, and one for the uptime if the process runs since a second."""


def rows(members: Iterable[Member], now: int) -> list[Ready]:
    """Return the structs of `getProcessInfo` as XML, as of `now` (seconds since the epoch)."""
    now_text = to_xml(now)
    texts = []
    for group, process in members:
        row, start = _row(group, process)
        gaps = (now_text,) if start is None else (now_text, info.uptime(now - start))
        texts.append(Ready(row % gaps))
    return texts


def _row(group: ProcessGroupBase, process: Subprocess) -> Row:
    """Return the process's row, made anew if anything has changed that it shows."""
    facts = info.facts(group, process)
    kept: tuple[info.Facts, Row] | None = process.kept_row
    if kept is None or kept[0] != facts:
        kept = process.kept_row = facts, _made(facts)
    return kept[1]


def _made(facts: info.Facts) -> Row:
    struct = info.struct(facts, now=0)
    members = {name: Ready(to_xml(value).replace("%", "%%")) for name, value in struct.items()}
    members["now"] = Ready("%s")
    if struct["state"] != ProcessStates.RUNNING:
        return to_xml(members), None
    members["description"] = Ready(to_xml(info.RUNNING.format(pid=struct["pid"], uptime="%s")))
    return to_xml(members), struct["start"]
