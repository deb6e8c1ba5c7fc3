"""The page of one log: its last bytes; a script follows it from there.

`tail.html?processname=NAME[&stream=stderr][&limit=BYTES]`; `log=main` in place of a name
selects the activity log.
"""

from __future__ import annotations

from supervisor.common.ansi import AnsiStripper
from supervisor.common.faults import Faults, RPCError
from supervisor.rpc.lookup import find_process
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.web.actions import fault_text
from supervisor.web.templates import DOCTYPE, escaped, placeholder, text_with_placeholders
from supervisor.web.views import PAGE_HEADERS, MeldView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

MIN_BYTES: Final = 1024
MAX_BYTES: Final = 4 * 1024 * 1024

STREAMS: Final = ("stdout", "stderr")


class TailView(MeldView):
    """View that shows the end of a log, or the reason why there is none."""

    def render(self) -> str:
        """Return the page."""
        self.context.response["headers"].update(PAGE_HEADERS)
        form = self.context.form
        name, stream = form.get("processname") or None, form.get("stream")
        stream = stream if stream in STREAMS else STREAMS[0]
        limit = _limit(form.get("limit", ""))
        is_main = form.get("log") == "main"
        tail, is_there = self._tail(None if is_main else name, stream, limit, is_main=is_main)
        title = "Supervisor activity log" if is_main else f"Supervisor tail of process {name}"
        return self._page(
            name or "", stream, limit, title, tail, is_main=is_main, is_there=is_there
        )

    def _tail(
        self, name: str | None, stream: str, limit: int, *, is_main: bool
    ) -> tuple[str, bool]:
        """Return the end of the log and True, or the reason for its absence and False."""
        rpc = SupervisorNamespaceRPCInterface(self.context.supervisord)
        if not name and not is_main:
            return "No process name found", False
        try:
            if is_main or name is None:
                return rpc.readLog(-limit, 0), True
            read = rpc.readProcessStderrLog if stream == "stderr" else rpc.readProcessStdoutLog
            return read(name, -limit, 0), True
        except RPCError as error:
            if error.code == Faults.NO_FILE:
                return self._absence(name, stream), False
            return f"ERROR: {fault_text(error)}", False

    def _absence(self, name: str | None, stream: str) -> str:
        """Return the reason why there is no log."""
        if name is None:
            return "No file for the activity log"
        if (
            stream == "stderr"
            and find_process(self.context.supervisord, name).config.redirect_stderr
        ):
            return f"The stderr of {name} goes into its stdout log (redirect_stderr=true)"
        return f"No file for {name}"

    def _heading(self, name: str, *, is_main: bool) -> str:
        if is_main:
            return "Activity log"
        try:
            find_process(self.context.supervisord, name)
        except RPCError:
            return f"There is no process {name}" if name else "Which process?"
        return name

    def _page(
        self,
        name: str,
        stream: str,
        limit: int,
        title: str,
        tail: str,
        *,
        is_main: bool,
        is_there: bool,
    ) -> str:
        from urllib.parse import urlencode

        root = self.clone()
        which = {"log": "main"} if is_main else {"processname": name}
        of_stream = which | ({"stream": stream} if stream == "stderr" else {})
        root.findmeld("title").content(placeholder("title"))
        root.findmeld("heading").content(placeholder("heading"))
        root.findmeld("tailbody").content(placeholder("tail"))
        root.findmeld("refresh_anchor").attributes(href=placeholder("refresh"))
        if is_there:
            root.findmeld("tailbody").attributes(**{"data-follow": placeholder("follow")})
            root.findmeld("download").attributes(href=placeholder("download"))
        else:
            root.findmeld("download").deparent()
        streams = root.findmeld("streams")
        if is_main or not name:
            streams.deparent()
        else:
            del streams.attrib["hidden"]
            for each in STREAMS:
                root.findmeld(each).attributes(href=placeholder(each))
            root.findmeld(stream).attributes(**{"aria-current": "page"})
        addresses = {
            "refresh": f"tail.html?{urlencode(of_stream | {'limit': limit})}",
            "follow": f"follow?{urlencode(of_stream)}",
            "download": f"download?{urlencode(of_stream)}",
            "stdout": f"tail.html?{urlencode(which)}",
            "stderr": f"tail.html?{urlencode(which | {'stream': 'stderr'})}",
        }
        texts = {"title": title, "heading": self._heading(name, is_main=is_main)}
        texts["tail"] = without_sequences(tail)
        values = {key: escaped(value) for key, value in (addresses | texts).items()}
        return DOCTYPE + text_with_placeholders(root) % values


def without_sequences(text: str) -> str:
    """Return text without control sequences; the script renders colours."""
    return AnsiStripper().feed(text.encode()).decode("utf-8", "replace") if "\x1b" in text else text


def _limit(text: str) -> int:
    """Return the number of bytes to show; like Supervisor 4, 1024 if `text` is not a number."""
    number = int(text[:9]) if text.isascii() and text.isdigit() else 0
    return min(max(number, MIN_BYTES), MAX_BYTES)
