"""The logs that a page shows: `processname=` (repeated for several), `stream=`, or `log=main`."""

from __future__ import annotations

from supervisor.common.faults import RPCError
from supervisor.common.namespec import make_namespec
from supervisor.common.records import record
from supervisor.rpc.logs import process_log
from supervisor.rpc.lookup import find_process, members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from supervisor.process.daemon_protocol import Daemon
    from supervisor.web.language import Language

STREAMS: Final = ("stdout", "stderr")

BOTH: Final = "both"

MAX_SOURCES: Final = 12
"""Number of logs on one page: each has an open file."""

MAX_OFFSET_DIGITS: Final = 18

MAX_SHOWN_WRITERS: Final = 5


@record(frozen=True)
class Source:
    """One log: a process ('' for the activity log) and its stream."""

    name: str
    stream: str

    @property
    def fields(self) -> dict[str, str]:
        """The query fields that select this log alone."""
        if not self.name:
            return {"log": "main"}
        fields = {"processname": self.name}
        return fields | ({"stream": self.stream} if self.stream != STREAMS[0] else {})

    def path(self, daemon: Daemon) -> str | None:
        """Return the path of the log file, None if there is no such log or it is not a file."""
        found: Any = None
        try:
            if not self.name:
                found = daemon.options.logfile
            else:
                found = process_log(find_process(daemon, self.name), self.stream)
        except RPCError:
            pass
        return found if isinstance(found, str) else None


class SharedLogs:
    """The processes that write to each log file of a daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._writers: dict[str, dict[str, None]] = {}
        for group, process in members([*daemon.process_groups.values()], by_name=True):
            name = make_namespec(group.config.name, process.config.name)
            for stream in (process.config.stdout, process.config.stderr):
                if isinstance(stream.logfile, str):
                    self._writers.setdefault(stream.logfile, {})[name] = None

    def note(self, language: Language, source: Source) -> str:
        """Return a note about the other processes that write to a log, "" if there are none."""
        others = [*self._writers.get(source.path(self._daemon) or "", {})]
        others = [name for name in others if name != source.name] if source.name else []
        if not others:
            return ""
        shown = others[:MAX_SHOWN_WRITERS]
        if len(others) > len(shown):
            shown.append(language.text("failed.more", count=len(others) - len(shown)))
        return language.text("tail.shared", names=language.text("script.comma").join(shown))


def names_in(form: Mapping[str, Any]) -> list[str]:
    """Return the names of the processes in a request, each once."""
    query = form.get("QUERY_STRING", "")
    first = form.get("processname")
    if query.count("processname") < 2:  # noqa: PLR2004 - the form has the only one
        return [first] if first else []
    from urllib.parse import parse_qsl

    found = dict.fromkeys(value for name, value in parse_qsl(query) if name == "processname")
    return [*found][:MAX_SOURCES]


def offset_in(form: Mapping[str, Any], field: str) -> int | None:
    """Return the offset in a log that a field of a request has, None if it is not a number."""
    text = form.get(field, "")
    return int(text[:MAX_OFFSET_DIGITS]) if text.isascii() and text.isdigit() else None


def sources_in(form: Mapping[str, Any]) -> list[Source]:
    """Return the logs that a request selects."""
    if form.get("log") == "main":
        return [Source("", STREAMS[0])]
    stream = form.get("stream", "")
    streams = STREAMS if stream == BOTH else (stream if stream in STREAMS else STREAMS[0],)
    return [Source(name, each) for name in names_in(form) for each in streams][:MAX_SOURCES]
