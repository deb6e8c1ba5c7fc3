"""Search through whole log files, in the spare time of the loop.

All searches together take one step in an iteration of the loop, in turn.  A search is bounded: it
reads the last `MAX_BYTES` of each file, keeps the last `MAX_LINES` lines, and shortens each.
"""

from __future__ import annotations

import os
import re
from collections import deque

from supervisor.common.ansi import AnsiStripper
from supervisor.common.records import record
from supervisor.engine.deferred import NOT_DONE_YET, Notifier
from supervisor.engine.files import open_for_reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from typing import Any, Final

    from supervisor.engine.loop import Loop

STEP_BYTES: Final = 128 * 1024
"""Part of a file that one step reads: about a millisecond of work."""

LINES_PER_STEP: Final = 4096
"""Lines that one step looks at: those of a part with a match may be very short."""

MAX_BYTES: Final = 256 * 1024 * 1024
MAX_LINES: Final = 1000
MAX_LINE_CHARS: Final = 2000

MAX_PART_BYTES: Final = 1024 * 1024
"""Part of a line that is kept until its end is read; a longer line is searched in parts."""

MAX_CONTEXT_CHARS: Final = 300

_has_stamp = re.compile(r"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d").match
"""Search for a time stamp at the start of a line, as the page of logs marks it."""

_active: deque[Search] = deque()
"""Searches in progress, the next one first."""


@record(frozen=True)
class Found:
    """One line that a search has found: the number of its file, its offset there, and its text.

    The offset is in bytes; texts are without control sequences, and shortened.  `before` is the
    line before it, which tells equal lines apart, unless a time stamp does.
    """

    file: int
    offset: int
    text: str
    before: str = ""


class Search:
    """A search in log files; a deferred function, whose result is itself."""

    def __init__(self, loop: Loop, paths: Sequence[str], wanted: str) -> None:
        """Begin to search for `wanted`, case-insensitively, in files."""
        self.lines: deque[Found] = deque(maxlen=MAX_LINES)
        """The last lines that were found."""
        self.count = 0
        self.searched_bytes = 0
        self.is_complete = True
        """Whether all files were searched from their start."""
        self._wanted = wanted.lower()
        self._before = b""
        self._done = Notifier()
        self._loop = loop
        self._steps: Generator[None, None, None] | None = self._run(paths)
        self.wake_sources = (self._done,)
        if not _active:
            loop.call_soon(_advance)
        _active.append(self)

    def __call__(self) -> Any:
        """Return the search when it is over, else `NOT_DONE_YET`."""
        return self if self._steps is None else NOT_DONE_YET

    def cancel(self) -> None:
        """End the search: its client has left."""
        if self._steps is not None:
            self._steps.close()
            self._steps = None

    def step(self) -> bool:
        """Take one step; return False if the search is over."""
        if self._steps is None:
            return False
        try:
            next(self._steps)
        except StopIteration:
            self._steps = None
            self._done.notify()
        return self._steps is not None

    @property
    def loop(self) -> Loop:
        """The loop whose spare time is used."""
        return self._loop

    def _run(self, paths: Sequence[str]) -> Generator[None, None, None]:
        for file, path in enumerate(paths):
            try:
                fd = open_for_reading(path)
            except OSError:
                continue
            try:
                yield from self._search(file, fd)
            finally:
                os.close(fd)

    def _search(self, file: int, fd: int) -> Generator[None, None, None]:
        """Search one file, as long as it is now; a file that shrinks ends earlier."""
        size = os.fstat(fd).st_size
        offset = max(size - MAX_BYTES, 0)
        self.is_complete = self.is_complete and offset == 0
        rest = self._before = b""
        while offset < size:
            data = os.pread(fd, min(STEP_BYTES, size - offset), offset)
            if not data:
                break
            offset += len(data)
            self.searched_bytes += len(data)
            start = offset - len(data) - len(rest)
            whole, newline, rest = (rest + data).rpartition(b"\n")
            if newline:
                yield from self._look_at(file, start, whole)
            elif len(rest) > MAX_PART_BYTES:
                yield from self._look_at(file, start, rest)
                rest = b""
            yield
        if rest:
            yield from self._look_at(file, offset - len(rest), rest)

    def _look_at(self, file: int, start: int, data: bytes) -> Generator[None, None, None]:
        """Search lines of a file that begin at offset `start`."""
        if self._wanted not in _plain(data).lower():
            self._before = data[data.rfind(b"\n") + 1 :]
            return
        for number, line in enumerate(data.split(b"\n"), 1):
            text = _plain(line)
            place = text.lower().find(self._wanted)
            if place >= 0:
                self.count += 1
                before = "" if _has_stamp(text) else _plain(self._before)[:MAX_CONTEXT_CHARS]
                self.lines.append(Found(file, start, _shortened(text, place), before))
            self._before = line
            start += len(line) + 1
            if number % LINES_PER_STEP == 0:
                yield


def _plain(data: bytes) -> str:
    """Return output of a program as text without control sequences."""
    plain = AnsiStripper().feed(data) if b"\x1b" in data else data
    return plain.decode("utf-8", "replace")


def _shortened(line: str, place: int) -> str:
    """Return the part of a line around a place."""
    if len(line) <= MAX_LINE_CHARS:
        return line
    start = max(place - MAX_LINE_CHARS // 2, 0)
    end = start + MAX_LINE_CHARS
    return f"{'…' if start else ''}{line[start:end]}{'…' if end < len(line) else ''}"


def _advance() -> None:
    """Take one step of the next search, and continue in the next iteration of the loop."""
    search = _active.popleft()
    if search.step():
        _active.append(search)
    if _active:
        _active[0].loop.call_soon(_advance)
