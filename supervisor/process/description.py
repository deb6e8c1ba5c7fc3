"""The description of a process, which `status` and the status page show after its state.

The texts are those of Supervisor 4.  What a process with dependencies, restart options or
hooks waits for is added here, so a program without such options has the same description as before.
"""

from __future__ import annotations

import math
import time

from supervisor.states import ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final, Protocol, TypeAlias

    from supervisor.engine.loop import Clock
    from supervisor.process.health_monitor import HealthMonitor
    from supervisor.process.starts import Starts
    from supervisor.process.startup import Startup
    from supervisor.process.status import HooksStatus

    class Runtime(Protocol):
        """The part of the runtime context that a description needs."""

        @property
        def clock(self) -> Clock:
            """The clock."""

    class Startable(Protocol):
        """A process that may wait for its start."""

        @property
        def runtime(self) -> Runtime:
            """The runtime context."""

        @property
        def starts(self) -> Starts:
            """Its automatic and requested starts."""

        @property
        def startup(self) -> Startup:
            """Its start in progress."""

        @property
        def health(self) -> HealthMonitor | None:
            """Its supervision while it is RUNNING."""

        @property
        def hooks(self) -> HooksStatus | None:
            """Its hooks."""

        @property
        def pid(self) -> int:
            """The pid of its child, 0 if there is none."""

    Outlook: TypeAlias = tuple[str, int, str]

RUNNING: Final = "pid {pid}, uptime {uptime}"

NO_OUTLOOK: Final[Outlook] = ("", 0, "")


def outlook(process: Startable) -> Outlook:
    """Return (what a wanted start waits for, seconds to the next start, further words).

    Each is "" or 0 if there is none.  The seconds are rounded up.  They are those of a pause by
    restart options only, because Supervisor 4 shows no pause.  The words name the hook that is
    running.  Otherwise, a program that declares readiness is described by what is missing of it,
    or by its latest STATUS= (sd_notify(3)); one that fails its liveness checks, by that.
    """
    starts, words = process.starts, ""
    monitor, health = process.startup.readiness, process.health
    if process.hooks is not None and process.hooks.running:
        words = f"running {process.hooks.running}"
    elif monitor is not None and process.pid:
        words = monitor.status_text or monitor.describe()
    if health is not None and health.failure:
        words = ", ".join(filter(None, (words, f"health: {health.failure}")))
    unmet = ", ".join(map(str, starts.unmet()))
    if unmet:
        return unmet, 0, words
    next_start_at = None if starts.restarts.limits is None else starts.next_start_at
    if next_start_at is None:
        return "", 0, words
    return "", max(math.ceil(next_start_at - process.runtime.clock.monotonic()), 0), words


def stop_time(seconds: float) -> str:
    """Return the local time of a stop in the format of Supervisor 4."""
    return time.strftime("%b %d %I:%M %p", time.localtime(seconds))


def describe(
    info: Mapping[str, Any],
    outlook: Outlook = NO_OUTLOOK,
    time_text: Callable[[float], str] = stop_time,
) -> str:
    """Return the description; `info` is the struct of `getProcessInfo`, as far as known.

    `time_text` returns a time, in seconds since the epoch, as text.
    """
    unmet, pause, words = outlook
    if unmet:
        return f"waiting for {unmet}"
    further = f"restart in {pause} s" if pause else words
    return ", ".join(filter(None, (_past(info, time_text), further)))


def _past(info: Mapping[str, Any], time_text: Callable[[float], str]) -> str:
    """Return the description of Supervisor 4."""
    state = info["state"]
    if state == ProcessStates.RUNNING:
        return RUNNING.format(pid=info["pid"], uptime=uptime(info["now"] - info["start"]))
    if state in (ProcessStates.FATAL, ProcessStates.BACKOFF):
        return info["spawnerr"] or f'unknown error (try "tail {info["name"]}")'
    if state in (ProcessStates.STOPPED, ProcessStates.EXITED):
        if info["start"]:
            return time_text(info["stop"])
        return "Not started"
    return ""


def uptime(seconds: int) -> str:
    """Format an uptime in seconds; a negative one, after the clock was set back, counts as 0."""
    import datetime as dt

    return str(dt.timedelta(seconds=max(seconds, 0)))
