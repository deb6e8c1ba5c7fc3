"""The logs as streams: followed by the log page's script, or downloaded whole (floor 5).

Both take the fields of the log page: `processname` and `stream`, or `log=main`.
"""

from __future__ import annotations

import os

from supervisor.faults import RPCError
from supervisor.files import open_for_reading
from supervisor.http.bodies import FollowedFile
from supervisor.rpc.logs import process_log
from supervisor.rpc.lookup import find_process
from supervisor.web.changes import STREAM_HEADERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from supervisor.web.views import ViewContext

FOLLOWED_BYTES: Final = 64 * 1024
"""How much of a log's end a follower begins with."""

READ_BYTES: Final = 64 * 1024


class _LogView:
    """Answers with something made of a log file, or with 404."""

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
    """The end of a log, and whatever is written to it from then on."""

    def body(self, path: str) -> tuple[dict[str, str], FollowedFile]:
        """Return a body without end."""
        return {}, FollowedFile(path, FOLLOWED_BYTES)


class DownloadView(_LogView):
    """A log as a file."""

    def body(self, path: str) -> tuple[dict[str, str], WholeFile]:
        """Return the file, under its own name."""
        from urllib.parse import quote

        name = quote(os.path.basename(path), safe="")
        disposition = f"attachment; filename*=UTF-8''{name}"
        return {"Content-Disposition": disposition}, WholeFile(path)


class WholeFile:
    """A file as long as it is now, however much is written to it meanwhile."""

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
        """Let the file go."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
