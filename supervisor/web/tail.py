"""The page of one log: its last bytes; a script follows it from there.

`tail.html?processname=NAME[&stream=stderr][&limit=BYTES]`; `log=main` in place of a name
selects the activity log.
"""

from __future__ import annotations

from functools import cached_property

from supervisor.common.ansi import AnsiStripper
from supervisor.common.faults import Faults, RPCError
from supervisor.rpc.lookup import find_process
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.web.actions import fault_text
from supervisor.web.language import cookie_field, language_of
from supervisor.web.templates import DOCTYPE, escaped, placeholder, text_with_placeholders
from supervisor.web.views import PAGE_HEADERS, MeldView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from supervisor.web.language import Language

MIN_BYTES: Final = 1024
MAX_BYTES: Final = 4 * 1024 * 1024

STREAMS: Final = ("stdout", "stderr")


class TailView(MeldView):
    """View that shows the end of a log, or the reason why there is none."""

    def render(self) -> str:
        """Return the page."""
        form = self.context.form
        self.context.response["headers"].update(PAGE_HEADERS | cookie_field(form))
        name, stream = form.get("processname") or None, form.get("stream")
        stream = stream if stream in STREAMS else STREAMS[0]
        limit = _limit(form.get("limit", ""))
        is_main = form.get("log") == "main"
        tail, is_there = self._tail(None if is_main else name, stream, limit, is_main=is_main)
        title = self._language.text("tail.activity" if is_main else "tail.title", name=name)
        return self._page(
            name or "", stream, limit, title, tail, is_main=is_main, is_there=is_there
        )

    @cached_property
    def _language(self) -> Language:
        return language_of(self.context.form)

    def _tail(
        self, name: str | None, stream: str, limit: int, *, is_main: bool
    ) -> tuple[str, bool]:
        """Return the end of the log and True, or the reason for its absence and False."""
        rpc = SupervisorNamespaceRPCInterface(self.context.supervisord)
        if not name and not is_main:
            return self._language.text("message.no_name"), False
        try:
            if is_main or name is None:
                return rpc.readLog(-limit, 0), True
            read = rpc.readProcessStderrLog if stream == "stderr" else rpc.readProcessStdoutLog
            return read(name, -limit, 0), True
        except RPCError as error:
            if error.code == Faults.NO_FILE:
                return self._absence(name, stream), False
            return self._language.text("message.error", reason=fault_text(error)), False

    def _absence(self, name: str | None, stream: str) -> str:
        """Return the reason why there is no log."""
        if name is None:
            return self._language.text("tail.no_activity")
        if (
            stream == "stderr"
            and find_process(self.context.supervisord, name).config.redirect_stderr
        ):
            return self._language.text("tail.redirected", name=name)
        return self._language.text("tail.no_file", name=name)

    def _heading(self, name: str, *, is_main: bool) -> str:
        if is_main:
            return self._language.text("page.activity_log")
        try:
            find_process(self.context.supervisord, name)
        except RPCError:
            return self._language.text("tail.no_process" if name else "tail.which", name=name)
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
        self._language.localize(root)
        root.findmeld("body").attributes(**{"data-texts": placeholder("texts")})
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
        values["texts"] = self._language.script_texts
        return DOCTYPE + text_with_placeholders(root) % values


def without_sequences(text: str) -> str:
    """Return text without control sequences; the script renders colours."""
    return AnsiStripper().feed(text.encode()).decode("utf-8", "replace") if "\x1b" in text else text


def _limit(text: str) -> int:
    """Return the number of bytes to show; like Supervisor 4, 1024 if `text` is not a number."""
    number = int(text[:9]) if text.isascii() and text.isdigit() else 0
    return min(max(number, MIN_BYTES), MAX_BYTES)
