"""The dispatchers of a child's stdout and stderr, and the factory of all three.

A process calls `make_dispatchers` before each spawn.  Captured parts are split out of the output.
Other output is written to the child's log and to the activity log, and published as log events.
"""

from __future__ import annotations

from supervisor import events, loggers
from supervisor.common.capture import Captured, CaptureSplitter
from supervisor.common.listener_protocol import ListenerStream, Ready
from supervisor.common.namespec import make_namespec
from supervisor.common.text import as_text
from supervisor.config.model import EventListenerConfig
from supervisor.process.streams import Dispatcher, OutputDispatcher, PInputDispatcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Protocol

    from supervisor.process.plan import Pipes
    from supervisor.process.status import ProcessStatus

    class ListenerPool(Protocol):
        """The group of a listener, which handles the listener's messages."""

        def on_ready(self, process: ProcessStatus) -> None:
            """Handle READY."""

        def on_result(self, process: ProcessStatus, result: bytes) -> None:
            """Handle a RESULT."""

        def on_protocol_violation(self, process: ProcessStatus, reason: str) -> None:
            """Handle a violation of the protocol."""


INFO, DEBUG = loggers.LevelsByName.INFO, loggers.LevelsByName.DEBG

EVENT_TYPES: dict[
    str, tuple[type[events.ProcessLogEvent], type[events.ProcessCommunicationEvent]]
] = {
    "stdout": (events.ProcessLogStdoutEvent, events.ProcessCommunicationStdoutEvent),
    "stderr": (events.ProcessLogStderrEvent, events.ProcessCommunicationStderrEvent),
}


class RejectEvent(Exception):
    """Raised by a result handler: the event goes back to its pool."""


def default_handler(event: events.Event, response: bytes) -> None:  # noqa: ARG001 - the plugins' signature
    """Accept `OK`, reject everything else; the default `result_handler`."""
    if response != b"OK":
        raise RejectEvent(response)


class POutputDispatcher(OutputDispatcher):
    """stdout or stderr of a program."""

    def __init__(
        self, process: ProcessStatus, channel: str, fd: int, *, opens_log: bool = True
    ) -> None:
        super().__init__(process, channel, fd, opens_log=opens_log)
        capture_bytes = self._config.capture_maxbytes
        self._splitter = CaptureSplitter(capture_bytes) if capture_bytes else None
        self._log_event, self._communication_event = EVENT_TYPES[channel]
        self._observe = process.observer_of_output()
        self._follow_events()

    def _follow_events(self) -> None:
        self.events_enabled = self._config.events_enabled
        self._batcher = None
        if not self.events_enabled and self._splitter is None:
            self.batch_reads()

    def reconfigure(self, childlog: loggers.Logger | None) -> None:
        """Follow the process's config, and replace the log if it is another one."""
        super().reconfigure(childlog)
        self._follow_events()

    def output_arrived(self, data: bytes) -> None:
        """Separate captured parts from the output to log."""
        if self._observe is not None and not self.pid:  # an orphan is not the present run
            self._observe(data)
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

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; `fd` stays open in the next daemon."""
        splitter = None if self._splitter is None else self._splitter.snapshot()
        return {**super().snapshot(), "splitter": splitter}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        super().restore(saved)
        if self._splitter is not None:
            self._splitter.restore(saved.get("splitter") or {})

    def _handle(self, parts: list[bytes | Captured]) -> None:
        for part in parts:
            if isinstance(part, Captured):
                self._captured(part.data)
            else:
                self._log(part)

    def _captured(self, data: bytes) -> None:
        if self._stripper is not None:
            data = self._stripper.feed(data)
        self._publish(data)
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
            self._publish(data)

    def _publish(self, data: bytes) -> None:
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

    def __init__(
        self, process: ProcessStatus, channel: str, fd: int, *, opens_log: bool = True
    ) -> None:
        super().__init__(process, channel, fd, opens_log=opens_log)
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

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; `fd` stays open in the next daemon."""
        return {**super().snapshot(), "stream": self._stream.snapshot()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        super().restore(saved)
        self._stream.restore(saved.get("stream") or {})

    def _write(self, data: bytes) -> None:
        if data and self.childlog is not None:
            self.childlog.log(INFO, data)


def make_dispatchers(process: ProcessStatus, pipes: Pipes) -> dict[int, Dispatcher]:
    """Return the dispatchers, by fd, of a process that is about to be started.

    Raises `OSError` when a log cannot be opened; the daemon's ends of the pipes are closed then.
    """
    made: dict[int, Dispatcher] = {}
    try:
        made[pipes.stdout] = _class_of(process, "stdout")(process, "stdout", pipes.stdout)
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


def adopt_dispatchers(
    process: ProcessStatus, saved: Iterable[Mapping[str, Any]]
) -> dict[int, Dispatcher]:
    """Return the dispatchers, by fd, of a child that another daemon has started.

    `saved` are their snapshots.  A log that cannot be opened does not prevent that.
    """
    made: dict[int, Dispatcher] = {}
    for each in saved:
        fd = each["fd"]
        made[fd] = _adopted(process, each["channel"], fd)
        made[fd].restore(each)
    return made


def _adopted(process: ProcessStatus, channel: str, fd: int) -> Dispatcher:
    """Return a dispatcher; one without a log, which is reported, if that cannot be opened."""
    make = _class_of(process, channel)
    try:
        return make(process, channel, fd)  # type: ignore[no-any-return]
    except OSError as error:
        name = make_namespec(process.group_name, process.name)
        process.runtime.logger.critical(
            f"{name}: the log of its {channel} cannot be opened ({error}); its output is lost until"
            " the logs are reopened (SIGUSR2)"
        )
        return make(process, channel, fd, opens_log=False)  # type: ignore[no-any-return]


def _class_of(process: ProcessStatus, channel: str) -> Callable[..., Any]:
    """Return the class of the dispatcher of a stream."""
    if channel == "stdin":
        return PInputDispatcher
    is_listener = channel == "stdout" and isinstance(process.config, EventListenerConfig)
    return PEventListenerDispatcher if is_listener else POutputDispatcher


def log_spawn_failure(dispatchers: Iterable[Dispatcher], reason: str) -> None:
    """Write the reason of a failed start to the program's log: its owner looks there first."""
    outputs = [each for each in dispatchers if isinstance(each, POutputDispatcher)]
    if outputs:
        text = f"supervisor: {reason}\nsupervisor: child process was not spawned\n"
        outputs[-1].output_arrived(text.encode())
