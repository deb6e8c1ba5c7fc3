"""The order of the hooks of one process: a pure machine, events in and steps out.

A start is the steps `PRE_START`, `LAUNCH`; RUNNING is followed by `POST_START`; a stop is
`PRE_STOP`, `STOP_COMMAND`, `SIGNAL`; and each start that has begun ends with `POST_STOP`.  One hook
runs at a time, so the steps of a start wait for the `POST_STOP` of the run before:

    event            pending steps become                         interrupted hook
    start            those of the last run, PRE_START, LAUNCH     none
    entered_running  POST_START                                   none
    stop             PRE_STOP, STOP_COMMAND, SIGNAL               POST_START
    signalled        none                                         POST_START
    abort_start      those of the last run, or POST_STOP          PRE_START
    run_ended        POST_STOP                                    POST_START

So a hook of a stop in progress may outlive the child, and `POST_STOP` follows it.  After each
event, and when a hook has ended, the caller takes all steps that `next_step` returns.
"""

from __future__ import annotations

from supervisor.config.hooks import POST_START, POST_STOP, PRE_START, PRE_STOP, STOP_COMMAND

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

LAUNCH = "launch"
"""Step: start the child."""

SIGNAL = "signal"
"""Step: send the stop signal to the child."""


class HookSequence:
    """The running hook of a process, and the steps that follow it."""

    def __init__(self, names: Collection[str]) -> None:
        """Take the names of the hooks that the process has; steps without one are skipped."""
        self._names = names
        self.running: str | None = None
        self._pending: list[str] = []

    @property
    def delays_start(self) -> bool:
        """Whether a start has been requested, but the child is still to be started."""
        return LAUNCH in self._pending

    @property
    def delays_signal(self) -> bool:
        """Whether a stop has been requested, but the signal is still to be sent."""
        return SIGNAL in self._pending

    @property
    def precedes_signal(self) -> bool:
        """Whether a hook precedes the signal of a stop."""
        return PRE_STOP in self._names or STOP_COMMAND in self._names

    def next_step(self) -> str | None:
        """Return the next step to take; None if a hook is running, or nothing is pending.

        A hook that is returned counts as running until `hook_ended`.
        """
        while self._pending and self.running is None:
            step = self._pending.pop(0)
            if step in {LAUNCH, SIGNAL}:
                return step
            if step in self._names:
                self.running = step
                return step
        return None

    def hook_ended(self) -> None:
        """Note the end of the running hook."""
        self.running = None

    # -- events; those that interrupt a hook return whether it is running ---------------

    def start(self) -> None:
        """Begin a start, after what is left of the last run."""
        self._pending += [PRE_START, LAUNCH]

    def entered_running(self) -> None:
        """Note that the program is RUNNING."""
        self._pending = [POST_START]

    def stop(self) -> bool:
        """Begin to stop a child."""
        self._pending = [PRE_STOP, STOP_COMMAND, SIGNAL]
        return self.running == POST_START

    def signalled(self) -> bool:
        """Note that the child gets a signal to stop, without the steps before it."""
        self._pending = []
        return self.running == POST_START

    def abort_start(self) -> bool:
        """End a start before its child has been started; `POST_STOP` follows if it has begun."""
        has_begun = PRE_START not in self._pending
        self._pending = [POST_STOP] if has_begun or POST_STOP in self._pending else []
        return self.running == PRE_START

    def run_ended(self) -> bool:
        """Note the exit of the child, or that the start has failed."""
        self._pending = [POST_STOP]
        return self.running == POST_START

    def disable(self) -> None:
        """Skip all hooks from now on; one that is running goes on."""
        self._names = ()

    # -- saving ---------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {"pending": self._pending, "running": self.running}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self._pending = list(saved.get("pending", ()))
        self.running = saved.get("running")
