"""The channels of a child's stdin, stdout and stderr.

A process calls `make_dispatchers` before each spawn.  An output dispatcher reads the available
output and splits captured parts out.  The rest is written to the child's log, to the activity log
and to the subscribers of log events.
"""

from __future__ import annotations

import errno
import functools
import mmap
import os

from supervisor import events, loggers
from supervisor.common.ansi import AnsiStripper
from supervisor.common.capture import Captured, CaptureSplitter
from supervisor.common.listener_protocol import ListenerStream, Ready
from supervisor.common.read_batching import LARGE_PIPE_BYTES, ReadBatcher
from supervisor.common.text import as_text
from supervisor.config.model import EventListenerConfig
from supervisor.engine import posix
from supervisor.logs import reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    from supervisor.config.process_config import StreamConfig
    from supervisor.process.child import Subprocess
    from supervisor.process.plan import Pipes

    class ListenerPool(Protocol):
        """The group of a listener, which handles the listener's messages."""

        def on_ready(self, process: Subprocess) -> None:
            """Handle READY."""

        def on_result(self, process: Subprocess, result: bytes) -> None:
            """Handle a RESULT."""

        def on_protocol_violation(self, process: Subprocess, reason: str) -> None:
            """Handle a violation of the protocol."""


INFO, DEBUG = loggers.LevelsByName.INFO, loggers.LevelsByName.DEBG

READ_BYTES = 128 * 1024
"""Size of one read: twice the capacity of a pipe of default size."""

READS_PER_RESUME = LARGE_PIPE_BYTES // READ_BYTES
"""Upper bound per wake-up, enough for the largest pipe: a fast writer cannot starve the loop."""

MAX_STDIN_BYTES = 4 * 1024 * 1024
"""Upper bound of the bytes queued for one child's stdin; one larger write may exceed it."""

DRAIN_BYTES = 2 * 1024 * 1024
"""Bound of the reads after a child's death: more than any pipe can still hold of its output."""

EVENT_TYPES: dict[
    str, tuple[type[events.ProcessLogEvent], type[events.ProcessCommunicationEvent]]
] = {
    "stdout": (events.ProcessLogStdoutEvent, events.ProcessCommunicationStdoutEvent),
    "stderr": (events.ProcessLogStderrEvent, events.ProcessCommunicationStderrEvent),
}


@functools.cache  # a daemon without programs never needs it
def _buffers() -> list[memoryview]:
    """Return the one buffer that all output is read into, as an argument of `readv`.

    It is page-aligned, like the segments of a pipe: copies into an unaligned buffer from
    malloc take the kernel up to half as long again (1.5 instead of 1.1 s/GB).
    """
    return [memoryview(mmap.mmap(-1, READ_BYTES, mmap.MAP_PRIVATE))]


class RejectEvent(Exception):
    """Raised by a result handler: the event goes back to its pool."""


def default_handler(event: events.Event, response: bytes) -> None:  # noqa: ARG001 - the plugins' signature
    """Accept `OK`, reject everything else; the default `result_handler`."""
    if response != b"OK":
        raise RejectEvent(response)


class Dispatcher:
    """One end of a pipe to a child, as a channel of the loop."""

    def __init__(self, process: Subprocess, channel: str, fd: int) -> None:
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

    def reopenlogs(self) -> None:
        """Do nothing; overridden by channels that log."""


