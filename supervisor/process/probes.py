"""Running probes: in the loop where possible, else in a helper with a deadline.

A readiness check and a health check have a `ProbeRunner` each.
"""

from __future__ import annotations

from supervisor.common.probes import COMMAND, UNIX, NotRun, failure_reason, timeout_text
from supervisor.engine import paths, posix, probe_child
from supervisor.engine.probe_socket import ProbeSocket
from supervisor.process.helper_child import HelperChild
from supervisor.process.plan import SpawnError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisor.common.probes import Probe
    from supervisor.engine.loop import Loop, Timer
    from supervisor.process.helper_child import HelperEnd

    OnResult = Callable[[str | None], object]

STILL_RUNNING = "the previous probe has not ended"


class ProbeRunner:
    """Runs the probes of one check, one at a time.

    `spawn(argv)` starts a child as the program's user, in its environment and directory, as the
    leader of a process group; stdout and stderr are a pipe.  It returns the pid and the reading
    end of the pipe, or raises `OSError` or `posix.ProcessException`.  `register(pid, helper)` makes
    the reaper call `helper.finish`.
    """

    def __init__(
        self,
        name: str,
        loop: Loop,
        spawn: Callable[[tuple[str, ...]], tuple[int, int]],
        register: Callable[[int, HelperChild], object],
    ) -> None:
        """`name` is for messages of the reaper."""
        self._name = name
        self._loop = loop
        self._spawn = spawn
        self._register = register
        self._socket: ProbeSocket | None = None
        self._helper: HelperChild | None = None
        self._pending: Timer | None = None

    def start(self, probe: Probe, timeout: float, on_result: OnResult) -> None:
        """Start a probe, after the end of the one before.

        `on_result` is called once, later, with None for success or the reason of the failure, at
        the latest after `timeout` seconds; the reason is a `NotRun` if the host lacks resources
        for the probe.  A helper that cannot be killed (it is in an
        uninterruptible system call) makes further probes that need one fail.
        """
        if _runs_in_loop(probe):
            self._socket = ProbeSocket(probe, timeout, self._loop, on_result)
            return
        if self._helper is not None and not self._helper.is_reaped:
            self._fail(STILL_RUNNING, on_result)
            return
        argv = probe.argv or probe_child.command(probe, timeout)
        try:
            started = self._spawn(argv)
        except OSError as error:
            self._fail(failure_reason(error), on_result)
            return
        except posix.ProcessException as error:
            no_fork = isinstance(error, SpawnError) and not error.in_child
            self._fail((NotRun if no_fork else str)(error), on_result)
            return
        self._helper = HelperChild(
            self._name,
            started,
            self._loop,
            timeout,
            lambda end: on_result(_failure(probe, timeout, end)),
        )
        self._register(started[0], self._helper)

    def cancel(self) -> None:
        """End the running probe without a result."""
        if self._pending is not None:
            self._pending.cancel()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._helper is not None:
            self._helper.cancel()

    def _fail(self, reason: str, on_result: OnResult) -> None:
        """Report a failure from the loop, as all results."""
        self._pending = self._loop.call_later(0, lambda: on_result(reason))


def _runs_in_loop(probe: Probe) -> bool:
    """Whether a non-blocking socket suffices; connecting to a slow file system would block."""
    if probe.scheme == UNIX:
        return not paths.Route(probe.path, paths.mounts.slow_points()).may_wait
    return bool(probe.known_addresses)


def _failure(probe: Probe, timeout: float, end: HelperEnd) -> str | None:
    """Return why a helper's probe failed, None if it succeeded."""
    if end.status is None:
        return timeout_text(timeout)
    code, text = posix.decode_wait_status(end.status)
    if code == 0:
        return None
    if not end.first_line:
        return text
    is_reason = probe.scheme != COMMAND and code == probe_child.REPORTED_STATUS
    return end.first_line if is_reason else f"{text}: {end.first_line}"
