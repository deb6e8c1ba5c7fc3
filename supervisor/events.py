"""Event types, their payloads and their subscribers.

Processes, groups and the daemon publish events with `notify`; event listener pools and plugins
subscribe.  Names and payload texts are the protocol that listeners read, so they are exactly
those of Supervisor 4.3; `ProcessHealthEvent` is the only addition.
"""

from __future__ import annotations

from collections.abc import Callable

from supervisor.common.capture import BEGIN_TOKEN, END_TOKEN
from supervisor.common.text import as_text
from supervisor.engine.deferred import Notifier
from supervisor.states import ProcessStates, getProcessStateDescription

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, TypeAlias

Process: TypeAlias = "Any"
"""An object with `config.name`, `group`, `pid` and `backoff`; plugins pass their own."""

Callback: TypeAlias = "Callable[[Any], object]"

callbacks: list[tuple[type, Callback]] = []
"""All subscriptions, in the order in which they were made; plugins read and edit the list."""


subscriptions_changed = Notifier()
"""Woken by each subscribe and unsubscribe, for publishers that make events only on demand."""


def subscribe(type: type, callback: Callback) -> None:  # noqa: A002 - the parameter name of Supervisor 4
    """Call `callback` with every event of a type or of its subtypes.

    A callback that subscribes twice is called twice: pools that name both a type and its parent
    expect that.
    """
    callbacks.append((type, callback))
    subscriptions_changed.notify()


def unsubscribe(type: type, callback: Callback) -> None:  # noqa: A002 - as above
    """Undo one `subscribe`; raises `ValueError` if there is none."""
    callbacks.remove((type, callback))
    subscriptions_changed.notify()


def clear() -> None:
    """Remove all subscriptions, before a reload and between tests."""
    callbacks.clear()
    subscriptions_changed.notify()


def notify(event: object) -> None:
    """Notify all subscribers of the event's type, in the order of subscription.

    Callbacks may subscribe and unsubscribe meanwhile; this takes effect with the next event.
    There is no table from type to callbacks, because plugins edit `callbacks`, and checking a
    dozen subscriptions takes less than a microsecond.

    Raises the exception of a callback after all have been called; an `ExceptionGroup` if several
    callbacks have failed.
    """
    errors: list[Exception] = []
    for event_type, callback in tuple(callbacks):
        if isinstance(event, event_type):
            try:
                callback(event)
            except Exception as error:  # noqa: BLE001 - the others are called all the same
                errors.append(error)
    if len(errors) > 1:
        raise ExceptionGroup(f"{len(errors)} subscribers failed", errors)
    if errors:
        raise errors[0]


def has_subscribers(event_type: type) -> bool:
    """Whether such an event has subscribers; if not, it need not be made."""
    return any(issubclass(event_type, wanted) for wanted, _ in callbacks)


def _origin(process: Process) -> str:
    """Return the process's names as in payloads; without a group, the group's name is empty."""
    group = process.group
    return f"processname:{process.config.name} groupname:{group.config.name if group else ''}"


class Event:
    """Base class of all events that listeners can receive; `EVENT` subscribes to all of them.

    The pools that queue the event assign the serials.
    """

    serial: int | None
    pool_serials: dict[str, int]

    def payload(self) -> str:
        """Return the text that follows the header on a listener's stdin."""
        return ""


class ProcessLogEvent(Event):
    """A program has written something that went to its log."""

    channel: ClassVar[str | None] = None

    def __init__(self, process: Process, pid: int, data: bytes | str) -> None:
        self.process = process
        self.pid = pid
        self.data = data

    def payload(self) -> str:
        """Return the process and the channel on one line, the output from the next line on."""
        head = f"{_origin(self.process)} pid:{self.pid} channel:{self.channel}"
        return f"{head}\n{as_text(self.data)}"


class ProcessLogStdoutEvent(ProcessLogEvent):
    """A program has written to stdout."""

    channel = "stdout"


class ProcessLogStderrEvent(ProcessLogEvent):
    """A program has written to stderr."""

    channel = "stderr"


class ProcessCommunicationEvent(Event):
    """A program has written something between the capture tokens."""

    BEGIN_TOKEN = BEGIN_TOKEN
    END_TOKEN = END_TOKEN
    channel: ClassVar[str | None] = None

    def __init__(self, process: Process, pid: int, data: bytes | str) -> None:
        self.process = process
        self.pid = pid
        self.data = data

    def payload(self) -> str:
        """Return the process on one line, the data from the next line on."""
        return f"{_origin(self.process)} pid:{self.pid}\n{as_text(self.data)}"


