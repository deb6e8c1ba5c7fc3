"""A helper: a child that runs a command for the daemon, with a deadline.

Helpers do the work that could block the loop.  At the deadline a helper is killed with its
process group, and what it leaves behind in the group is killed when it exits.  Of its output,
the first line explains a failure; the rest is read and discarded.

The daemon's one reaper calls `finish`, as for programs.
"""

from __future__ import annotations

import contextlib
import os
import signal

from supervisor.common.records import record
from supervisor.common.text import one_line
from supervisor.engine import posix
from supervisor.engine.read_channel import ReadChannel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from supervisor.engine.loop import Loop

READ_BYTES = 65536
"""Upper bound of one read, and there is one read per wake-up: the capacity of a pipe."""

FREE_BYTES = 65536
PAUSE_SECONDS = 0.01
"""Output beyond `FREE_BYTES` is read with pauses, so that a flood cannot keep the loop busy."""

MAX_FINAL_READS = 4
"""Upper bound of the reads after the exit: an escaped process may still write."""

MAX_LINE_BYTES = 200
"""Number of bytes, the last ones, that are kept of the first line."""


@record(frozen=True)
class HelperEnd:
    """The end of a helper.

    `status` is that of `waitpid`, None if the helper was killed at its deadline.  `first_line` is
    the end of the first line of its output, printable.
    """

    status: int | None
    first_line: str


class HelperOutput(ReadChannel):
    """The pipe for the output of a helper."""

    read_bytes = READ_BYTES
    max_final_reads = MAX_FINAL_READS

    def __init__(self, fd: int, loop: Loop) -> None:
        self._line = b""
        self._has_line = False
        self._bytes = 0
        super().__init__(fd, loop)

    @property
    def first_line(self) -> str:
        """The end of the first line, printable."""
        return one_line(self._line.decode("utf-8", "replace").strip(), MAX_LINE_BYTES)

    def handle_read_event(self) -> None:
        """Read a part of the output."""
        if self._read() and self._bytes > FREE_BYTES:
            self.pause(PAUSE_SECONDS)

    def drain(self) -> None:
        """Read what is in the pipe: the helper has exited."""
        for _ in range(self.max_final_reads):
            if self.closed or not self._read():
                return

    def _read(self) -> bool:
        """Read once; return whether there were any bytes."""
        try:
            data = os.read(self._fd, self.read_bytes)
        except BlockingIOError:
            return False
        self._bytes += len(data)
        self._arrived(data)
        if not data:
            self.close()
        return bool(data)

    def keep(self) -> int:
        """Return the fd, which stays open in the next daemon."""
        return self._fd

    def _arrived(self, data: bytes) -> None:
        """Keep the first line; overridden by outputs that are logged."""
        if not self._has_line:
            part, newline, _ = data.partition(b"\n")
            self._line = (self._line + part)[-MAX_LINE_BYTES:]
            self._has_line = bool(newline)


class HelperChild:
    """A running helper, the leader of a process group; owns its output pipe.

    `on_end` is called once: at the deadline, or when the helper has exited; never after `cancel`.
    `name` is for messages of the reaper.
    """

    def __init__(
        self,
        name: str,
        started: tuple[int, int],
        loop: Loop,
        timeout: float,
        on_end: Callable[[HelperEnd], object],
        *,
        make_output: Callable[[int, Loop], HelperOutput] = HelperOutput,
    ) -> None:
        """`started` is the pid, and the reading end of the pipe; `timeout` is in seconds."""
        self.name = name
        self.pid, output = started
        self.is_reaped = False
        self._on_end: Callable[[HelperEnd], object] | None = on_end
        self._output = make_output(output, loop)
        self._timer = loop.call_later(timeout, self._on_timeout)

    @property
    def is_in_progress(self) -> bool:
        """Whether the end is still to be reported."""
        return self._on_end is not None

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; `fd`, that of the output, stays open."""
        return {"pid": self.pid, "deadline": self._timer.when, "fd": self._output.keep()}

    def finish(self, pid: int, status: int) -> None:
        """Handle the exit: `pid` has just been reaped, with a status of `waitpid`."""
        self.is_reaped = True
        if posix.is_leaderless_group(pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        self._output.drain()
        self._end(status)

    def cancel(self) -> None:
        """Kill the helper; its end will not be reported."""
        self._on_end = None
        self._kill()
        self._end(None)

    def _on_timeout(self) -> None:
        self._kill()
        self._end(None)

    def _end(self, status: int | None) -> None:
        self._timer.cancel()
        self._output.close()
        report, self._on_end = self._on_end, None
        if report is not None:
            report(HelperEnd(status, self._output.first_line))

    def _kill(self) -> None:
        if self.is_reaped:
            return
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:  # a zombie, or not a leader yet
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:  # a plugin that waits for any child has reaped it
                self.is_reaped = True
        except PermissionError:  # it has become another user
            return
