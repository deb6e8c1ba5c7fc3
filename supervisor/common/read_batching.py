"""Batching of the reads from a busy pipe."""

from __future__ import annotations

DELAY_SECONDS = 0.02
"""Maximum delay of a read from a busy stream, in seconds."""

SHORT_DELAY_SECONDS = 0.001
"""Pause after a read once the pipe has been enlarged, in seconds."""

BUSY_READS = 8
"""Number of reads in quick succession after which a stream counts as busy."""

SMALL_BYTES = 16 * 1024
"""Average size of a read below which the call costs more than the data."""

PIPE_BYTES = 64 * 1024
"""Default capacity of a pipe (Linux pipe(7))."""

LARGE_PIPE_BYTES = 1024 * 1024
"""Maximum capacity of a pipe without privileges; it buffers small writes during a pause."""

WIDE_PIPE_BYTES = 256 * 1024
"""Capacity for large writes: the writer continues during reads, and the data fits the cache."""


class ReadBatcher:
    """Policy for pauses between reads, which batch the small writes of a busy stream.

    100 children with 1000 lines a second each, in bursts of ten, cost 38 % of a CPU if each
    burst is read separately, and 12 % if those of 20 ms are read together.  A stream that is
    not busy is read immediately.  A fast stream needs a larger pipe for a pause, because a full
    pipe would block its writer: reading 1 GB of 100-byte lines then takes 1 second of CPU
    instead of 3.  With large writes, a larger pipe blocks the writer less often: throughput of
    64 KB writes grows by a quarter.

    `full_bytes` is the maximum size of a read; after a full read, more data may be pending.
    `may_grow` allows a larger pipe.
    """

    def __init__(self, full_bytes: int, *, may_grow: bool = True) -> None:
        self._full_bytes = full_bytes
        self._began = 0.0
        self._latest = 0.0
        self._reads = 0
        self._bytes = 0
        self._pipe_bytes = PIPE_BYTES
        self._may_grow = may_grow
        self.wanted_pipe_bytes = 0

    def pipe_grew(self, pipe_bytes: int) -> None:
        """Record the capacity of the pipe, which is unchanged if it could not grow."""
        self._may_grow = pipe_bytes > self._pipe_bytes
        self._pipe_bytes = pipe_bytes
        self.wanted_pipe_bytes = 0

    def delay_after(self, size: int, now: float) -> float:
        """Record a read and return the pause after it in seconds, usually 0.

        Long pauses end at a multiple of `DELAY_SECONDS`, so that many readers resume in the same
        wake-up.
        """
        if now - self._latest > 2 * DELAY_SECONDS:
            self._began, self._reads, self._bytes = now, 0, 0
        self._latest = now
        self._reads += 1
        self._bytes += size
        if self._reads < BUSY_READS or size >= self._full_bytes:
            return 0.0
        elapsed = now - self._began
        delay = 0.0
        if self._bytes * DELAY_SECONDS < self._pipe_bytes / 8 * elapsed:
            delay = DELAY_SECONDS - now % DELAY_SECONDS
        elif self._may_grow and self._fitting_bytes() > self._pipe_bytes:
            self.wanted_pipe_bytes = self._fitting_bytes()
        elif self._bytes * SHORT_DELAY_SECONDS < self._pipe_bytes / 2 * elapsed:
            delay = SHORT_DELAY_SECONDS
        # After a pause, the next read shows whether the stream is still busy.
        self._began, self._reads, self._bytes = now, BUSY_READS - 1 if delay else 0, 0
        return delay

    def _fitting_bytes(self) -> int:
        is_small = self._bytes < self._reads * SMALL_BYTES
        return LARGE_PIPE_BYTES if is_small else WIDE_PIPE_BYTES
