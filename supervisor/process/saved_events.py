"""Events as JSON values: those that a pool has queued, or a listener is handling.

An event is saved with the text of its payload, because the process that it is about may be in
another state by the time it is sent.
"""

from __future__ import annotations

from supervisor import events
from supervisor.loggers import exception_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from supervisor.loggers import Logger


class Serials:
    """Consecutive numbers, from 0."""

    def __init__(self) -> None:
        self.next = 0

    def take(self) -> int:
        """Return the next number."""
        number, self.next = self.next, self.next + 1
        return number


def save_event(event: events.Event, logger: Logger) -> dict[str, Any] | None:
    """Return an event as JSON values; None, which is logged, for one without a valid payload."""
    try:
        payload = event.payload()
    except Exception:  # noqa: BLE001 - plugins have their own event types
        logger.error(
            f"event {event.serial} has no valid payload, discarding it\n{exception_text()}"
        )
        return None
    return {
        "name": events.getEventNameByType(type(event)),
        "payload": payload,
        "serial": event.serial,
        # Not a dict: a pool called "fd" would name an fd there, see `resume_format.FD_PATTERN`.
        "pool_serials": list(event.pool_serials.items()),
    }


class SavedEvents:
    """The events of the daemon before: one that several pools have queued is one object."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._events: dict[int, events.Event] = {}

    def restore(self, saved: Mapping[str, Any] | None) -> events.Event | None:
        """Return a saved event; None, which is logged, if its type no longer exists."""
        if saved is None:
            return None
        serial, name = saved["serial"], str(saved["name"])
        if serial not in self._events:
            event_type = getattr(events.EventTypes, name, None)
            if event_type is None:
                self._logger.error(f"event {serial} of type {name} is discarded: no such type")
                return None
            self._events[serial] = _restored(event_type, saved)
        return self._events[serial]


def _restored(event_type: type[events.Event], saved: Mapping[str, Any]) -> events.Event:
    event: Any = event_type.__new__(event_type)
    text = saved["payload"]
    event.payload = lambda: text
    event.serial = saved["serial"]
    event.pool_serials = dict(saved["pool_serials"])
    return event  # type: ignore[no-any-return]