class ProcessCommunicationStdoutEvent(ProcessCommunicationEvent):
    """Captured on stdout."""

    channel = "stdout"


class ProcessCommunicationStderrEvent(ProcessCommunicationEvent):
    """Captured on stderr."""

    channel = "stderr"


class RemoteCommunicationEvent(Event):
    """A client has called `sendRemoteCommEvent`."""

    def __init__(self, type: str, data: str) -> None:  # noqa: A002 - the name that plugins read
        self.type = type
        self.data = data

    def payload(self) -> str:
        """Return the type on one line, the data from the next line on."""
        return f"type:{self.type}\n{self.data}"


class SupervisorStateChangeEvent(Event):
    """The daemon enters another state; the payload is empty."""


class SupervisorRunningEvent(SupervisorStateChangeEvent):
    """The daemon is up."""


class SupervisorStoppingEvent(SupervisorStateChangeEvent):
    """The daemon is about to stop or to reload."""


class ProcessGroupEvent(Event):
    """A group has changed; `group` is its name."""

    def __init__(self, group: str) -> None:
        self.group = group

    def payload(self) -> str:
        """Return the group's name; the line end is part of the protocol here."""
        return f"groupname:{self.group}\n"


class ProcessGroupAddedEvent(ProcessGroupEvent):
    """A group has been added."""


class ProcessGroupRemovedEvent(ProcessGroupEvent):
    """A group has been removed."""


_EXTRA_VALUES: dict[str, Callable[[Any], object]] = {
    "expected": lambda event: int(event.expected),
    "pid": lambda event: event.process.pid,
    "tries": lambda event: event.process.backoff,
}


class ProcessStateEvent(Event):
    """A process has entered the state that the class represents.

    The extra values are read when the event is created: by the time a listener receives it,
    the pid may have changed.
    """

    frm: int | None = None
    to: int | None = None
    extras: ClassVar[tuple[str, ...]] = ()

    def __init__(self, process: Process, from_state: int, expected: bool = True) -> None:
        self.process = process
        self.from_state = from_state
        self.expected = expected
        self.extra_values = self.get_extra_values()

    def get_extra_values(self) -> list[tuple[str, object]]:
        """Return the values of the payload beyond names and former state."""
        return [(name, _EXTRA_VALUES[name](self)) for name in self.extras]

    def payload(self) -> str:
        """Return `key:value` pairs on one line."""
        pairs = [("from_state", getProcessStateDescription(self.from_state)), *self.extra_values]
        return " ".join([_origin(self.process), *(f"{key}:{value}" for key, value in pairs)])


class ProcessStateFatalEvent(ProcessStateEvent):
    """Given up."""


class ProcessStateUnknownEvent(ProcessStateEvent):
    """In a state that the daemon cannot handle."""


class ProcessStateStartingOrBackoffEvent(ProcessStateEvent):
    """Base class of events of a start; the payload has the number of failed tries."""

    extras = ("tries",)


class ProcessStateStartingEvent(ProcessStateStartingOrBackoffEvent):
    """About to be started."""


class ProcessStateBackoffEvent(ProcessStateStartingOrBackoffEvent):
    """A start has failed."""


class ProcessStateExitedEvent(ProcessStateEvent):
    """Ended on its own."""

    extras = ("expected", "pid")


class ProcessStateRunningEvent(ProcessStateEvent):
    """Up for long enough."""

    extras = ("pid",)


class ProcessStateStoppingEvent(ProcessStateEvent):
    """A stop has been requested."""

    extras = ("pid",)


class ProcessStateStoppedEvent(ProcessStateEvent):
    """Ended on request; the pid is that of the dead child."""

    extras = ("pid",)


PROCESS_STATE_EVENTS: dict[int, type[ProcessStateEvent]] = {
    ProcessStates.STARTING: ProcessStateStartingEvent,
    ProcessStates.RUNNING: ProcessStateRunningEvent,
    ProcessStates.BACKOFF: ProcessStateBackoffEvent,
    ProcessStates.STOPPING: ProcessStateStoppingEvent,
    ProcessStates.EXITED: ProcessStateExitedEvent,
    ProcessStates.STOPPED: ProcessStateStoppedEvent,
    ProcessStates.FATAL: ProcessStateFatalEvent,
    ProcessStates.UNKNOWN: ProcessStateUnknownEvent,
}
"""State -> the event of entering it."""


