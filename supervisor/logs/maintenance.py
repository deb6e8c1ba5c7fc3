"""The work on log files that is not a write: rotation by time, compression, age of backups.

There is one `LogMaintenance` for the daemon, made when the first log needs it.  One timer serves
all logs of a period.  One helper at a time compresses backups, so that midnight does not start a
helper for each program.
"""

from __future__ import annotations

import os

from supervisor.logs.compression import begin_compression, remove_older, remove_partial
from supervisor.logs.reading import notify_written
from supervisor.logs.rotation import rotate_if_not_empty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from supervisor.common.rotation_period import RotationPeriod
    from supervisor.engine.loop import Loop, Timer
    from supervisor.logs.compression import Compression
    from supervisor.logs.policy import LogPolicy
    from supervisor.logs.sinks import Sink

    class Helper(Protocol):
        """A running helper that compresses."""

        def cancel(self) -> None:
            """Kill it; its end is not reported."""

    # Starts the compression of an fd into another one, with a deadline in seconds.  The callback
    # gets None or the reason of a failure.  Raises `OSError` if no helper can be started.
    StartHelper = Callable[[int, int, float, Callable[[str | None], object]], Helper]

MAX_WAIT_SECONDS = 600.0
"""Longest wait for a rotation by time.

The wait is measured by the monotonic clock.  If the system's clock is set meanwhile, or the
machine was suspended, the rotation is late by this much at most.
"""

MAX_ROTATION_SECONDS = 0.01
"""Time for rotations in one iteration of the loop; the next one continues."""

MAX_SEARCH_SECONDS = 0.005
"""Time to look for a backup to compress in one iteration of the loop; the next one continues.

Thousands of logs without any may have been opened during one compression.
"""

MIN_HELPER_SECONDS = 60.0
MIN_BYTES_PER_SECOND = 1_000_000
"""The deadline of a helper follows from the size of the file."""


class PeriodicRotation:
    """Rotates the open logs of each period at its boundaries."""

    def __init__(self, loop: Loop, rotate: Callable[[Sink], object]) -> None:
        self._loop = loop
        self._rotate = rotate
        self._sinks: dict[RotationPeriod, dict[Sink, None]] = {}
        self._due: dict[RotationPeriod, float] = {}
        self._pending: dict[Sink, None] = {}  # not empty: the loop will continue
        self._timer: Timer | None = None

    def add(self, sink: Sink, period: RotationPeriod) -> None:
        """Rotate a log at the boundaries of a period."""
        if sink not in self._sinks.get(period, ()):
            self.remove(sink)
            self._sinks.setdefault(period, {})[sink] = None
            if period not in self._due:
                self._arm()

    def remove(self, sink: Sink) -> None:
        """Leave a log alone that has been closed."""
        for period, sinks in self._sinks.items():
            if sink in sinks:
                del sinks[sink]
                if not sinks:
                    del self._sinks[period]
                    self._due.pop(period, None)
                return

    def close(self) -> None:
        """Rotate nothing any more."""
        self._sinks.clear()
        self._due.clear()
        self._pending.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        """Set the timer, after the clock may have been set as well."""
        now = self._loop.clock.time()
        for period in self._sinks:
            due = period.next_rotation(now)
            self._due[period] = min(due, self._due.get(period, due))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due:
            wait = min(min(self._due.values()) - now, MAX_WAIT_SECONDS)
            self._timer = self._loop.call_later(wait, self._on_timer)

    def _on_timer(self) -> None:
        now = self._loop.clock.time()
        is_idle = not self._pending
        for period, due in list(self._due.items()):
            if due <= now:
                del self._due[period]
                self._pending.update(self._sinks[period])
        self._arm()
        if is_idle:
            self._rotate_pending()

    def _rotate_pending(self) -> None:
        """Rotate the logs that are due, for a bounded time in each iteration of the loop."""
        clock = self._loop.clock
        ends_at = clock.monotonic() + MAX_ROTATION_SECONDS
        try:
            while self._pending and clock.monotonic() < ends_at:
                sink = next(iter(self._pending))
                del self._pending[sink]
                if sink.fd >= 0:  # else closed meanwhile
                    self._rotate(sink)
        finally:
            if self._pending:
                self._loop.call_later(0, self._rotate_pending)  # in the next iteration


