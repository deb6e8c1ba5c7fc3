"""Readiness of a process: from the child's messages and the probes to `Readiness`.

`open` creates what the next child needs before it is started, `started` begins the run, and
`close` ends it.  The machine in `readiness` decides; here are sockets, pipes and timers.
"""

from __future__ import annotations

import errno
import os

from supervisor.common.notify_protocol import MICROSECONDS
from supervisor.common.ready_line import ReadyLineMatcher
from supervisor.engine import posix
from supervisor.process import readiness
from supervisor.process.helper_launch import probe_runner
from supervisor.process.notification_fd import NotificationFd
from supervisor.process.notify_socket import NotifySocket, adopt_notify_socket, bind_notify_socket
from supervisor.process.plan import ChildChannels
from supervisor.process.readiness import CheckSchedule, Readiness, ReadinessCheck
from supervisor.process.runtime_directory import is_reachable
from supervisor.states import ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    from supervisor.common.notify_protocol import Notification
    from supervisor.config.model import ProcessConfig
    from supervisor.engine.loop import Timer
    from supervisor.process.health_monitor import HealthMonitor
    from supervisor.process.runtime import Runtime

    class Owner(Protocol):
        """A process that waits for its child to be ready."""

        config: ProcessConfig
        runtime: Runtime
        state: int
        health: HealthMonitor | None

        @property
        def name(self) -> str:
            """The name without its group."""

        @property
        def group_name(self) -> str:
            """The name of the group."""

        def transition(self) -> None:
            """Take the next step if it is due."""


NOTIFY_SOCKET = "NOTIFY_SOCKET"
WATCHDOG_USEC, WATCHDOG_PID = "WATCHDOG_USEC", "WATCHDOG_PID"
"""Variables of sd_watchdog_enabled(3): the time of the watchdog, and the process that it is for."""

NO_CHANNELS = ChildChannels({}, {})

FIRST_FREE_FD = 3
"""Fd of the child for a notification pipe whose number the program reads from a variable."""