class PInputDispatcher(Dispatcher):
    """The child's stdin: bytes are queued here until the child reads them."""

    def __init__(self, process: Subprocess, channel: str, fd: int) -> None:
        super().__init__(process, channel, fd)
        self.input_buffer = bytearray()
        self._waits = False

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
        """Send as many bytes as the pipe accepts; the loop sends the rest later."""
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
        if self._waits is not bool(self.input_buffer):
            self._waits = not self._waits
            self.process.runtime.loop.interest_changed(self)

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
    """Reads a child's output; subclasses handle the bytes."""

    def __init__(self, process: Subprocess, channel: str, fd: int) -> None:
        super().__init__(process, channel, fd)
        self._config: StreamConfig = getattr(process.config, channel)
        self.childlog = _open_childlog(process, self._config)
        self._stripper = AnsiStripper() if process.runtime.settings.strip_ansi else None
        self._batcher: ReadBatcher | None = None
        self._is_resting = False

    def readable(self) -> bool:
        """Whether to read: until the child, and each process that inherited its end, closes it."""
        return not self.closed and not self._is_resting

    def read(self) -> bytes | None:
        """Read once; return b"" at the end of the stream, None when nothing is available."""
        buffers = _buffers()
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
        self._take()
        if self._is_resting:
            self.process.runtime.loop.interest_changed(self)

    def _take(self) -> bool:
        """Read once and handle the bytes; return whether there were any."""
        data = self.read()
        if data:
            self.output_arrived(data)
            if self._batcher is not None and not self.closed:
                self._rest(self._batcher, len(data))
        elif data is not None:
            self.close()
        return bool(data)

    def _rest(self, pace: ReadBatcher, size: int) -> None:
        """Delay the next read, if the pace requires it and no client follows the log."""
        loop = self.process.runtime.loop
        now = loop.clock.monotonic()
        seconds = pace.delay_after(size, now)
        if pace.wanted_pipe_bytes:
            pace.pipe_grew(posix.enlarge_pipe(self.fd, pace.wanted_pipe_bytes))
        if seconds and self._config.logfile not in reading.followed:
            self._is_resting = True
            loop.call_at(now + seconds, self._rested)

    def _rested(self) -> None:
        """Read after the delay; watch the pipe again unless another delay follows."""
        self._is_resting = False
        try:
            for _ in range(READS_PER_RESUME):
                if self.closed or self._is_resting or not self._take():
                    break
        except Exception:  # noqa: BLE001 - as in the loop: an error closes this channel only
            self.handle_error()
        if not self.closed and not self._is_resting:
            self.process.runtime.loop.interest_changed(self)

    def drain(self) -> None:
        """Read to the end of the stream, or as much as the dead child can have written."""
        taken = 0
        while not self.closed and taken < DRAIN_BYTES:
            data = self.read()
            if data is None:
                return
            if not data:
                self.close()
                return
            taken += len(data)
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

    def removelogs(self) -> None:
        """Remove the log and start a new one."""
        if self.childlog is not None:
            for handler in self.childlog.handlers:
                handler.renew()

    def reopenlogs(self) -> None:
        """Reopen the log under the same name, unless the stream has ended."""
        if self.childlog is not None and not self.closed:
            self.process.runtime.reopen_logs(self.childlog.handlers)


class POutputDispatcher(OutputDispatcher):
    """stdout or stderr of a program.

    `pid` is set when the process has exited and a grandchild still holds the pipe: by then the
    process has no pid, or that of the next child.
    """

    def __init__(self, process: Subprocess, channel: str, fd: int) -> None:
        super().__init__(process, channel, fd)
        self.events_enabled = self._config.events_enabled
        capture_bytes = self._config.capture_maxbytes
        self._splitter = CaptureSplitter(capture_bytes) if capture_bytes else None
        self._log_event, self._communication_event = EVENT_TYPES[channel]
        self.pid = 0
        if not self.events_enabled and not capture_bytes:
            self._batcher = ReadBatcher(READ_BYTES)  # only a log consumes the bytes

    def output_arrived(self, data: bytes) -> None:
        """Separate captured parts from the output to log."""
        if self._splitter is None:
            self._log(data)
            return
        self._handle(self._splitter.feed(data))

    def close(self) -> None:
        """Flush the bytes that were held back, then close."""
        if not self.closed:
            if self._splitter is not None:
                self._handle(self._splitter.flush())
            if self._stripper is not None:
                self._write(self._stripper.flush())
            super().close()

    def _handle(self, parts: list[bytes | Captured]) -> None:
        for part in parts:
            if isinstance(part, Captured):
                self._captured(part.data)
            else:
                self._log(part)

    def _captured(self, data: bytes) -> None:
        if self._stripper is not None:
            data = self._stripper.feed(data)
        self._announce(data)
        process = self.process
        events.notify(self._communication_event(process, self.pid or process.pid, data))
        process.runtime.logger.debug(f"'{process.name}' {self.channel} emitted a comm event")

    def _log(self, data: bytes) -> None:
        """Log output that is not captured; plugins wrap this method on the class."""
        if data and self._stripper is not None:
            data = self._stripper.feed(data)
        self._write(data)

    def _write(self, data: bytes) -> None:
        if data:
            if self.childlog is not None:
                self.childlog.log(INFO, data)
            self._announce(data)

    def _announce(self, data: bytes) -> None:
        """Write output to the activity log and notify the listeners."""
        process = self.process
        logger = process.runtime.logger
        if logger.level <= DEBUG:
            text = as_text(data)
            logger.debug(f"'{process.name}' {self.channel} output:\n{text}")
        if self.events_enabled:
            events.notify(self._log_event(process, self.pid or process.pid, data))


