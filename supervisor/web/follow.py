"""Logs as streams: followed by the log page's script, or downloaded as a whole.

All views take the fields of the log page (see `log_sources`); those of one log use the first.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os

from supervisor.common import log_positions
from supervisor.engine.deferred import NOT_DONE_YET
from supervisor.engine.files import open_for_reading
from supervisor.http.bodies import TAIL_POLL_SECONDS, FollowedFile
from supervisor.logs import reading
from supervisor.web.event_stream import BEAT_SECONDS, STREAM_HEADERS
from supervisor.web.log_sources import offset_in, sources_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import FileIO
    from typing import Any, Final

    from supervisor.engine.loop import Clock
    from supervisor.web.views import ViewContext

FOLLOWED_BYTES: Final = 64 * 1024
"""Size of the end of a log with which following begins."""

MIN_FOLLOWED_BYTES: Final = 8 * 1024

READ_BYTES: Final = 64 * 1024

OFFSET_FIELD: Final = "X-Log-Offset"
"""Header field: the offset in the file, in bytes, at which the response begins."""

END_FIELD: Final = "X-Log-End"
"""Header field: the size of the file in bytes; the body continues with later output."""

BEAT_FIELD: Final = "X-Beat-Seconds"
"""Header field: the interval of the heartbeat, in seconds."""


class _LogView:
    """View that responds with content of a log file, or with 404."""

    delay = 0

    def __init__(self, context: ViewContext) -> None:
        self.context = context

    def __call__(self) -> dict[str, Any]:
        """Return the response."""
        headers = {"Content-Type": "text/plain;charset=utf-8", **STREAM_HEADERS}
        path = self._path()
        try:
            if isinstance(path, str):
                extra, body = self.body(path)
                return {"headers": headers | extra, "body": body}
        except OSError:
            pass
        return {"headers": headers, "status": 404, "body": "There is no such log.\n"}

    def body(self, path: str) -> tuple[dict[str, str], Any]:
        """Return further header fields and the body; raises `OSError`."""
        raise NotImplementedError

    def _path(self) -> str | None:
        sources = sources_in(self.context.form)
        return sources[0].path(self.context.supervisord) if sources else None


class FollowView(_LogView):
    """The end of a log, from the start of a line, and all later output."""

    def body(self, path: str) -> tuple[dict[str, str], FollowedFile]:
        """Return the offset at which the body begins, the file's size, and the endless body.

        A request with a position continues there (see `common.log_positions`).
        """
        body = FollowedFile(path, FOLLOWED_BYTES)
        with _opened(path) as file:
            body.sz = line_start(file.fileno(), body.sz)
            size = os.fstat(file.fileno()).st_size
        begin = self.context.form.get(log_positions.PARAMETER)
        fields = {} if begin is None else {log_positions.FIELD: str(body.begin_at(begin))}
        return {OFFSET_FIELD: str(body.sz), END_FIELD: str(size), **fields}, body


class FollowLogsView:
    """The ends of several logs, and all later output, on one connection.

    Each line is a JSON object with `log`, the number of the log in the request, and `text`; the
    first one of a log also has `offset`, at which its text begins in the file.  An empty line is a
    heartbeat: a page that misses two of them knows that the daemon hangs.
    """

    delay = 0

    def __init__(self, context: ViewContext) -> None:
        self.context = context

    def __call__(self) -> dict[str, Any]:
        """Return the response."""
        headers = {"Content-Type": "application/x-ndjson", **STREAM_HEADERS}
        sources = sources_in(self.context.form)
        paths = [source.path(self.context.supervisord) for source in sources]
        if not any(paths):
            return {"headers": headers, "status": 404, "body": "There is no such log.\n"}
        body = FollowedLogs(paths, self.context.supervisord.runtime.clock)
        headers[BEAT_FIELD] = f"{body.beat_seconds:g}"
        return {"headers": headers, "body": body}


class FollowedLogs:
    """Several logs as one endless body; a log without a file is read once there is one."""

    max_wait = TAIL_POLL_SECONDS

    beat_seconds = BEAT_SECONDS
    """Interval of the heartbeat; the poll for lines of other programs also sends it."""

    def __init__(self, paths: Sequence[str | None], clock: Clock) -> None:
        self._logs = [_FollowedLog(path, len(paths)) for path in paths if path]
        self._numbers = [number for number, path in enumerate(paths) if path]
        self._next = 0
        self._clock = clock
        self._last_line_at = clock.monotonic()
        self.wake_sources = tuple(reading.written(path) for path in paths if path)

    def more(self) -> Any:
        """Return a line about the next log with news, a heartbeat, or `NOT_DONE_YET`."""
        now = self._clock.monotonic()
        line = self._news()
        if not line and now - self._last_line_at < self.beat_seconds:
            return NOT_DONE_YET
        self._last_line_at = now
        return line or b"\n"

    def _news(self) -> bytes:
        """Return a line about the next log with news, b"" if there is none."""
        for _ in self._logs:
            index = self._next
            self._next = (index + 1) % len(self._logs)
            news = self._logs[index].news()
            if news is not None:
                line = json.dumps({"log": self._numbers[index], **news}, ensure_ascii=False)
                return line.encode() + b"\n"
        return b""

    def close(self) -> None:
        """Close the files."""
        for log in self._logs:
            log.close()


class _FollowedLog:
    def __init__(self, path: str, count: int) -> None:
        """Follow a log, one of `count` on the page."""
        size = max(FOLLOWED_BYTES // count, MIN_FOLLOWED_BYTES)
        self._follower = reading.Follower(path, start_bytes=size)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._has_begun = False

    def news(self) -> dict[str, Any] | None:
        """Return the text that has been written since the last call, None if there is none."""
        if self._has_begun:
            text = self._decoder.decode(self._follower.read())
            return {"text": text} if text else None
        self._has_begun = True
        with contextlib.suppress(OSError), _opened(self._follower.path) as file:
            self._follower.offset = line_start(file.fileno(), self._follower.offset)
        offset = self._follower.offset
        return {"text": self._decoder.decode(self._follower.read()), "offset": offset}

    def close(self) -> None:
        """Close the file."""
        self._follower.close()


class EarlierView(_LogView):
    """The lines of a log before those that a page shows, which begin at offset `before`."""

    def body(self, path: str) -> tuple[dict[str, str], bytes]:
        """Return the offset at which the body begins, and the body, which has whole lines."""
        before = offset_in(self.context.form, "before") or 0
        earliest = max(before - FOLLOWED_BYTES, 0)
        with _opened(path) as file:
            start = line_start(file.fileno(), earliest)
            if start >= before:  # one very long line
                start = earliest
            data = os.pread(file.fileno(), before - start, start)
        return {OFFSET_FIELD: str(start)}, data


def _opened(path: str) -> FileIO:
    return open(open_for_reading(path), "rb", buffering=0)


def line_start(fd: int, offset: int) -> int:
    """Return the first start of a line at or after an offset; the offset itself if none is near."""
    if offset <= 0:
        return 0
    newline = os.pread(fd, FOLLOWED_BYTES, offset - 1).find(b"\n")
    return offset + newline if newline >= 0 else offset


class DownloadView(_LogView):
    """A log as a file to download."""

    def body(self, path: str) -> tuple[dict[str, str], WholeFile]:
        """Return a header field with the file's name, and the file."""
        from urllib.parse import quote

        name = quote(os.path.basename(path), safe="")
        disposition = f"attachment; filename*=UTF-8''{name}"
        return {"Content-Disposition": disposition}, WholeFile(path)


class WholeFile:
    """A file up to its current size; later output is not included."""

    def __init__(self, path: str) -> None:
        """Open the file; raises `OSError`."""
        self._fd: int | None = open_for_reading(path)
        self._left = os.fstat(self._fd).st_size
        self._offset = 0

    def more(self) -> bytes:
        """Return the next bytes, b"" at the end."""
        if self._fd is None:
            return b""
        data = os.pread(self._fd, min(self._left, READ_BYTES), self._offset)
        self._offset += len(data)
        self._left -= len(data)
        return data

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