class LogMaintenance:
    """Rotation by time, compression and removal of backups, for logs with a `LogPolicy`.

    `report` is called with the text of a failure.
    """

    def __init__(
        self, loop: Loop, start_helper: StartHelper, report: Callable[[str], object]
    ) -> None:
        self._loop = loop
        self._clock = loop.clock
        self._start_helper = start_helper
        self._report = report
        self._periods = PeriodicRotation(loop, self._rotate)
        self._waiting: dict[str, LogPolicy] = {}  # logs with backups to compress, by path
        self._helper: Helper | None = None
        self._job: Compression | None = None
        self._is_search_postponed = False
        self._is_closed = False

    def opened(self, sink: Sink, policy: LogPolicy, *, is_first: bool) -> None:
        """Rotate a log whose period has ended since it was last written; then rotate it by time.

        `is_first` is false for a further writer of an open log, whose backups are in order.
        """
        if self._is_closed or not sink.is_file:
            return
        if policy.period is not None:
            if sink.size:
                written_at = os.fstat(sink.fd).st_mtime
                if policy.period.next_rotation(written_at) <= self._clock.time():
                    self._rotate(sink)
            self._periods.add(sink, policy.period)
        if is_first:
            self._look_after(sink.path, policy)

    def rotated(self, path: str, policy: LogPolicy) -> None:
        """Remove and compress backups after a rotation."""
        self._look_after(path, policy)

    def closed(self, sink: Sink) -> None:
        """Stop rotating a log by time; its backups are still compressed."""
        self._periods.remove(sink)

    def close(self) -> None:
        """Kill the helper and leave its backup as it is."""
        self._is_closed = True
        self._periods.close()
        self._waiting.clear()
        if self._helper is not None:
            self._helper.cancel()
        self._end_job()

    def _rotate(self, sink: Sink) -> None:
        policy = sink.policy
        if policy is None or policy.period is None:
            return
        try:
            rotate_if_not_empty(sink, policy.backups)
        except OSError as error:
            self._report(f"cannot rotate log {sink.path}: {error.strerror or error}")
        notify_written(sink.path)

    # -- backups ------------------------------------------------------------------

    def _look_after(self, path: str, policy: LogPolicy) -> None:
        if self._is_closed or not policy.has_backup_rules:
            return
        if policy.max_age_seconds:
            before = self._clock.time() - policy.max_age_seconds
            try:
                remove_older(path, policy.backups, before)
            except OSError as error:
                self._report(f"cannot remove a backup of log {path}: {error.strerror or error}")
        if policy.is_compressed:
            self._waiting[path] = policy
            self._compress_next()

    def _compress_next(self) -> None:
        """Compress the next backup, unless one is being compressed."""
        if self._is_search_postponed:
            return
        ends_at = self._clock.monotonic() + MAX_SEARCH_SECONDS
        while self._job is None and self._waiting:
            if self._clock.monotonic() >= ends_at:
                self._is_search_postponed = True
                self._loop.call_later(0, self._continue_search)
                return
            path, policy = next(iter(self._waiting.items()))
            try:
                self._job = begin_compression(path, policy.backups)
                if self._job is None:
                    del self._waiting[path]
                    remove_partial(path)
                else:
                    self._start(self._job)
            except OSError as error:
                self._failed(path, error.strerror or str(error))

    def _continue_search(self) -> None:
        self._is_search_postponed = False
        self._compress_next()

    def _start(self, job: Compression) -> None:
        size = os.fstat(job.source).st_size
        timeout = MIN_HELPER_SECONDS + size / MIN_BYTES_PER_SECOND
        self._helper = self._start_helper(job.source, job.target, timeout, self._helper_ended)

    def _helper_ended(self, failure: str | None) -> None:
        job = self._job
        if job is None:
            return
        try:
            if failure is not None:
                self._failed(job.path, failure)
            else:
                job.commit()
                job.close()
                self._job = self._helper = None
        except OSError as error:
            self._failed(job.path, error.strerror or str(error))
        self._compress_next()

    def _failed(self, path: str, reason: str) -> None:
        """Leave the backups of a log as they are until it is rotated or opened again."""
        self._waiting.pop(path, None)
        self._end_job()
        self._report(f"cannot compress a backup of log {path}: {reason}")

    def _end_job(self) -> None:
        job, self._job, self._helper = self._job, None, None
        if job is not None:
            job.abandon()
            job.close()
