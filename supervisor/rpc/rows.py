"""The processes as XML: each keeps its row until it changes (floor 5).

The special form of what `info` and `xmlvalues` say, byte for byte: 1 instead of 10 microseconds
for a process.  Rows are kept in pieces, because to join them costs a tenth of filling gaps in.
"""

from __future__ import annotations

from supervisor.rpc import info
from supervisor.states import ProcessStates
from supervisor.xmlvalues import Pieces, Ready, to_xml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final, TypeAlias

    from supervisor.rpc.lookup import Member

Row: TypeAlias = "tuple[info.Facts, bytes, bytes, bytes, int | None]"
"""What was shown, the XML around the time and the uptime, and since when it runs, if it does."""

GAP: Final = "\0"
"""Stands for the time and the uptime; XML cannot carry it."""


def rows(members: Iterable[Member], now: int) -> Pieces:
    """Return the structs of `getProcessInfo` as XML, as of `now` (seconds since the epoch)."""
    now_text = to_xml(now).encode()
    pieces = Pieces()
    for group, process in members:
        facts = info.facts(group, process)
        row: Row | None = process.kept_row
        if row is None or row[0] != facts:
            row = process.kept_row = _made(facts)
        _, before, between, behind, start = row
        uptime = b"" if start is None else info.uptime(now - start).encode()
        pieces += (before, now_text, between, uptime, behind)
    return pieces


def _made(facts: info.Facts) -> Row:
    struct = info.struct(facts, now=0)
    struct["now"] = Ready(GAP)
    runs = struct["state"] == ProcessStates.RUNNING
    if runs:
        description = to_xml(info.RUNNING.format(pid=struct["pid"], uptime="%s"))
        struct["description"] = Ready(description % GAP)
    before, between, *behind = to_xml(struct).encode().split(GAP.encode())
    return facts, before, between, b"".join(behind), struct["start"] if runs else None
