"""The page of logs: their last bytes, which a script follows from there, or lines found in them.

`tail.html?processname=NAME[&stream=stderr][&limit=BYTES]`; `log=main` in place of a name selects
the activity log.  New are `stream=both`, several `processname=` for several processes, and
`q=TEXT`, which searches the whole logs; with `at=OFFSET` it shows the line at that offset.
"""

from __future__ import annotations

from functools import cached_property

from supervisor.common.ansi import without_sequences
from supervisor.common.faults import Faults, RPCError
from supervisor.common.namespec import make_namespec
from supervisor.common.text import visible
from supervisor.engine.deferred import NOT_DONE_YET
from supervisor.rpc.lookup import find_process, members
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.web.actions import fault_text
from supervisor.web.found import OFFSET_FIELD, place_at, result_links
from supervisor.web.language import cookie_field, language_of
from supervisor.web.log_sources import (
    BOTH,
    MAX_SOURCES,
    STREAMS,
    SharedLogs,
    Source,
    offset_in,
    sources_in,
)
from supervisor.web.search import Search
from supervisor.web.templates import Page
from supervisor.web.views import PAGE_HEADERS, MeldView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from supervisor.web.found import Place
    from supervisor.web.language import Language

MIN_BYTES: Final = 1024
MAX_BYTES: Final = 4 * 1024 * 1024

MAX_WANTED_CHARS: Final = 200

NO_SOURCE: Final = Source("", STREAMS[0])
"""The log of a request without a name: none."""