class PEventListenerDispatcher(OutputDispatcher):
    """stdout of an event listener: the READY/RESULT protocol."""

    def __init__(self, process: Subprocess, channel: str, fd: int) -> None:
        super().__init__(process, channel, fd)
        self._stream = ListenerStream()
        self._pool: ListenerPool = process.group  # type: ignore[assignment]

    def output_arrived(self, data: bytes) -> None:
        """Log the bytes and handle the messages in them."""
        self._write(data if self._stripper is None else self._stripper.feed(data))
        logger = self.process.runtime.logger
        if logger.level <= DEBUG:
            logger.debug(f"'{self.process.name}' {self.channel} output:\n{data!r}")
        stream, process = self._stream, self.process
        stream.feed(data)
        while (
            stream.buffer and (message := stream.next_message(process.listener_state)) is not None
        ):
            if isinstance(message, bytes):
                self._pool.on_result(process, message)
            elif isinstance(message, Ready):
                self._pool.on_ready(process)
            else:
                self._pool.on_protocol_violation(process, message.text)

    def close(self) -> None:
        """Log the bytes that were held back, then close."""
        if not self.closed:
            if self._stripper is not None:
                self._write(self._stripper.flush())
            super().close()

    def _write(self, data: bytes) -> None:
        if data and self.childlog is not None:
            self.childlog.log(INFO, data)


def _open_childlog(process: Subprocess, stream: StreamConfig) -> loggers.Logger | None:
    """Open the log of a stream; return None if it has none."""
    logfile: str | None = stream.logfile  # type: ignore[assignment]  # AUTO has become a path
    if not logfile and not stream.syslog:
        return None
    logger = loggers.getLogger()
    if logfile:
        loggers.handle_file(
            logger,
            filename=logfile,
            fmt="%(message)s",
            rotating=bool(stream.logfile_maxbytes),
            maxbytes=stream.logfile_maxbytes,
            backups=stream.logfile_backups,
        )
    if stream.syslog:
        loggers.handle_syslog(logger, fmt=f"{process.config.name} %(message)s")
    return logger


def make_dispatchers(process: Subprocess, pipes: Pipes) -> dict[int, Dispatcher]:
    """Return the dispatchers, by fd, of a process that is about to be started.

    Raises `OSError` when a log cannot be opened; the daemon's ends of the pipes are closed then.
    """
    is_listener = isinstance(process.config, EventListenerConfig)
    stdout: Callable[[Subprocess, str, int], Dispatcher] = (
        PEventListenerDispatcher if is_listener else POutputDispatcher
    )
    made: dict[int, Dispatcher] = {}
    try:
        made[pipes.stdout] = stdout(process, "stdout", pipes.stdout)
        if pipes.stderr is not None:
            made[pipes.stderr] = POutputDispatcher(process, "stderr", pipes.stderr)
        if pipes.stdin is not None:
            made[pipes.stdin] = PInputDispatcher(process, "stdin", pipes.stdin)
    except OSError:
        pipes.close_parent_ends(but=made.keys())
        for dispatcher in made.values():
            dispatcher.close()
        raise
    return made


def log_spawn_failure(dispatchers: Iterable[Dispatcher], reason: str) -> None:
    """Write the reason of a failed start to the program's log: its owner looks there first."""
    outputs = [each for each in dispatchers if isinstance(each, POutputDispatcher)]
    if outputs:
        text = f"supervisor: {reason}\nsupervisor: child process was not spawned\n"
        outputs[-1].output_arrived(text.encode())
