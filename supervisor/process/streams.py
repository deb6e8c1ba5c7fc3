"""The pipes to a child as channels of the loop: reading, queueing and batching.

`dispatchers` builds on these and handles the bytes.
"""

from __future__ import annotations

import errno
import functools
import mmap
import os

from supervisor import loggers
from supervisor.common.ansi import AnsiStripper
from supervisor.common.read_batching import LARGE_PIPE_BYTES, PIPE_BYTES, ReadBatcher
from supervisor.common.records import record
from supervisor.common.text import bytes_as_text, text_as_bytes
from supervisor.engine import posix
from supervisor.logs import reading
from supervisor.process.child_log import log_options, open_child_log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from supervisor.config.stream_config import StreamConfig
    from supervisor.process.status import ProcessStatus

DEBUG = loggers.LevelsByName.DEBG

READ_BYTES = 128 * 1024
"""Size of one read: twice the capacity of a pipe of default size."""

MAX_STDIN_BYTES = 4 * 1024 * 1024
"""Upper bound of the bytes queued for one child's stdin; one larger write may exceed it."""


@record(frozen=True)
class ReadLimits:
    """Upper bounds of what one stream may read in one iteration of the loop.

    `read_bytes` is the size of one read, `reads_per_resume` the number of reads after a delay and
    `drain_bytes` what is read after the child's death; orphans' output is read later.
    """

    read_bytes: int
    reads_per_resume: int
    drain_bytes: int


