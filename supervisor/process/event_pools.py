"""Event listener pools: queues of events and the processes that handle them."""

from __future__ import annotations

from collections import deque

from supervisor import events
from supervisor.loggers import LevelsByName, exception_text
from supervisor.process.dispatchers import RejectEvent
from supervisor.process.groups import ProcessGroupBase
from supervisor.process.saved_events import SavedEvents, Serials, save_event
from supervisor.states import (
    EventListenerStates,
    ProcessStates,
    getEventListenerStateDescription,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from supervisor.config.model import (
        EventListenerPoolConfig,
        ProcessConfig,
        ProcessGroupConfig,
    )
    from supervisor.engine.loop import Loop, Timer
    from supervisor.process.child import Subprocess
    from supervisor.process.runtime import Runtime

DEBUG = LevelsByName.DEBG
RUNNING = ProcessStates.RUNNING
ACKNOWLEDGED, BUSY, READY, UNKNOWN = (
    EventListenerStates.ACKNOWLEDGED,
    EventListenerStates.BUSY,
    EventListenerStates.READY,
    EventListenerStates.UNKNOWN,
)

serials = Serials()
"""The serials of events in any pool."""

REJECTIONS_BEFORE_BACKOFF = 10
"""Rejections in a row after which a pool assumes that its listeners reject everything."""

BACKOFF_SECONDS = 1
"""Pause before the next event after too many rejections, in seconds."""


class RejectionBackoff:
    """The back-off of a pool whose listeners reject one event after the other.

    A rejected event goes to the next ready listener at once.  A listener that rejects everything,
    for example because its results have a wrong length, would receive the same event tens of
    thousands of times a second, each time with a warning in the log.
    """

    def __init__(self, loop: Loop, resume: Callable[[], object]) -> None:
        self._loop = loop
        self._resume = resume
        self._rejections = 0
        self._timer: Timer | None = None

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {"rejections": self._rejections, "is_paused": self.paused}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; a pause begins again."""
        self._rejections = saved.get("rejections", 0)
        if saved.get("is_paused") and self._timer is None:
            self._timer = self._loop.call_later(BACKOFF_SECONDS, self._end_pause)

    @property
    def paused(self) -> bool:
        """Whether events are held back for now."""
        return self._timer is not None

    def accepted(self) -> None:
        """Reset the count: a listener has accepted an event."""
        self._rejections = 0

    def rejected(self) -> None:
        """Count a rejection, and pause after too many in a row."""
        self._rejections += 1
        if self._rejections >= REJECTIONS_BEFORE_BACKOFF and self._timer is None:
            self._timer = self._loop.call_later(BACKOFF_SECONDS, self._end_pause)

    def cancel(self) -> None:
        """Cancel the pause without resuming."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_pause(self) -> None:
        self._timer = None
        self._resume()


class EventListenerPool(ProcessGroupBase):
    """An `[eventlistener:x]` section: its processes share one queue of events."""

    config: EventListenerPoolConfig

    def __init__(self, config: EventListenerPoolConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self.event_buffer: deque[events.Event] = deque()
        self._poolserials = Serials()
        self._backoff = RejectionBackoff(runtime.loop, self.dispatch)
        for event_type in config.pool_events:
            events.subscribe(event_type, self.enqueue)
        events.subscribe(events.EventRejectedEvent, self.requeue)

    def reconfigure(self, config: ProcessGroupConfig) -> None:
        """Take another config; change the subscriptions only where they differ."""
        before, after = self.config.pool_events, getattr(config, "pool_events", [])
        for event_type in before:
            if event_type not in after:
                events.unsubscribe(event_type, self.enqueue)
        super().reconfigure(config)
        for event_type in after:
            if event_type not in before:
                events.subscribe(event_type, self.enqueue)

    def before_remove(self) -> None:
        """Unsubscribe from events."""
        super().before_remove()
        for event_type in self.config.pool_events:
            events.unsubscribe(event_type, self.enqueue)
        events.unsubscribe(events.EventRejectedEvent, self.requeue)
        self._backoff.cancel()

    def add_process(self, config: ProcessConfig) -> Subprocess:
        """Add a listener, which may send READY before it is RUNNING."""
        process = super().add_process(config)

        def state_changed() -> None:
            process.changed.add(state_changed)
            if process.get_state() == RUNNING:
                self.dispatch()

        process.changed.add(state_changed)
        return process

    def has_pending_events(self) -> bool:
        """Whether a listener is handling an event, or may still accept one."""
        states = {
            process.listener_state
            for process in self.processes.values()
            if process.get_state() == RUNNING
        }
        if BUSY in states:
            return True
        return bool(self.event_buffer and states - {UNKNOWN})

    # -- saving ---------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the queue and the events in flight as JSON values."""
        in_flight = {
            name: save_event(process.event, self.runtime.logger)
            for name, process in self.processes.items()
            if process.event is not None
        }
        waiting = [save_event(event, self.runtime.logger) for event in self.event_buffer]
        return {
            "backoff": self._backoff.snapshot(),
            "event_buffer": [event for event in waiting if event is not None],
            "in_flight": in_flight,
            "next_poolserial": self._poolserials.next,
        }

    def restore(self, saved: Mapping[str, Any], saved_events: SavedEvents) -> None:
        """Take over a state that `snapshot` has returned; the processes have been restored."""
        self._poolserials.next = saved.get("next_poolserial", 0)
        self._backoff.restore(saved.get("backoff") or {})
        for name, event in (saved.get("in_flight") or {}).items():
            if name in self.processes:
                self.processes[name].event = saved_events.restore(event)
        waiting = map(saved_events.restore, saved.get("event_buffer") or ())
        self.event_buffer.extend(event for event in waiting if event is not None)

    # -- events in ------------------------------------------------------------

    def enqueue(self, event: events.Event) -> None:
        """Queue an event that the pool has subscribed to, and dispatch to ready listeners."""
        self._acceptEvent(event)
        self.dispatch()

    def requeue(self, rejected: events.EventRejectedEvent) -> None:
        """Requeue an event that a listener of this pool has rejected, or died with."""
        if rejected.process.group is self:
            event = rejected.event
            self.runtime.logger.debug(
                f"rebuffering event {event.serial} for pool {self.config.name}"
                f" (buf size={len(self.event_buffer)}, max={self.config.buffer_size})"
            )
            self._acceptEvent(event, head=True)
            self.dispatch()

    def _acceptEvent(self, event: events.Event, *, head: bool = False) -> None:
        # This name and `_eventEnvelope` are from Supervisor 4; the tests of
        # supervisord-dependent-startup use them.
        if getattr(event, "serial", None) is None:
            event.serial = serials.take()
        pool_serials: dict[str, int] | None = getattr(event, "pool_serials", None)
        if pool_serials is None:
            event.pool_serials = pool_serials = {}
        name, waiting = self.config.name, self.event_buffer
        if name not in pool_serials:
            pool_serials[name] = self._poolserials.take()
        while waiting and len(waiting) >= self.config.buffer_size:
            dropped = waiting.popleft()
            self.runtime.logger.error(
                f"pool {name} event buffer overflowed, discarding event {dropped.serial}"
            )
        if head:
            waiting.appendleft(event)
        else:
            waiting.append(event)

    # -- events out -----------------------------------------------------------

    def dispatch(self) -> None:
        """Send the oldest events to the ready listeners."""
        waiting = self.event_buffer
        if waiting and not self._backoff.paused:
            for process in self.processes.values():
                while (
                    process.listener_state == READY and waiting and process.get_state() == RUNNING
                ):
                    self._send(process, waiting.popleft())

    def _send(self, process: Subprocess, event: events.Event) -> None:
        try:
            envelope = self._eventEnvelope(
                type(event), event.serial, event.pool_serials[self.config.name], event.payload()
            )
        except Exception:  # noqa: BLE001 - plugins have their own event types
            self.runtime.logger.error(
                f"event {event.serial} has no valid payload, discarding it\n{exception_text()}"
            )
            return
        process.listener_state = BUSY
        process.event = event
        try:
            process.write(envelope.encode("utf-8", "surrogateescape"))
        except BlockingIOError as error:
            self.on_protocol_violation(process, f"does not read its stdin, {error.strerror}")
            return
        except OSError as error:
            process.listener_state = UNKNOWN
            process.event = None
            self.event_buffer.appendleft(event)
            self.runtime.logger.debug(f"{process.name}: event was not sent: {error}")
            return
        logger = self.runtime.logger
        if logger.level <= DEBUG:
            logger.debug(f"event {event.serial} sent to listener {process.name}")

    def _eventEnvelope(
        self, event_type: type, serial: int | None, pool_serial: int, payload: str
    ) -> str:
        # The length counts characters, not bytes, as existing listeners do.
        return (
            f"ver:3.0 server:{self.runtime.settings.identifier} serial:{serial}"
            f" pool:{self.config.name} poolserial:{pool_serial}"
            f" eventname:{events.getEventNameByType(event_type)} len:{len(payload)}\n{payload}"
        )

    # -- the protocol -----------------------------------------------------------

    def on_ready(self, process: Subprocess) -> None:
        """Handle READY of a listener."""
        process.event = None
        self._set_listener_state(process, READY)
        self.dispatch()

    def on_result(self, process: Subprocess, result: bytes) -> None:
        """Pass the RESULT of a listener to the result handler."""
        event, process.event = process.event, None
        accepted = event is None or self._accepts(process, event, result)
        self._set_listener_state(process, ACKNOWLEDGED)
        if event is not None and not accepted:
            self._backoff.rejected()
            events.notify(events.EventRejectedEvent(process, event))
        else:
            self._backoff.accepted()

    def _accepts(self, process: Subprocess, event: events.Event, result: bytes) -> bool:
        logger = self.runtime.logger
        try:
            self.config.result_handler(event, result)
        except RejectEvent:
            logger.warn(f"{process.name}: event was rejected")
        except Exception:  # noqa: BLE001 - a plugin's handler must not end the loop
            logger.warn(f"{process.name}: event caused an error\n{exception_text()}")
        else:
            if logger.level <= DEBUG:
                logger.debug(f"{process.name}: event was processed")
            return True
        return False

    def on_protocol_violation(self, process: Subprocess, reason: str) -> None:
        """Put a listener that has violated the protocol into the UNKNOWN state."""
        if reason:
            self.runtime.logger.warn(f"{process.name}: {reason}")
        self._set_listener_state(process, UNKNOWN)
        self.runtime.logger.warn(
            f"{process.name}: has entered the UNKNOWN state and will no longer receive events,"
            " this usually indicates the process violated the eventlistener protocol"
        )
        if process.event is not None:
            event, process.event = process.event, None
            events.notify(events.EventRejectedEvent(process, event))

    def _set_listener_state(self, process: Subprocess, state: int) -> None:
        logger = self.runtime.logger
        if logger.level <= DEBUG:
            before = getEventListenerStateDescription(process.listener_state)
            after = getEventListenerStateDescription(state)
            logger.debug(f"{process.name}: {before} -> {after}")
        process.listener_state = state
