"""The attributes of a process that other modules and plugins read."""

from __future__ import annotations

from supervisor.engine.deferred import Notifier
from supervisor.process.history import History
from supervisor.states import (
    RUNNING_STATES,
    EventListenerStates,
    ProcessStates,
    getProcessStateDescription,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from supervisor import events
    from supervisor.config.model import ProcessConfig, ProcessGroupConfig
    from supervisor.process.runtime import Runtime

    class Group(Protocol):
        """The group of a process."""

        @property
        def config(self) -> ProcessGroupConfig:
            """The configuration of the group."""

        @property
        def processes(self) -> Mapping[str, ProcessStatus]:
            """The members by name."""

    class HooksStatus(Protocol):
        """The hooks of a process; see `hooks.Hooks`."""

        @property
        def running(self) -> str:
            """The name of the hook that is running, "" if none is."""

        def entered_running(self) -> None:
            """Run the hook that follows a successful start."""

        def abandon(self) -> None:
            """Kill the hook that is running, and run no further one."""


NEVER = float("-inf")
"""Start time, in monotonic seconds, of a process that has not been started."""


class ProcessStatus:
    """Configuration, state and last events of one process.

    Plugins read and assign the public attributes, so these keep the names of Supervisor 4.
    `laststart` and `laststop` are wall-clock seconds (0: never), `started_at` and `laststopreport`
    are monotonic seconds (the latter 0: none yet), `backoff` counts the failed starts in a row,
    `killing` is true while a stop is requested.  `start_requested` requests a start as soon as it
    is possible: after a stop in progress, or when dependencies are up.  `has_exited` and
    `has_completed` cover all runs so far (with any exit code, with one of `exitcodes`).
    `listener_state` and `event` (the one being handled) are used in event listener pools only.
    `hooks` is None for a process without hooks.
    """

    def __init__(self, config: ProcessConfig, runtime: Runtime) -> None:
        self.config = config
        self.runtime = runtime
        self.group: Group | None = None
        self.state = ProcessStates.STOPPED
        self.pid = 0
        self._laststart = 0.0
        self.started_at = NEVER
        self.laststop = 0.0
        self.laststopreport = 0.0
        self.backoff = 0
        self.killing = False
        self.administrative_stop = False
        self.start_requested = False
        self.has_exited = False
        self.has_completed = False
        self.exitstatus: int | None = None
        self.spawnerr: str | None = None
        self.listener_state: int = EventListenerStates.ACKNOWLEDGED
        self.event: events.Event | None = None
        self.hooks: HooksStatus | None = None
        self.changed = Notifier()
        self.history = History()

    def __repr__(self) -> str:
        name, state = self.config.name, getProcessStateDescription(self.get_state())
        return f"<Subprocess at {id(self)} with name {name} in state {state}>"

    def __lt__(self, other: ProcessStatus) -> bool:
        return self.config.priority < other.config.priority

    @property
    def name(self) -> str:
        """The name without its group."""
        return self.config.name

    @property
    def group_name(self) -> str:
        """The name of the group, or the process's own while it has none."""
        return self.config.name if self.group is None else self.group.config.name

    @property
    def laststart(self) -> float:
        """Time of the last start; an assignment moves the monotonic start time along.

        Supvisors sets it to 0, as before the first start, and knot-resolver to a future time.
        """
        return self._laststart

    @laststart.setter
    def laststart(self, when: float) -> None:
        if when and self._laststart:
            self.started_at += when - self._laststart
        self._laststart = when

    def restart_clock(self) -> None:
        """Begin `startsecs` and the uptime now."""
        self._laststart = self.runtime.clock.time()
        self.started_at = self.runtime.clock.monotonic()

    def observer_of_output(self) -> Callable[[bytes], object] | None:
        """Return a function to call with the output of one stream, None if none is needed."""
        return None

    def get_state(self) -> int:
        """Return the state, one of `ProcessStates`."""
        return self.state

    @property
    def is_running(self) -> bool:
        """Whether a start would be refused because the process is running or starting."""
        return self.get_state() in RUNNING_STATES

    def _assertInState(self, *states: int) -> None:
        if self.state not in states:  # knot-resolver calls this before it changes a state
            names = " ".join(getProcessStateDescription(code) or "" for code in states)
            raise AssertionError(f"{self!r} is not in {names}")
