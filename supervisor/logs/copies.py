"""Copies of the output of programs: on stdout, on stderr, in files.

A `CopyHandler` is one more handler of a program's log.  It passes the output through a formatter
and writes the lines to its targets.  All copies to one path share a `CopyTarget`, and thus one
queue for a slow reader, with one bound for all programs together.

The log of a program never depends on its copies: a target that cannot be opened or written is
reported once, and the program runs without it.
"""

from __future__ import annotations

from supervisor import loggers
from supervisor.logs.formatted_file import format_record
from supervisor.logs.sinks import Sink, open_sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Protocol

    from supervisor.logs.formatted_file import Formatter

    class Target(Protocol):
        """A destination of lines; `line_passes` is 1 if it needs time for each of them."""

        line_passes: int

        def write(self, data: bytes, writer: str) -> None:
            """Write lines of one writer; raises `OSError`."""

        def reopen(self) -> None:
            """Reopen the destination, if it is a file."""

        def close(self) -> None:
            """Remove a writer."""


_targets: dict[str, CopyTarget] = {}
"""The targets in use, by path."""

_unopened: set[str] = set()
"""Paths that could not be opened at the last attempt."""


_saved: dict[str, Any] = {}
"""The states of targets of the daemon before, by path, until they are opened."""


def snapshot() -> dict[str, dict[str, Any]]:
    """Return the states of all targets as JSON values, by path."""
    return {path: target.snapshot() for path, target in _targets.items()}


def restore(saved: Mapping[str, Mapping[str, Any]]) -> None:
    """Give each target the state of a snapshot when its first writer opens it."""
    _saved.update(saved)
    _unopened.update(path for path, state in saved.items() if state.get("is_unopened"))


def target_of(path: str) -> CopyTarget:
    """Return the target of a path with one more writer; a failure to open it is reported."""
    target = _targets.get(path)
    if target is None:
        target = _targets[path] = CopyTarget(path)
        target.restore(_saved.pop(path, {}))
    target.join()
    return target


class CopyTarget:
    """A file, pipe or terminal that gets whole lines of any number of writers.

    It is a single writer of its sink.  Without a sink, because the path cannot be opened, lines
    are discarded; the start of another program and `reopen` try again.
    """

    line_passes = 0

    def __init__(self, path: str) -> None:
        self.path = path
        self._users = 0
        self._sink: Sink | None = None
        self._last_writer = ""
        self._ends_in_line = False

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "last_writer": self._last_writer,
            "ends_in_line": self._ends_in_line,
            "is_unopened": self.path in _unopened,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self._last_writer = saved.get("last_writer", "")
        self._ends_in_line = saved.get("ends_in_line") is True

    def join(self) -> None:
        """Add a writer."""
        self._users += 1
        if self._sink is None:
            self._open()

    def reopen(self) -> None:
        """Reopen the path; the old file stays open if that fails, which is reported."""
        if self._sink is None:
            self._open()
            return
        try:
            self._sink.open_again()
        except OSError as error:
            self._report("reopen", error)
        else:
            _unopened.discard(self.path)

    def _open(self) -> None:
        try:
            self._sink = open_sink(self.path)
        except OSError as error:
            self._report("open", error)
            return
        self._sink.keep_lines_whole()
        _unopened.discard(self.path)

    def _report(self, action: str, error: OSError) -> None:
        if self.path not in _unopened:
            _unopened.add(self.path)
            reason = error.strerror or error
            loggers.report_error(f"cannot {action} {self.path} for copies of output: {reason}")

    def write(self, data: bytes, writer: str) -> None:
        """Write lines; the last one may be incomplete, and is ended before those of others.

        Raises `OSError`, once; see `Sink.write`.
        """
        if self._sink is None:
            return
        if self._ends_in_line and writer != self._last_writer:
            data = b"\n" + data
        self._ends_in_line = not data.endswith(b"\n")
        self._last_writer = writer
        self._sink.write(data)

    def close(self) -> None:
        """Remove a writer; after the last one, the sink is closed once it has been flushed."""
        self._users -= 1
        if self._users:
            return
        del _targets[self.path]
        if self._sink is not None:
            self._sink.close()


class CopyHandler(loggers.Handler):
    """The copies of one stream in one format; `writer` is the name of the stream."""

    def __init__(self, writer: str, formatter: Formatter, targets: Iterable[Target]) -> None:
        super().__init__()
        self._writer = writer
        self._formatter = formatter
        self._targets = tuple(targets)
        self.line_passes = 1 + sum([target.line_passes for target in self._targets])

    def emit(self, record: loggers.LogRecord) -> None:
        """Write the lines that a record completes; failures are reported."""
        self._write(format_record(self, self._formatter, record))

    def _write(self, data: bytes) -> None:
        if not data:
            return
        for target in self._targets:
            try:
                target.write(data, self._writer)
            except Exception:  # noqa: BLE001 - the other targets get their copy
                self.stream = target
                self.handleError()

    @property
    def held(self) -> bytes:
        """The line that is not complete yet; an assignment resumes it."""
        return self._formatter.held

    @held.setter
    def held(self, line: bytes) -> None:
        self._formatter.held = line

    def flush(self) -> None:
        """Do nothing: a line that is not complete is held back."""

    def reopen(self) -> None:
        """Reopen the files; failures are reported."""
        for target in self._targets:
            target.reopen()

    def renew(self) -> None:
        """Do nothing: clearing a log leaves its copies."""

    def close(self) -> None:
        """Write the rest of the output, and leave the targets."""
        if not self.closed:
            self.closed = True
            self._write(self._formatter.flush())
            for target in self._targets:
                target.close()