class ProcessHealthEvent(Event):
    """Base class of the verdicts on a program with a liveness check.

    `failures` is the number of failed checks in a row, and `reason` that of the last one.
    """

    def __init__(self, process: Process, failures: int = 0, reason: str = "") -> None:
        self.process = process
        self.pid = process.pid
        self.failures = failures
        self.reason = reason

    def payload(self) -> str:
        """Return the process and the failures on one line, the reason on the next one."""
        return f"{_origin(self.process)} pid:{self.pid} failures:{self.failures}\n{self.reason}"


class ProcessHealthOkEvent(ProcessHealthEvent):
    """The liveness checks of a program succeed: the first ones of a run, or again."""


class ProcessHealthFailedEvent(ProcessHealthEvent):
    """Too many liveness checks of a program have failed in a row."""


class TickEvent(Event):
    """A boundary of `period` seconds of wall time has passed."""

    period: ClassVar[int]

    def __init__(self, when: float, supervisord: Any) -> None:
        self.when = when
        self.supervisord = supervisord

    def payload(self) -> str:
        """Return the boundary, in seconds since the epoch."""
        return f"when:{self.when}"


class Tick5Event(TickEvent):
    """Every five seconds."""

    period = 5


class Tick60Event(TickEvent):
    """Every minute."""

    period = 60


class Tick3600Event(TickEvent):
    """Every hour."""

    period = 3600


TICK_EVENTS = [Tick5Event, Tick60Event, Tick3600Event]


class EventRejectedEvent:
    """A listener has rejected an event or died while handling it: its pool requeues it.

    Not an `Event`: listeners never receive it.
    """

    def __init__(self, process: Process, event: Event) -> None:
        self.process = process
        self.event = event


class EventTypes:
    """The names of the types in configuration files and in the listeners' protocol."""

    EVENT = Event
    PROCESS_STATE = ProcessStateEvent
    PROCESS_STATE_STOPPED = ProcessStateStoppedEvent
    PROCESS_STATE_EXITED = ProcessStateExitedEvent
    PROCESS_STATE_STARTING = ProcessStateStartingEvent
    PROCESS_STATE_STOPPING = ProcessStateStoppingEvent
    PROCESS_STATE_BACKOFF = ProcessStateBackoffEvent
    PROCESS_STATE_FATAL = ProcessStateFatalEvent
    PROCESS_STATE_RUNNING = ProcessStateRunningEvent
    PROCESS_STATE_UNKNOWN = ProcessStateUnknownEvent
    PROCESS_HEALTH_OK = ProcessHealthOkEvent
    PROCESS_HEALTH_FAILED = ProcessHealthFailedEvent
    PROCESS_COMMUNICATION = ProcessCommunicationEvent
    PROCESS_COMMUNICATION_STDOUT = ProcessCommunicationStdoutEvent
    PROCESS_COMMUNICATION_STDERR = ProcessCommunicationStderrEvent
    PROCESS_LOG = ProcessLogEvent
    PROCESS_LOG_STDOUT = ProcessLogStdoutEvent
    PROCESS_LOG_STDERR = ProcessLogStderrEvent
    REMOTE_COMMUNICATION = RemoteCommunicationEvent
    SUPERVISOR_STATE_CHANGE = SupervisorStateChangeEvent
    SUPERVISOR_STATE_CHANGE_RUNNING = SupervisorRunningEvent
    SUPERVISOR_STATE_CHANGE_STOPPING = SupervisorStoppingEvent
    TICK = TickEvent
    TICK_5 = Tick5Event
    TICK_60 = Tick60Event
    TICK_3600 = Tick3600Event
    PROCESS_GROUP = ProcessGroupEvent
    PROCESS_GROUP_ADDED = ProcessGroupAddedEvent
    PROCESS_GROUP_REMOVED = ProcessGroupRemovedEvent


_names: dict[type, str] = {}
"""Cache of names: searching the table would take 2 us for every event sent."""


def getEventNameByType(requested: type) -> str | None:
    """Return the name of a type, None if it has none."""
    if requested in _names:
        return _names[requested]
    for name, event_type in vars(EventTypes).items():
        if event_type is requested:
            _names[requested] = name
            return name
    return None


def register(name: str, event: type) -> None:
    """Register a name for a plugin's event type, or replace the type of a name."""
    setattr(EventTypes, name, event)
    _names.clear()
