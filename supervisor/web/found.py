"""The lines that a search has found, as links, and the part of a log that such a link shows.

A link has the offset of its line: `tail.html?processname=NAME&q=TEXT&at=OFFSET#at`.
"""

from __future__ import annotations

import os

from supervisor.common.ansi import without_sequences
from supervisor.common.records import record
from supervisor.engine.files import open_for_reading
from supervisor.web.follow import line_start
from supervisor.web.search import MAX_CONTEXT_CHARS
from supervisor.web.templates import escaped, readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from supervisor.web.log_sources import Source
    from supervisor.web.search import Search

PLACE_BYTES: Final = 32 * 1024
"""Size of the part of a log that is shown before and after a line."""

OFFSET_FIELD: Final = "at"
"""Query field with the offset of a line in bytes; also the id of its element."""


def result_links(
    search: Search, sources: Sequence[Source], labels: Sequence[str], wanted: str
) -> str:
    """Return the lines that a search has found as HTML, each a link to its place in its log.

    The line before it precedes the link, unless the link before is that line.

    `sources` and `labels` are those of the files that were searched.
    """
    from urllib.parse import urlencode

    addresses = [
        escaped(f"tail.html?{urlencode({**source.fields, 'q': wanted})}&{OFFSET_FIELD}=")
        for source in sources
    ]
    beginnings = [f"{label} " if label else "" for label in labels]
    shown = []
    previous = ""
    for line in search.lines:
        if line.before and line.before != previous[:MAX_CONTEXT_CHARS]:
            shown.append(f'<span class="context">{readable(line.before)}</span>')
        shown.append(
            f'<a href="{addresses[line.file]}{line.offset}#{OFFSET_FIELD}">'
            f"{readable(beginnings[line.file] + line.text)}</a>"
        )
        previous = line.text
    return "\n".join(shown)


@record(frozen=True)
class Place:
    """A line of a log with the lines around it; `line` is '' if it is no longer there."""

    before: str
    line: str
    after: str

    @property
    def html(self) -> str:
        """The lines as HTML, with the line in an element that the address can name."""
        if not self.line:
            return readable(self.before)
        mark = f'<mark id="{OFFSET_FIELD}">{readable(self.line)}</mark>'
        return f"{readable(self.before)}{mark}{readable(self.after)}"


def place_at(path: str, offset: int, wanted: str) -> Place:
    """Return the line of a file at an offset; raises `OSError`.

    A log may have been rotated since the search: the line is there if it contains `wanted`.
    """
    fd = open_for_reading(path)
    try:
        size = os.fstat(fd).st_size
        offset = min(offset, size)
        start = min(line_start(fd, offset - PLACE_BYTES), offset)
        data = os.pread(fd, offset - start + PLACE_BYTES, start)
    finally:
        os.close(fd)
    begin = data.rfind(b"\n", 0, offset - start) + 1
    end = data.find(b"\n", offset - start)
    if end < 0:
        end = len(data)
    if start + len(data) < size:
        data = data[: max(end, data.rfind(b"\n"))]
    before, line, after = (
        without_sequences(part.decode("utf-8", "replace"))
        for part in (data[:begin], data[begin:end], data[end:])
    )
    if not line or wanted.lower() not in line.lower():
        return Place(before + line + after, "", "")
    return Place(before, line, after)
