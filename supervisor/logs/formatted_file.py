"""The log file of a program that has a format."""

from __future__ import annotations

from supervisor.loggers import Handler, LogRecord, RotatingFileHandler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from supervisor.logs.policy import LogPolicy

    class Formatter(Protocol):
        """A machine that takes output and returns lines; `held` is the line in progress."""

        held: bytes

        def feed(self, data: bytes) -> bytes:
            """Return the lines that the output completes."""

        def flush(self) -> bytes:
            """Return the rest, at the end of the stream."""


def format_record(handler: Handler, formatter: Formatter, record: LogRecord) -> bytes:
    """Return the lines that a record completes; a failure is reported by its handler."""
    try:
        msg = record.msg
        return formatter.feed(msg if isinstance(msg, bytes) else msg.encode())
    except Exception:  # noqa: BLE001 - a failure to log must not stop the caller
        handler.handleError()
        return b""


class FormattedFileHandler(RotatingFileHandler):
    """A log file that gets whole lines, each formatted; `max_bytes` of 0 never rotates it.

    A line that is not complete yet is held back, also when the file is reopened, cleared or
    rotated, and becomes a line of the file that is open at its end.
    """

    line_passes = 1

    def __init__(
        self,
        filename: str,
        formatter: Formatter,
        max_bytes: int,
        backup_count: int,
        policy: LogPolicy | None = None,
    ) -> None:
        super().__init__(filename, "ab", max_bytes, backup_count, policy)
        self._formatter = formatter
        self.stream.keep_lines_whole()

    def emit(self, record: LogRecord) -> None:
        """Write the lines that a record completes; failures are reported."""
        self._write(format_record(self, self._formatter, record))

    @property
    def held(self) -> bytes:
        """The line that is not complete yet; an assignment resumes it."""
        return self._formatter.held

    @held.setter
    def held(self, line: bytes) -> None:
        self._formatter.held = line

    def close(self) -> None:
        """Write a last line that has no newline, then close."""
        if not self.closed:
            self._write(self._formatter.flush())
        super().close()

    def _write(self, data: bytes) -> None:
        if data:
            super().emit(LogRecord(self.level, data))