RAW_LIMITS = ReadLimits(READ_BYTES, LARGE_PIPE_BYTES // READ_BYTES, 2 * LARGE_PIPE_BYTES)
"""Enough for the largest pipe: a fast writer cannot starve the loop."""


@functools.cache
def limits_of(line_passes: int) -> ReadLimits:
    """Return the limits of a stream whose handlers look at each line that many times.

    Each line costs CPU then: 32 KB of empty lines take 10 ms in JSON.  The pipe is not enlarged.
    """
    if not line_passes:
        return RAW_LIMITS
    return ReadLimits(PIPE_BYTES // 2 // line_passes, 1, 2 * PIPE_BYTES)


@functools.cache  # a daemon without programs never needs it
def _buffers(size: int) -> list[memoryview]:
    """Return the one buffer that all output is read into, up to a size, for `readv`.

    It is page-aligned, like the segments of a pipe: copies into an unaligned buffer from
    malloc take the kernel up to half as long again (1.5 instead of 1.1 s/GB).
    """
    if size < READ_BYTES:
        return [_buffers(READ_BYTES)[0][:size]]
    return [memoryview(mmap.mmap(-1, READ_BYTES, mmap.MAP_PRIVATE))]


class Dispatcher:
    """One end of a pipe to a child, as a channel of the loop."""

    def __init__(self, process: ProcessStatus, channel: str, fd: int) -> None:
        self.process = process
        self.channel = channel
        self.fd = fd
        self.closed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self)} for {self.process!r} ({self.channel})>"

    def fileno(self) -> int:
        """Return the daemon's end of the pipe."""
        return self.fd

    def readable(self) -> bool:
        """Whether to read: not by default; overridden by channels that read."""
        return False

    def writable(self) -> bool:
        """Whether to write: not by default; overridden by channels that write."""
        return False

    def handle_read_event(self) -> None:
        """Do nothing; overridden by channels that read."""

    def handle_write_event(self) -> None:
        """Do nothing; overridden by channels that write."""

    def handle_error(self) -> None:
        """Log the exception being handled and close this end only."""
        self.process.runtime.logger.critical(
            f"uncaptured python exception, closing channel {self!r}\n{loggers.exception_text()}"
        )
        self.close()

    def drain(self) -> None:
        """Read the output that the child wrote before it died."""

    def close(self) -> None:
        """Leave the loop and close the fd."""
        if not self.closed:
            self.closed = True
            self.process.runtime.loop.unwatch(self)
            os.close(self.fd)
            logger = self.process.runtime.logger
            if logger.level <= DEBUG:
                logger.debug(f"fd {self.fd} closed, stopped monitoring {self!r}")

    def removelogs(self) -> None:
        """Do nothing; overridden by channels that log."""

    def reopenlogs(self) -> list[str]:
        """Do nothing; overridden by channels that log.  Returns a line for each failure."""
        return []

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; `fd` stays open in the next daemon."""
        return {"channel": self.channel, "fd": self.fd}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""


class PInputDispatcher(Dispatcher):
    """The child's stdin: bytes are queued here until the child reads them."""

    def __init__(self, process: ProcessStatus, channel: str, fd: int) -> None:
        super().__init__(process, channel, fd)
        self.input_buffer = bytearray()
        self._is_blocked = False

    def write(self, data: bytes) -> None:
        """Queue bytes and send as many as the pipe accepts at once.

        Raises `BrokenPipeError` when the child has closed its stdin.  Raises `BlockingIOError`
        when it does not read and the queue is full; none of `data` is queued then.
        """
        waiting = len(self.input_buffer)
        if waiting and waiting + len(data) > MAX_STDIN_BYTES:
            raise BlockingIOError(errno.EAGAIN, f"{waiting} bytes are waiting to be read")
        self.input_buffer += data
        self.flush()

    def flush(self) -> None:
        """Send as many bytes as the pipe accepts; the loop sends the remainder later."""
        try:
            while self.input_buffer:
                sent = os.write(self.fd, self.input_buffer)
                del self.input_buffer[:sent]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self.input_buffer.clear()
            self.close()
            raise
        if self._is_blocked is not bool(self.input_buffer):
            self._is_blocked = not self._is_blocked
            self.process.runtime.loop.interest_changed(self)

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; `fd` stays open in the next daemon."""
        return {**super().snapshot(), "input_buffer": bytes_as_text(self.input_buffer)}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self.input_buffer += text_as_bytes(saved.get("input_buffer"))
        self._is_blocked = bool(self.input_buffer)

    def writable(self) -> bool:
        """Whether bytes are waiting."""
        return bool(self.input_buffer)

    def handle_write_event(self) -> None:
        """Flush when the pipe is writable again, or close when its other end has been closed."""
        try:
            self.flush()
        except BrokenPipeError:
            self.process.runtime.logger.debug(
                f"fd {self.fd} closed by its reader, {self.channel} of '{self.process.name}'"
            )

    def close(self) -> None:
        """Leave the loop and close the fd, without the line that outputs write."""
        if not self.closed:
            self.closed = True
            self.process.runtime.loop.unwatch(self)
            os.close(self.fd)


class OutputDispatcher(Dispatcher):
    """Reads a child's output; subclasses handle the bytes.

    `pid` is set when the process has exited and a grandchild still holds the pipe: by then the
    process has no pid, or that of the next child.
    """

    def __init__(
        self, process: ProcessStatus, channel: str, fd: int, *, opens_log: bool = True
    ) -> None:
        """Open the log if it `opens_log`; raises `OSError`."""
        super().__init__(process, channel, fd)
        self.pid = 0
        self._config: StreamConfig = getattr(process.config, channel)
        self._log_options = log_options(process, channel)
        self.childlog = self.open_log() if opens_log else None
        self._limit_reads()
        self._stripper = AnsiStripper() if process.runtime.settings.strip_ansi else None
        self._batcher: ReadBatcher | None = None
        self._is_delayed = False

    def _limit_reads(self) -> None:
        handlers = () if self.childlog is None else self.childlog.handlers
        line_passes = sum([handler.line_passes for handler in handlers])
        self._is_formatted = line_passes > 0
        self._limits = limits_of(line_passes)
        self._buffers = _buffers(self._limits.read_bytes)

    def open_log(self) -> loggers.Logger | None:
        """Open the log that is configured, None if there is none; raises `OSError`."""
        process = self.process
        return open_child_log(process, self.channel, lambda: self.pid or process.pid)

    @property
    def has_outdated_log(self) -> bool:
        """Whether options of the log differ from those with which it was opened."""
        return self._log_options != log_options(self.process, self.channel)

    def reconfigure(self, childlog: loggers.Logger | None) -> None:
        """Follow the process's config, and replace the log if it is another one."""
        self._config = getattr(self.process.config, self.channel)
        self._log_options = log_options(self.process, self.channel)
        before, self.childlog = self.childlog, childlog
        self._limit_reads()
        if before is not None and before is not childlog:
            before.close()

    def readable(self) -> bool:
        """Whether to read: until the child, and each process that inherited its end, closes it."""
        return not self.closed and not self._is_delayed

    def batch_reads(self) -> None:
        """Allow delays between reads: only a log consumes the bytes."""
        self._batcher = ReadBatcher(self._limits.read_bytes, may_grow=not self._is_formatted)

    def read(self) -> bytes | None:
        """Read once; return b"" at the end of the stream, None when nothing is available."""
        buffers = self._buffers
        try:
            size = os.readv(self.fd, buffers)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno == errno.EIO:  # a terminal whose other side has been closed
                return b""
            raise
        return buffers[0][:size].tobytes()

    def handle_read_event(self) -> None:
        """Read output, or the end of the stream."""
        self._read_once()
        if self._is_delayed:
            self.process.runtime.loop.interest_changed(self)

    def _read_once(self) -> bool:
        """Read once and handle the bytes; return whether there were any."""
        data = self.read()
        if data:
            self.output_arrived(data)
            if self._batcher is not None and not self.closed:
                self._delay_next_read(self._batcher, len(data))
        elif data is not None:
            self.close()
        return bool(data)

    def _delay_next_read(self, batcher: ReadBatcher, size: int) -> None:
        """Delay the next read, if the batcher requires it and no client follows the log."""
        loop = self.process.runtime.loop
        now = loop.clock.monotonic()
        seconds = batcher.delay_after(size, now)
        if batcher.wanted_pipe_bytes:
            batcher.pipe_grew(posix.enlarge_pipe(self.fd, batcher.wanted_pipe_bytes))
        if seconds and self._config.logfile not in reading.followed:
            self._is_delayed = True
            loop.call_at(now + seconds, self._resume)

    def _resume(self) -> None:
        """Read after the delay; watch the pipe again unless another delay follows."""
        self._is_delayed = False
        try:
            for _ in range(self._limits.reads_per_resume):
                if self.closed or self._is_delayed or not self._read_once():
                    break
        except Exception:  # noqa: BLE001 - as in the loop: an error closes this channel only
            self.handle_error()
        if not self.closed and not self._is_delayed:
            self.process.runtime.loop.interest_changed(self)

    def drain(self) -> None:
        """Read to the end of the stream, or as much as the dead child can have written."""
        drained = 0
        while not self.closed and drained < self._limits.drain_bytes:
            data = self.read()
            if data is None:
                return
            if not data:
                self.close()
                return
            drained += len(data)
            self.output_arrived(data)

    def output_arrived(self, data: bytes) -> None:
        """Handle output."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the fd and the log."""
        if not self.closed:
            super().close()
            if self.childlog is not None:
                self.childlog.close()

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; `fd` stays open in the next daemon."""
        handlers = () if self.childlog is None else self.childlog.handlers
        return {
            **super().snapshot(),
            "pid": self.pid,
            "held": [bytes_as_text(handler.held) for handler in handlers],
            "stripper": None if self._stripper is None else self._stripper.snapshot(),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self.pid = saved.get("pid", 0)
        handlers = () if self.childlog is None else self.childlog.handlers
        for handler, held in zip(handlers, saved.get("held", ()), strict=False):
            if held:
                handler.held = text_as_bytes(held)
        if self._stripper is not None:
            self._stripper.restore(saved.get("stripper") or {})

    def removelogs(self) -> None:
        """Remove the log and start a new one."""
        if self.childlog is not None:
            for handler in self.childlog.handlers:
                handler.renew()

    def reopenlogs(self) -> list[str]:
        """Reopen the log under the same name, unless the stream has ended."""
        if self.closed:
            return []
        if self.childlog is None:  # none is configured, or it could not be opened
            try:
                self.childlog = self.open_log()
            except OSError as error:
                return [f"cannot open log {self._config.logfile}: {error.strerror or error}"]
            self._limit_reads()
            return []
        return loggers.reopen_logs(self.childlog.handlers, self.process.runtime.logger)