class ReadinessMonitor:
    """The readiness of one process, run after run."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._state = Readiness(_kind(owner.config), _check(owner.config))
        self.channels = NO_CHANNELS
        self._socket: NotifySocket | None = None
        self._pipe: NotificationFd | None = None
        self._pipe_fd: int | None = None
        self._matchers: list[ReadyLineMatcher] = []
        self._timer: Timer | None = None
        self._runner = probe_runner(owner, "readiness check")
        self.status_text = ""
        """The latest STATUS= of the program."""
        self.ready_at = 0.0
        """Time of readiness in this run, in seconds since the epoch; 0 before it."""
        self.timeout_at: float | None = None
        """End of `ready_timeout`, in monotonic seconds."""
        self._failing_since = 0.0

    @property
    def is_ready(self) -> bool:
        """Whether the program is ready in this run."""
        return self._state.ready

    def missing(self) -> list[str]:
        """Return the unmet conditions, as text for users."""
        return self._state.missing()

    @property
    def failing_check(self) -> tuple[str, float]:
        """The reason of the last failed probe, and the time of the first failure in a row.

        The time is in seconds since the epoch; "" and 0 if the check does not fail.
        """
        return self._state.check_failure, self._failing_since

    def describe(self) -> str:
        """Return the unmet conditions as a phrase, "" if the program is ready."""
        return self._state.describe()

    # -- a run --------------------------------------------------------------------

    def open(self) -> None:
        """Create the `channels` of the next child; raises `ProcessException`, and none is open."""
        self.close()
        try:
            self.channels = self._open()
        except OSError as error:
            reason = error.strerror or error
            name = self._owner.name
            raise posix.ProcessException(
                f"cannot make the notify socket of '{name}': {reason}"
            ) from None

    def _open(self) -> ChildChannels:
        config, runtime = self._owner.config, self._owner.runtime
        if config.notify:
            directory = runtime.services.notify_directory.path()
            if config.uid not in {None, os.geteuid()} and not is_reachable(directory):
                reason = f"the program's user cannot reach {directory} (see runtimedir)"
                raise PermissionError(errno.EACCES, reason)
            self._socket = self._make_socket(bind_notify_socket(directory, config.uid))
            variables = {NOTIFY_SOCKET: self._socket.path}
            if not config.health.watchdog:
                return ChildChannels(variables, {})
            variables[WATCHDOG_USEC] = str(round(config.health.watchdog * MICROSECONDS))
            return ChildChannels(variables, {}, WATCHDOG_PID)
        wanted = config.notification_fd
        if wanted is None:
            return NO_CHANNELS
        self._pipe_fd, writer = os.pipe()
        if isinstance(wanted, int):
            return ChildChannels({}, {wanted: writer})
        return ChildChannels({wanted: str(FIRST_FREE_FD)}, {FIRST_FREE_FD: writer})

    def _make_socket(self, bound: tuple[socket.socket, str]) -> NotifySocket:
        accept_all = self._owner.config.notify == "all"
        loop = self._owner.runtime.loop
        return NotifySocket(bound, loop, self._notified, self._warn, accept_all=accept_all)

    def _make_pipe(self, reader: int) -> NotificationFd:
        loop = self._owner.runtime.loop
        return NotificationFd(reader, loop, self._message_arrived, self._state.message_failed)

    def started(self, pid: int, now: float) -> None:
        """Begin the run: the child exists."""
        self.status_text, self.ready_at, self._failing_since = "", 0.0, 0.0
        self.timeout_at = _timeout_at(self._owner.config, now)
        if self._socket is not None:
            self._socket.main_pid = pid
        if self._pipe_fd is not None:
            self._pipe = self._make_pipe(self._pipe_fd)
            self._pipe_fd = None
        self._state.run_started(now)
        self._arm()

    def assume_ready(self) -> None:
        """Count the present run as ready: its program did not declare readiness at its start."""
        self._state.assume_ready()

    def reconfigure(self, started_at: float) -> None:
        """Follow the config, whose check or time limit has changed, in the run in progress too."""
        self._cancel_probe()
        config, now = self._owner.config, self._owner.runtime.clock.monotonic()
        self.timeout_at = _timeout_at(config, started_at)
        if self._state.replace_check(_check(config), now):
            self._became_ready()
        else:
            self._arm()

    def drain(self) -> None:
        """Read the last messages of a child that has exited."""
        if self._socket is not None and not self._socket.closed:
            self._socket.drain()
        if self._pipe is not None and not self._pipe.closed:
            self._pipe.drain()
        for matcher in self._matchers:
            if matcher.flush():
                self._message_arrived()

    def close(self) -> None:
        """End the run, or one that could not be started."""
        for channel in (self._socket, self._pipe):
            if channel is not None:
                channel.close()
        if self._pipe_fd is not None:
            os.close(self._pipe_fd)
        self._socket = self._pipe = self._pipe_fd = None
        self._matchers = []
        self._cancel_probe()
        self._state.reset()
        self._failing_since = 0.0

    def _cancel_probe(self) -> None:
        self._runner.cancel()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- messages -----------------------------------------------------------------

    def output_observer(self) -> Callable[[bytes], object] | None:
        """Return a function that is called with the output of one stream, None if none is."""
        pattern = self._owner.config.ready_log_line
        if pattern is None:
            return None
        matcher = ReadyLineMatcher(pattern)
        self._matchers.append(matcher)

        def observe(data: bytes) -> None:
            if not self.is_ready and matcher.feed(data):
                self._message_arrived()

        return observe

    def _notified(self, notification: Notification, _pid: int) -> None:
        if self._owner.health is not None:
            self._owner.health.notified(notification)
        if notification.status is not None:
            self.status_text = notification.status
            self._owner.runtime.services.description_changed(self._owner)
        if notification.extend_timeout_seconds is not None and self.timeout_at is not None:
            now = self._owner.runtime.clock.monotonic()
            self.timeout_at = max(self.timeout_at, now + notification.extend_timeout_seconds)
            self._owner.runtime.loop.call_soon(self._owner.transition)
        if notification.ready:
            self._message_arrived()

    def _message_arrived(self) -> None:
        if self._state.message_arrived():
            self._became_ready()

    def _became_ready(self) -> None:
        runtime = self._owner.runtime
        self.ready_at = runtime.clock.time()
        runtime.loop.call_soon(self._owner.transition)

    def _warn(self, problem: str) -> None:
        self._owner.runtime.logger.warn(f"{self._owner.name}: {problem}")

    # -- the check ----------------------------------------------------------------

    def _arm(self) -> None:
        due = self._state.next_probe()
        if due is not None:
            self._timer = self._owner.runtime.loop.call_at(due, self._probe)

    def _probe(self) -> None:
        self._timer = None
        config, check = self._owner.config, self._state.check
        if config.readiness_check_script is None or check is None:
            return
        if self._owner.state != ProcessStates.STARTING:  # it is being stopped
            return
        check.probe_started(self._owner.runtime.clock.monotonic())
        self._runner.start(
            config.readiness_check_script, config.readiness_check_timeout, self._probed
        )

    def _probed(self, failure: str | None) -> None:
        runtime, before = self._owner.runtime, self._state.missing()
        is_ready = self._state.probe_finished(runtime.clock.monotonic(), failure)
        is_failing = bool(self._state.check_failure)
        self._failing_since = self._failing_since or runtime.clock.time() if is_failing else 0.0
        if is_ready:
            self._became_ready()
            return
        if self._state.missing() != before:
            runtime.services.description_changed(self._owner)
        self._arm()

    # -- saving ---------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the state of the run as JSON values."""
        return {
            "failing_since": self._failing_since,
            "matchers": [matcher.snapshot() for matcher in self._matchers],
            "pipe": _snapshot_if_open(self._pipe),
            "ready_at": self.ready_at,
            "socket": _snapshot_if_open(self._socket),
            "state": self._state.snapshot(),
            "status_text": self.status_text,
            "timeout_at": self.timeout_at,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored.

        The observers of the output have been made, in the order of the streams.
        """
        for matcher, line in zip(self._matchers, saved.get("matchers", ()), strict=False):
            matcher.restore(line)
        if (pipe := saved.get("pipe")) is not None:
            self._pipe = self._make_pipe(pipe["fd"])
            self._pipe.restore(pipe)
        if (notify := saved.get("socket")) is not None:
            self._socket = self._make_socket(adopt_notify_socket(notify))
            self._socket.restore(notify)
        self._state.restore(saved.get("state", {}))
        self._failing_since = saved.get("failing_since", 0.0)
        self.status_text = saved.get("status_text", "")
        self.ready_at = saved.get("ready_at", 0.0)
        self.timeout_at = saved.get("timeout_at")
        self._arm()


def _snapshot_if_open(channel: NotifySocket | NotificationFd | None) -> dict[str, Any] | None:
    return None if channel is None or channel.closed else channel.snapshot()


def _check(config: ProcessConfig) -> ReadinessCheck | None:
    if config.readiness_check_script is None:
        return None
    return ReadinessCheck(
        CheckSchedule(
            config.readiness_check_initial_delay,
            config.readiness_check_period,
            config.readiness_check_timeout,
            config.readiness_check_success_threshold,
        )
    )


def _timeout_at(config: ProcessConfig, started_at: float) -> float | None:
    return started_at + config.ready_timeout if config.ready_timeout else None


def _kind(config: ProcessConfig) -> str | None:
    if config.notify:
        return readiness.NOTIFY
    if config.notification_fd is not None:
        return readiness.NOTIFICATION_FD
    return None if config.ready_log_line is None else readiness.READY_LINE
