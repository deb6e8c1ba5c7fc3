"""The log file of a program that has a format."""

from __future__ import annotations

from supervisor.loggers import LogRecord, RotatingFileHandler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.common.log_formats import LineFormatter
    from supervisor.logs.policy import LogPolicy


class FormattedFileHandler(RotatingFileHandler):
    """A log file that gets whole lines, each formatted; `max_bytes` of 0 never rotates it.

    A line that is not complete yet is held back, also when the file is reopened, cleared or
    rotated, and becomes a line of the file that is open at its end.
    """

    def __init__(
        self,
        filename: str,
        formatter: LineFormatter,
        max_bytes: int,
        backup_count: int,
        policy: LogPolicy | None = None,
    ) -> None:
        super().__init__(filename, "ab", max_bytes, backup_count, policy)
        self._formatter = formatter

    def emit(self, record: LogRecord) -> None:
        """Write the lines that a record completes; failures are reported."""
        try:
            msg = record.msg
            data = self._formatter.feed(msg if isinstance(msg, bytes) else msg.encode())
        except Exception:  # noqa: BLE001 - a failure to log must not stop the caller
            self.handleError()
            return
        self._write(data)

    def close(self) -> None:
        """Write a last line that has no newline, then close."""
        if not self.closed:
            self._write(self._formatter.flush())
        super().close()

    def _write(self, data: bytes) -> None:
        if data:
            super().emit(LogRecord(self.level, data))
