"""`getAllProcessInfo` as XML: rows that are kept until a process changes (floor 5).

The special form of what `info.process_info` and `xmlvalues` say, byte for byte: 2 instead of 10
microseconds a process.
"""

from __future__ import annotations

import datetime as dt
import functools
from typing import TYPE_CHECKING, TypeAlias

from supervisor.rpc import info
from supervisor.states import ProcessStates
from supervisor.xmlvalues import Ready, to_xml

if TYPE_CHECKING:
    from collections.abc import Iterable

    from supervisor.process.child import Subprocess
    from supervisor.process.groups import ProcessGroupBase
    from supervisor.rpc.lookup import Member

KEPT_UPTIMES = 1024


def rows(members: Iterable[Member]) -> list[Ready]:
    """Return the structs of `getProcessInfo` as XML."""
    texts = []
    now, now_text = None, ""
    for group, process in members:
        time = info.capped_int(process.context.clock.time())
        if time != now:
            now, now_text = time, to_xml(time)
        row, is_running = _row(group, process)
        if is_running:
            start = info.capped_int(process.laststart)
            texts.append(Ready(row % (now_text, _uptime(max(time - start, 0)))))
        else:
            texts.append(Ready(row % now_text))
    return texts


Row: TypeAlias = "tuple[str, bool]"


def _row(group: ProcessGroupBase, process: Subprocess) -> Row:
    """Return the process's row, made anew if anything has changed that it shows."""
    facts = info.facts(group, process)
    kept: tuple[info.Facts, Row] | None = process.kept_row
    if kept is None or kept[0] != facts:
        kept = process.kept_row = facts, _made(facts)
    return kept[1]


def _made(facts: info.Facts) -> Row:
    """Return a row with a place for the time, and one for the uptime of what is running."""
    struct = info.struct(facts, now=0)
    is_running = struct["state"] == ProcessStates.RUNNING
    members = {name: Ready(to_xml(value).replace("%", "%%")) for name, value in struct.items()}
    members["now"] = Ready("%s")
    if is_running:
        members["description"] = Ready(to_xml(info.RUNNING.format(pid=struct["pid"], uptime="%s")))
    return to_xml(members), is_running


@functools.lru_cache(maxsize=KEPT_UPTIMES)
def _uptime(seconds: int) -> str:
    return str(dt.timedelta(seconds=seconds))