class TailView(MeldView):
    """View that shows the ends of logs, the lines that a search finds, or why there is no log."""

    search: Search | None = None

    def render(self) -> Any:
        """Return the page, or `NOT_DONE_YET` during a search."""
        if self._wanted and self.search is None and self._place is None:
            self.search = self.callback = self._begin_search()
        if self.search is not None and self.search() is NOT_DONE_YET:
            return NOT_DONE_YET
        self.context.response["headers"].update(PAGE_HEADERS | cookie_field(self.context.form))
        return self._page()

    def cancel(self) -> None:
        """End the search: the client has left."""
        if self.search is not None:
            self.search.cancel()

    @cached_property
    def _language(self) -> Language:
        return language_of(self.context.form)

    @cached_property
    def _wanted(self) -> str:
        """The text to find, '' if there is none."""
        wanted: str = self.context.form.get("q", "")[:MAX_WANTED_CHARS]
        return wanted

    @cached_property
    def _is_main(self) -> bool:
        return self.context.form.get("log") == "main"

    @cached_property
    def _sources(self) -> list[Source]:
        return sources_in(self.context.form) or [NO_SOURCE]

    @cached_property
    def _paths(self) -> dict[Source, str]:
        """The logs that are files, with their paths."""
        found = {source: source.path(self.context.supervisord) for source in self._sources}
        return {source: path for source, path in found.items() if path}

    @cached_property
    def _names(self) -> list[str]:
        """The names of the processes, each once; none for the activity log."""
        return [*dict.fromkeys(source.name for source in self._sources if source.name)]

    def _begin_search(self) -> Search:
        return Search(self.context.supervisord.runtime.loop, [*self._paths.values()], self._wanted)

    @cached_property
    def _place(self) -> Place | None:
        """The line that the request names, None if it names none that can be read."""
        offset = offset_in(self.context.form, OFFSET_FIELD)
        path = self._paths.get(self._sources[0])
        if offset is None or path is None:
            return None
        try:
            return place_at(path, offset, self._wanted)
        except OSError:
            return None

    # -- one log -------------------------------------------------------------------

    def _tail(self, source: Source, limit: int) -> tuple[str, bool]:
        """Return the end of a log and True, or the reason for its absence and False."""
        rpc = SupervisorNamespaceRPCInterface(self.context.supervisord)
        if not source.name and not self._is_main:
            return self._language.text("message.no_name"), False
        try:
            if not source.name:
                return rpc.readLog(-limit, 0), True
            is_stderr = source.stream == "stderr"
            read = rpc.readProcessStderrLog if is_stderr else rpc.readProcessStdoutLog
            return read(source.name, -limit, 0), True
        except RPCError as error:
            if error.code == Faults.NO_FILE:
                return self._absence(source), False
            return self._language.text("message.error", reason=fault_text(error)), False

    def _absence(self, source: Source) -> str:
        """Return the reason why there is no log."""
        if not source.name:
            return self._language.text("tail.no_activity")
        process = find_process(self.context.supervisord, source.name)
        is_redirected = source.stream == "stderr" and process.config.redirect_stderr
        return self._language.text(
            "tail.redirected" if is_redirected else "tail.no_file", name=source.name
        )

    def _label(self, source: Source) -> str:
        """Return the heading of one of several logs."""
        stream = self._language.text(f"page.{source.stream}")
        return f"{source.name} {stream}" if len(self._names) > 1 else stream

    def _heading(self) -> str:
        if self._is_main:
            return self._language.text("page.activity_log")
        if len(self._names) > 1:
            return ", ".join(self._names)
        name = self._names[0] if self._names else ""
        try:
            find_process(self.context.supervisord, name)
        except RPCError:
            return self._language.text("tail.no_process" if name else "tail.which", name=name)
        return name

    # -- the page -------------------------------------------------------------------

    def _page(self) -> str:
        language, names = self._language, self._names
        page = Page(self.clone())
        language.localize(page.root)
        key = "tail.activity" if self._is_main else "tail.title"
        title = ", ".join(names) or None
        page.put(page.find("title"), language.text(key, name=title))
        page.put(page.find("heading"), self._heading())
        page.put(page.find("body"), **{"data-texts": language.script_json})
        kept = {field: self.context.form.get(field, "") for field in ("q", OFFSET_FIELD)}
        shown = self._query(**{field: value for field, value in kept.items() if value})
        page.put_languages(language, f"tail.html?{shown}")
        limit = _limit(self.context.form.get("limit", ""))
        page.put(page.find("refresh_anchor"), href=f"tail.html?{self._query(limit=str(limit))}")
        is_there = self._fill_panes(page, limit)
        self._fill_streams(page)
        self._fill_search(page, is_there=is_there)
        self._fill_others(page)
        return page.html()

    def _query(self, stream: str | None = None, **fields: str) -> str:
        """Return the query of this page: its own stream or another, and further fields."""
        return _query([*self._fields(stream), *fields.items()])

    def _fields(self, stream: str | None = None) -> list[tuple[str, str]]:
        if self._is_main:
            return [("log", "main")]
        if stream is None:
            stream = self.context.form.get("stream", "")
        fields = [("processname", name) for name in self._names or [""]]
        return fields + ([("stream", stream)] if stream in {STREAMS[1], BOTH} else [])

    def _fill_panes(self, page: Page, limit: int) -> bool:
        """Fill in the logs, or lines that were found; return whether there is a log."""
        if self.search is not None:
            self._fill_found(page, self.search)
        elif self._place is not None:
            page.put_html(page.find("tailbody"), self._place.html)
            gone = "" if self._place.line else self._language.text("found.gone")
            page.put(page.find("found"), gone)
        if self.search is not None or self._place is not None:
            page.find("download").deparent()
            page.put(page.find("refresh_anchor"), self._language.text("found.back"))
            page.put(page.find("refresh_anchor"), href=f"tail.html?{self._query()}", id="back")
            return True
        several = len(self._sources) > 1
        shared = SharedLogs(self.context.supervisord)
        found = []
        for number, (section, source) in enumerate(page.find("pane").repeat(self._sources)):
            text, is_there = self._tail(source, limit)
            found.append(is_there)
            tail = section.findmeld("tailbody")
            page.put(tail, without_sequences(text))
            if is_there and not text:
                page.put(tail, **{"class": "log empty"})
            page.put(section.findmeld("shared"), shared.note(self._language, source))
            if several:
                label = section.findmeld("label")
                del label.attrib["hidden"]
                shown = visible(self._label(source))
                page.put(label, shown)
                address = f"process.html?{_query([('processname', source.name)])}"
                page.put(tail, **{"id": f"log-{number}", "aria-label": shown, "data-label": shown})
                page.put(tail, **{"data-address": address})
        if any(found):
            earlier = " ".join(f"earlier?{_query(each.fields.items())}" for each in self._sources)
            follow = f"follow-logs?{self._query()}"
            page.put(page.find("body"), **{"data-follow": follow, "data-earlier": earlier})
        if found == [True]:
            page.put(page.find("download"), href=f"download?{self._query()}")
        else:
            page.find("download").deparent()
        return any(found)

    def _fill_found(self, page: Page, search: Search) -> None:
        several = len(self._sources) > 1
        labels = [self._label(source) if several else "" for source in self._paths]
        links = result_links(search, [*self._paths], labels, self._wanted)
        page.put_html(page.find("tailbody"), links)
        language = self._language
        text = language.count("found", search.count)
        if search.count > len(search.lines):
            text = language.text("found.last", found=text, count=len(search.lines))
        if not search.is_complete:
            megabytes = f"{search.searched_bytes / 2**20:.0f}"
            text = language.text("found.part", found=text, size=megabytes)
        page.put(page.find("found"), text)

    def _fill_streams(self, page: Page) -> None:
        streams = page.find("streams")
        if self._is_main or not self._names:
            streams.deparent()
            return
        del streams.attrib["hidden"]
        for each in (*STREAMS, BOTH):
            page.put(page.find(each), href=f"tail.html?{self._query(each)}")
        stream = self.context.form.get("stream")
        current = stream if stream in {*STREAMS, BOTH} else STREAMS[0]
        about = page.find("about")
        if len(self._names) > 1:
            about.deparent()
        else:
            page.put(about, href=f"process.html?{_query([('processname', self._names[0])])}")
        page.find(current).attributes(**{"aria-current": "page"})

    def _fill_search(self, page: Page, *, is_there: bool) -> None:
        if not is_there:
            page.find("find").deparent()
            return
        del page.find("find").attrib["hidden"]
        page.put(page.find("q"), value=self._wanted)
        self._fill_fields(page, "field", self._fields())

    def _fill_others(self, page: Page) -> None:
        """Offer the processes whose logs can be added."""
        form = page.find("add")
        groups = list(self.context.supervisord.process_groups.values())
        every = [
            make_namespec(group.config.name, process.config.name)
            for group, process in members(groups, by_name=True)
        ]
        others = [name for name in every if name not in self._names]
        if not others or not self._names or len(self._sources) >= MAX_SOURCES:
            form.deparent()
            return
        del form.attrib["hidden"]
        self._fill_fields(page, "kept", self._fields())
        for option, name in page.find("other").repeat(["", *others]):
            page.put(option, name or self._language.text("tail.another"), value=name)

    @staticmethod
    def _fill_fields(page: Page, name: str, fields: list[tuple[str, str]]) -> None:
        for item, (field, value) in page.find(name).repeat(fields):
            page.put(item, name=field, value=value)


def _query(fields: Any) -> str:
    from urllib.parse import urlencode

    return urlencode([*fields])


def _limit(text: str) -> int:
    """Return the number of bytes to show; like Supervisor 4, 1024 if `text` is not a number."""
    number = int(text[:9]) if text.isascii() and text.isdigit() else 0
    return min(max(number, MIN_BYTES), MAX_BYTES)
