"""Logs as streams: followed by the log page's script, or downloaded as a whole.

All views take the fields of the log page: `processname` and `stream`, or `log=main`.
"""

from __future__ import annotations

import os

from supervisor.common.faults import RPCError
from supervisor.engine.files import open_for_reading
from supervisor.http.bodies import FollowedFile
from supervisor.rpc.logs import process_log
from supervisor.rpc.lookup import find_process
from supervisor.web.event_stream import STREAM_HEADERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import FileIO
    from typing import Any, Final

    from supervisor.web.views import ViewContext

FOLLOWED_BYTES: Final = 64 * 1024
"""Size of the end of a log with which following begins."""

READ_BYTES: Final = 64 * 1024

OFFSET_FIELD: Final = "X-Log-Offset"
"""Header field: the offset in the file, in bytes, at which the response begins."""

END_FIELD: Final = "X-Log-End"
"""Header field: the size of the file in bytes; the body continues with later output."""

MAX_OFFSET_DIGITS: Final = 18


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

    def _path(self) -> Any:
        form, supervisord = self.context.form, self.context.supervisord
        if form.get("log") == "main":
            return supervisord.options.logfile
        stream = "stderr" if form.get("stream") == "stderr" else "stdout"
        try:
            return process_log(find_process(supervisord, form.get("processname", "")), stream)
        except RPCError:
            return None


class FollowView(_LogView):
    """The end of a log, from the start of a line, and all later output."""

    def body(self, path: str) -> tuple[dict[str, str], FollowedFile]:
        """Return the offset at which the body begins, the file's size, and the endless body."""
        body = FollowedFile(path, FOLLOWED_BYTES)
        with _opened(path) as file:
            body.sz = line_start(file.fileno(), body.sz)
            size = os.fstat(file.fileno()).st_size
        return {OFFSET_FIELD: str(body.sz), END_FIELD: str(size)}, body


class EarlierView(_LogView):
    """The lines of a log before those that a page shows, which begin at offset `before`."""

    def body(self, path: str) -> tuple[dict[str, str], bytes]:
        """Return the offset at which the body begins, and the body, which has whole lines."""
        text = self.context.form.get("before", "")
        before = int(text[:MAX_OFFSET_DIGITS]) if text.isascii() and text.isdigit() else 0
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
