"""The processes as XML, with a cache of rows for those that have not changed (floor 5).

The special form of `info` and `xmlvalues`, equal to the byte: 1 to 2 us a process instead of 10.
A row is kept with the facts that it shows, so no change can be missed and no process knows of
the cache.  It is kept in pieces, because to join them costs a tenth of filling gaps in.
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
"""The facts shown, the XML around the time and the uptime, and the start time if it is running."""

GAP: Final = "\0"
"""Stands for the time and the uptime; XML cannot carry it."""

_kept: dict[int, Row] = {}
"""The rows of the latest answer, by the id() of the process; those of other processes are dropped.

An id that is used again does no harm, because the facts are compared.
"""


def rows(members: Iterable[Member], now: int) -> Pieces:
    """Return the structs of `getProcessInfo` as XML, as of `now` (seconds since the epoch)."""
    global _kept
    kept_before, _kept = _kept, {}
    now_text = to_xml(now).encode()
    pieces = Pieces()
    for group, process in members:
        facts = info.facts(group, process)
        row = kept_before.get(id(process))
        if row is None or row[0] != facts:
            row = _made(facts)
        _kept[id(process)] = row
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
