"""The channels of a child's stdin, stdout and stderr (floor 4).

`make_dispatchers` is called by a process before each spawn.  An output dispatcher reads
what there is, splits captured parts out, and writes the rest to the child's log, to the
activity log and to whoever listens to log events.
"""

from __future__ import annotations

import errno
import functools
import mmap
import os

from supervisor import events, logfiles, loggers, unix
from supervisor.config.model import EventListenerConfig
from supervisor.streams import (
    LARGE_PIPE_BYTES,
    AnsiStripper,
    Captured,
    CaptureSplitter,
    ListenerStream,
    Pace,
    Ready,
    as_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    from supervisor.process.child import Subprocess
    from supervisor.process.plan import Pipes

    class ListenerPool(Protocol):
        """The group of a listener, which acts on what the listener says."""

        def listener_ready(self, process: Subprocess) -> None:
            """READY has come."""

        def listener_answered(self, process: Subprocess, result: bytes) -> None:
            """A RESULT has come."""

        def listener_failed(self, process: Subprocess, reason: str) -> None:
            """Something has come that is not in the protocol."""


INFO, DEBUG = loggers.LevelsByName.INFO, loggers.LevelsByName.DEBG

READ_BYTES = 128 * 1024
"""One read takes all that a pipe of default size can hold, twice."""

READS_AFTER_REST = LARGE_PIPE_BYTES // READ_BYTES
"""So many reads empty the largest pipe; a writer that is quicker must not keep the loop."""

MAX_STDIN_BYTES = 4 * 1024 * 1024
"""Bytes that may wait for one child to read its stdin; a single larger write may, too."""

DRAIN_BYTES = 2 * 1024 * 1024
"""More than any pipe holds: where a dead child's own output must have ended."""

EVENT_TYPES: dict[
    str, tuple[type[events.ProcessLogEvent], type[events.ProcessCommunicationEvent]]
] = {
    "stdout": (events.ProcessLogStdoutEvent, events.ProcessCommunicationStdoutEvent),
    "stderr": (events.ProcessLogStderrEvent, events.ProcessCommunicationStderrEvent),
}


@functools.cache  # a daemon without programs never needs it
def _buffers() -> list[memoryview]:
    """Return the one buffer that all output is read into, as `readv` takes it.

    It begins with a page, as the pieces in a pipe do: the kernel's copies take up to half as
    long again where malloc has put a buffer as it happens (1.5 instead of 1.1 s/GB).
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
        """Overridden by what reads."""
        return False

    def writable(self) -> bool:
        """Overridden by what writes."""
        return False

    def handle_read_event(self) -> None:
        """Overridden by what reads."""

    def handle_write_event(self) -> None:
        """Overridden by what writes."""

    def handle_error(self) -> None:
        """Log the exception being handled and close this end only."""
        self.process.context.logger.critical(
            f"uncaptured python exception, closing channel {self!r}\n{loggers.exception_text()}"
        )
        self.close()

    def drain(self) -> None:
        """Take what the child left behind before it died."""

    def close(self) -> None:
        """Leave the loop and close the fd."""
        if not self.closed:
            self.closed = True
            self.process.context.loop.forget(self)
            os.close(self.fd)
            logger = self.process.context.logger
            if logger.level <= DEBUG:
                logger.debug(f"fd {self.fd} closed, stopped monitoring {self!r}")

    def removelogs(self) -> None:
        """Overridden by what logs."""

    def reopenlogs(self) -> None:
        """Overridden by what logs."""


class PInputDispatcher(Dispatcher):
    """The child's stdin: bytes wait here until the child takes them."""

    def __init__(self, process: Subprocess, channel: str, fd: int) -> None:
        super().__init__(process, channel, fd)
        self.input_buffer = bytearray()
        self._waits = False

    def write(self, data: bytes) -> None:
        """Queue bytes and send what the pipe takes at once.

        Raises `BrokenPipeError` when the child has closed its stdin, and `BlockingIOError` when
        it does not read and too many bytes would wait; none of `data` is queued then.
        """
        waiting = len(self.input_buffer)
        if waiting and waiting + len(data) > MAX_STDIN_BYTES:
            raise BlockingIOError(errno.EAGAIN, f"{waiting} bytes are waiting to be read")
        self.input_buffer += data
        self.flush()

    def flush(self) -> None:
        """Send what the pipe takes; the rest waits for the loop."""
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
            self.process.context.loop.interest_changed(self)

    def writable(self) -> bool:
        """Whether bytes are waiting."""
        return bool(self.input_buffer)

    def handle_write_event(self) -> None:
        """The pipe takes bytes again, or its other end has gone."""
        try:
            self.flush()
        except BrokenPipeError:
            self.process.context.logger.debug(
                f"fd {self.fd} closed by its reader, {self.channel} of '{self.process.name}'"
            )

    def close(self) -> None:
        """Leave the loop and close the fd, without the line that outputs write."""
        if not self.closed:
            self.closed = True
            self.process.context.loop.forget(self)
            os.close(self.fd)


class OutputDispatcher(Dispatcher):
    """What reads a child's output; subclasses say what becomes of the bytes."""

    def __init__(self, process: Subprocess, channel: str, fd: int) -> None:
        super().__init__(process, channel, fd)
        self.childlog = _open_childlog(process, channel)
        self._logfile: str | None = getattr(process.config, f"{channel}_logfile")
        self._stripper = AnsiStripper() if process.context.settings.strip_ansi else None
        self._pace: Pace | None = None
        self._is_resting = False

    def readable(self) -> bool:
        """Read until the child, and whoever inherited its end, has closed it."""
        return not self.closed and not self._is_resting

    def read(self) -> bytes | None:
        """Read once; b"" at the end of the stream, None when nothing is there."""
        buffers = _buffers()
        try:
            size = os.readv(self.fd, buffers)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno == errno.EIO:  # a terminal whose other side has gone
                return b""
            raise
        return buffers[0][:size].tobytes()

    def handle_read_event(self) -> None:
        """Some output, or its end, has come."""
        self._take()
        if self._is_resting:
            self.process.context.loop.interest_changed(self)

    def _take(self) -> bool:
        """Read once and do what is to be done; return whether something was there."""
        data = self.read()
        if data:
            self.output_arrived(data)
            if self._pace is not None and not self.closed:
                self._rest(self._pace, len(data))
        elif data is not None:
            self.close()
        return bool(data)

    def _rest(self, pace: Pace, size: int) -> None:
        """Leave the pipe alone for a moment, if its pace says so and nobody follows the log."""
        loop = self.process.context.loop
        now = loop.clock.monotonic()
        seconds = pace.rest_after(size, now)
        if pace.wanted_pipe_bytes:
            pace.pipe_grew(unix.enlarge_pipe(self.fd, pace.wanted_pipe_bytes))
        if seconds and self._logfile not in logfiles.followed:
            self._is_resting = True
            loop.call_at(now + seconds, self._rested)

    def _rested(self) -> None:
        """Read what has come meanwhile; without another rest, the kernel watches again."""
        self._is_resting = False
        try:
            for _ in range(READS_AFTER_REST):
                if self.closed or self._is_resting or not self._take():
                    break
        except Exception:  # noqa: BLE001 - as in the loop: it closes this channel only
            self.handle_error()
        if not self.closed and not self._is_resting:
            self.process.context.loop.interest_changed(self)

    def drain(self) -> None:
        """Read to the end, or as far as the dead child can have written."""
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
        """Do what is to be done with the output."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the fd and the log."""
        if not self.closed:
            super().close()
            if self.childlog is not None:
                self.childlog.close()

    def removelogs(self) -> None:
        """Remove the log and begin a new one."""
        if self.childlog is not None:
            for handler in self.childlog.handlers:
                handler.renew()

    def reopenlogs(self) -> None:
        """Open the log again, under the name it has, unless there is nothing more to log."""
        if self.childlog is not None and not self.closed:
            self.process.context.reopen_logs(self.childlog.handlers)


class POutputDispatcher(OutputDispatcher):
    """stdout or stderr of a program.

    `pid` is set when the process has ended and a grandchild still holds the pipe: the process
    has no pid then, or the next one's.
    """

    def __init__(self, process: Subprocess, channel: str, fd: int) -> None:
        super().__init__(process, channel, fd)
        config = process.config
        self.events_enabled: bool = getattr(config, f"{channel}_events_enabled")
        capture_bytes: int = getattr(config, f"{channel}_capture_maxbytes")
        self._splitter = CaptureSplitter(capture_bytes) if capture_bytes else None
        self._log_event, self._communication_event = EVENT_TYPES[channel]
        self.pid = 0
        if not self.events_enabled and not capture_bytes:
            self._pace = Pace(READ_BYTES)  # nobody but a log waits for the bytes

    def output_arrived(self, data: bytes) -> None:
        """Separate captured parts from what is to be logged."""
        if self._splitter is None:
            self._log(data)
            return
        self._handle(self._splitter.feed(data))

    def close(self) -> None:
        """Give out what was held back, then close."""
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
        process.context.logger.debug(f"'{process.name}' {self.channel} emitted a comm event")

    def _log(self, data: bytes) -> None:
        """Log what is not captured; plugins wrap this method on the class."""
        if data and self._stripper is not None:
            data = self._stripper.feed(data)
        self._write(data)

    def _write(self, data: bytes) -> None:
        if data:
            if self.childlog is not None:
                self.childlog.log(INFO, data)
            self._announce(data)

    def _announce(self, data: bytes) -> None:
        """Let the activity log and the listeners know of output."""
        process = self.process
        logger = process.context.logger
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
        """Log the bytes and act on what they say."""
        self._write(data if self._stripper is None else self._stripper.feed(data))
        logger = self.process.context.logger
        if logger.level <= DEBUG:
            logger.debug(f"'{self.process.name}' {self.channel} output:\n{data!r}")
        stream, process = self._stream, self.process
        stream.feed(data)
        while (
            stream.buffer and (message := stream.next_message(process.listener_state)) is not None
        ):
            if isinstance(message, bytes):
                self._pool.listener_answered(process, message)
            elif isinstance(message, Ready):
                self._pool.listener_ready(process)
            else:
                self._pool.listener_failed(process, message.text)

    def close(self) -> None:
        """Log what was held back, then close."""
        if not self.closed:
            if self._stripper is not None:
                self._write(self._stripper.flush())
            super().close()

    def _write(self, data: bytes) -> None:
        if data and self.childlog is not None:
            self.childlog.log(INFO, data)


def _open_childlog(process: Subprocess, channel: str) -> loggers.Logger | None:
    """Open the log that a channel writes to; None when it has none."""
    config = process.config
    logfile = getattr(config, f"{channel}_logfile")
    to_syslog: bool = getattr(config, f"{channel}_syslog")
    if not logfile and not to_syslog:
        return None
    logger = loggers.getLogger()
    if logfile:
        maxbytes: int = getattr(config, f"{channel}_logfile_maxbytes")
        loggers.handle_file(
            logger,
            filename=logfile,
            fmt="%(message)s",
            rotating=bool(maxbytes),
            maxbytes=maxbytes,
            backups=getattr(config, f"{channel}_logfile_backups"),
        )
    if to_syslog:
        loggers.handle_syslog(logger, fmt=f"{config.name} %(message)s")
    return logger


def make_dispatchers(process: Subprocess, pipes: Pipes) -> dict[int, Dispatcher]:
    """Make the dispatchers of a process that is about to be started, by fd.

    Raises `OSError` when a log cannot be opened; the daemon's ends are closed then.
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


def leave_reason(dispatchers: Iterable[Dispatcher], reason: str) -> None:
    """Leave in a program's log why it was not started: its owner looks there first."""
    outputs = [each for each in dispatchers if isinstance(each, POutputDispatcher)]
    if outputs:
        text = f"supervisor: {reason}\nsupervisor: child process was not spawned\n"
        outputs[-1].output_arrived(text.encode())
