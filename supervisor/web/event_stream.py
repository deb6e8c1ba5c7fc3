"""The event stream of changes that an open status page reads.

Server-sent events (WHATWG HTML, 9.2): each contains the changed rows as HTML, or reports that the
groups have changed.  There is no polling: while nothing changes, only a heartbeat is sent from
time to time.  It is an event with a name, because a browser hides comments from scripts: a page
that misses two of them knows that the daemon hangs, although the connection is open.
"""

from __future__ import annotations

import contextlib
import json

from supervisor import events
from supervisor.common.namespec import split_namespec
from supervisor.engine.deferred import NOT_DONE_YET, Notifier
from supervisor.web import rows
from supervisor.web.language import language_of
from supervisor.web.views import MeldView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from supervisor.process.daemon_protocol import Daemon

BEAT_SECONDS: Final = 25.0
"""Interval of the heartbeat: below the one-minute timeout of proxies."""

STREAM_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would buffer the stream
    "X-Content-Type-Options": "nosniff",
}


class ChangesView(MeldView):
    """View that responds with an event stream."""

    content_type = "text/event-stream"

    def render(self) -> Changes:
        """Return the stream."""
        self.context.response["headers"].update(STREAM_HEADERS)
        language = language_of(self.context.form)
        texts = rows.status_texts(self.root, language)
        name = self.context.form.get("processname") or None
        return Changes(self.context.supervisord, texts, name)


class Changes:
    """Changes since the last event: each process at most once, even for a slow reader.

    With the name of a process, those of the others are left out.  `max_wait` is the interval of the
    heartbeat, which is also the first event.
    """

    max_wait = BEAT_SECONDS

    def __init__(
        self, supervisord: Daemon, texts: rows.StatusTexts, name: str | None = None
    ) -> None:
        self._only = None if name is None else split_namespec(name)
        self._supervisord = supervisord
        self._texts = texts
        self._changed: dict[tuple[str, str], None] = {}
        self._has_new_groups = False
        self._last_event_at = 0.0
        self._has_changed = Notifier()
        self.wake_sources = (self._has_changed,)
        self._subscriptions: tuple[tuple[type, Callable[[Any], None]], ...] = (
            (events.ProcessStateEvent, self._process_changed),
        )
        for event_type, callback in self._subscriptions:
            events.subscribe(event_type, callback)
        self._descriptions = supervisord.runtime.services.description_subscribers
        self._descriptions.append(self._row_changed)
        self._index = supervisord.runtime.services.processes
        self._index.changed.add(self._groups_changed)

    def more(self) -> Any:
        """Return the next event, a heartbeat when it is due, or `NOT_DONE_YET`."""
        now = self._supervisord.runtime.clock.monotonic()
        message = self._message()
        if not message and now - self._last_event_at < self.max_wait:
            return NOT_DONE_YET
        self._last_event_at = now
        return message or f"event: beat\ndata: {self.max_wait:g}\n\n".encode()

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            with contextlib.suppress(ValueError):  # a reload clears all subscriptions
                events.unsubscribe(*subscription)
        with contextlib.suppress(ValueError):
            self._descriptions.remove(self._row_changed)
        self._index.changed.discard(self._groups_changed)

    def _process_changed(self, event: Any) -> None:
        self._row_changed(event.process)

    def _row_changed(self, process: Any) -> None:
        group = process.group.config.name if process.group is not None else process.config.name
        if self._only is not None and self._only != (group, process.config.name):
            return
        self._changed[group, process.config.name] = None
        self._has_changed.notify()

    def _groups_changed(self) -> None:
        self._index.changed.add(self._groups_changed)
        self._has_new_groups = True
        self._has_changed.notify()

    def _message(self) -> bytes:
        if not self._changed and not self._has_new_groups:
            return b""
        changed, self._changed = self._changed, {}
        groups = self._supervisord.process_groups
        made = [
            rows.row(self._texts, (groups[group], groups[group].processes[process]))
            for group, process in changed
            if group in groups and process in groups[group].processes
        ]
        message: dict[str, Any] = {"now": self._supervisord.runtime.clock.time(), "rows": made}
        if self._has_new_groups:
            self._has_new_groups = False
            message["groups"] = True
        return f"data: {json.dumps(message)}\n\n".encode()
