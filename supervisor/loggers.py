"""Loggers and their handlers.

There is one logger for the daemon's activity, and one for each output of each program.  Names and
signatures are those of Supervisor 4, because plugins make their own loggers and replace `emit` on
the classes: a `Logger` calls `handler.emit(record)` and nothing else.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from supervisor.common.text import local_time
from supervisor.datatypes import LOG_LEVELS
from supervisor.logs import sinks
from supervisor.logs.reading import notify_written
from supervisor.logs.rotation import rotate
from supervisor.logs.sinks import Sink, open_sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from supervisor.logs.policy import LogPolicy

Text = str | bytes

BOUND_IO_BYTES = 2 * 1024 * 1024


class LevelsByName:
    """Levels under their codes in the activity log."""

    CRIT = LOG_LEVELS["critical"]
    ERRO = LOG_LEVELS["error"]
    WARN = LOG_LEVELS["warn"]
    INFO = LOG_LEVELS["info"]
    DEBG = LOG_LEVELS["debug"]
    TRAC = LOG_LEVELS["trace"]
    BLAT = LOG_LEVELS["blather"]


LevelsByDescription = type("LevelsByDescription", (), LOG_LEVELS)
"""Class with the levels under their names in configuration files, which plugins read."""

LOG_LEVELS_BY_NUM: dict[int, str] = {
    number: name for name, number in vars(LevelsByName).items() if name.isupper()
}


def getLevelNumByDescription(description: str) -> int | None:
    """Return the level with a name from a configuration file, None if there is none."""
    number: int | None = getattr(LevelsByDescription, description, None)
    return number


def report_to_stderr(text: str) -> None:
    """Report a failure of a log on stderr: the default of `report_error`."""
    if sys.stderr is not None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


report_error: Callable[[str], None] = report_to_stderr
"""Called when a log cannot be written; the daemon routes this to its activity log."""


def exception_text() -> str:
    """Return the traceback of the exception being handled, as Python prints it.

    `traceback` and its imports take 0.7 MiB, a seventh of the daemon, so they are imported only
    when needed.  Without free fds the import fails; then only the exception itself is returned.
    """
    kind, value, _ = sys.exc_info()
    try:
        import traceback
    except (ImportError, OSError):
        return f"{kind.__name__ if kind else None}: {value}\n"
    return traceback.format_exc()


class LogRecord:
    """One message; it is formatted once, when the first handler needs it."""

    def __init__(self, level: int, msg: Text, **kw: Any) -> None:
        self.level = level
        self.msg = msg
        self.kw = kw
        self.dictrepr: dict[str, str] | None = None

    def asdict(self) -> dict[str, str]:
        """Return the fields that formats use: `message`, `levelname` and `asctime`."""
        if self.dictrepr is None:
            msg = self.msg
            message = msg.decode("utf-8", "replace") if isinstance(msg, bytes) else msg
            self.dictrepr = {
                "message": message % self.kw if self.kw else message,
                "levelname": LOG_LEVELS_BY_NUM.get(self.level, str(self.level)),
                "asctime": local_time(time.time()),
            }
        return self.dictrepr


class Handler:
    """Formats records and writes them to `stream`, which accepts text or bytes."""

    fmt = "%(message)s"
    level: int = LevelsByName.INFO
    formatter: Callable[[LogRecord], str] | None = None
    """Function that returns the text of a record, in place of `fmt`; None for most handlers."""
    held = b""
    """The part of a line that is held back until the line is complete, by handlers that do so."""
    line_passes = 0
    """Number of times that it goes through the lines of a record, which costs CPU for each."""

    def __init__(self, stream: Any = None) -> None:
        self.stream = stream
        self.closed = False

    def setFormat(self, fmt: str) -> None:
        """Set the %-format of a record; nothing is added to it, not even a line end."""
        self.fmt = fmt

    def setLevel(self, level: int) -> None:
        """Ignore records below a level."""
        self.level = level

    def emit(self, record: LogRecord) -> None:
        """Write a record; failures are reported and do not reach the caller."""
        try:
            is_raw = self.fmt == "%(message)s" and isinstance(record.msg, bytes)
            data = record.msg if is_raw else self._text(record)
            if isinstance(self.stream, Sink):
                self.stream.write(data)
            else:
                self._write_to_stream(data)
        except Exception:  # noqa: BLE001 - a failure to log must not stop the caller
            self.handleError()

    def _text(self, record: LogRecord) -> str:
        format_record = self.formatter
        return self.fmt % record.asdict() if format_record is None else format_record(record)

    def _write_to_stream(self, data: Text) -> None:
        """Write to a stream other than a sink; a text stream is one that has an encoding."""
        stream = self.stream
        if hasattr(stream, "encoding"):
            data = data if isinstance(data, str) else data.decode("utf-8", "replace")
        elif isinstance(data, str):
            data = data.encode("utf-8", "backslashreplace")
        stream.write(data)
        stream.flush()

    def handleError(self) -> None:
        """Report the exception being handled."""
        error = sys.exception()
        if isinstance(error, OSError):
            name = getattr(self.stream, "path", None) or getattr(self.stream, "name", "stream")
            report_error(f"cannot write to log {name}: {error.strerror or error}")
        else:
            report_error(f"cannot log: {type(error).__name__}: {error}")

    def flush(self) -> None:
        """Flush the stream."""
        self.stream.flush()

    def close(self) -> None:
        """Close the stream, unless it is one of the standard streams."""
        if not self.closed:
            self.closed = True
            if self.stream is not None and not _is_standard(self.stream):
                self.stream.close()

    def reopen(self) -> None:
        """Do nothing: the stream has no name to reopen."""

    def remove(self) -> None:
        """Do nothing: there is nothing to remove."""

    def renew(self) -> None:
        """Discard the contents, where that is possible."""
        self.remove()
        self.reopen()


def _fd_of(stream: Any) -> int | None:
    try:
        fd: int = stream.fileno()
    except (AttributeError, OSError, ValueError):
        return None
    return fd


def _is_standard(stream: Any) -> bool:
    return stream is sys.stdout or stream is sys.stderr or _fd_of(stream) in {0, 1, 2}


class StreamHandler(Handler):
    """Writes to a stream that the caller has opened."""

    def __init__(self, strm: Any = None) -> None:
        super().__init__(strm)

    def remove(self) -> None:
        """Empty the stream if it can be emptied."""
        clear = getattr(self.stream, "clear", None)
        if clear is not None:
            clear()


class BoundIO:
    """Bytes in memory; beyond `maxbytes`, the oldest are discarded."""

    def __init__(self, maxbytes: int, buf: bytes = b"") -> None:
        self.maxbytes = maxbytes
        self.buf = buf

    def write(self, b: bytes) -> None:
        """Append bytes; a single write is kept whole, even above the limit."""
        room = max(self.maxbytes - len(b), 0)
        self.buf = self.buf[max(len(self.buf) - room, 0) :] + b

    def getvalue(self) -> bytes:
        """Return the contents."""
        return self.buf

    def clear(self) -> None:
        """Discard the contents."""
        self.buf = b""

    def flush(self) -> None:
        """Do nothing: there is no buffer."""

    def close(self) -> None:
        """Discard the contents."""
        self.clear()


class FileHandler(Handler):
    """Appends to a file, or to a pipe, terminal or device of that name.

    Handlers of the same path share one sink: when one reopens, clears or rotates it, the others
    use the new file too.  Raises `OSError` when it cannot be opened.
    """

    stream: Sink

    def __init__(self, filename: str, mode: str = "ab", policy: LogPolicy | None = None) -> None:
        super().__init__(open_sink(filename, mode, policy))
        self._policy = policy
        self.baseFilename = filename
        self.mode = mode

    def reopen(self) -> None:
        """Reopen the file under its name; the old one stays open if that fails.

        Raises `OSError`.
        """
        if self.closed:
            self.stream = open_sink(self.baseFilename, policy=self._policy)
            self.closed = False
        else:
            self.stream.open_again()

    def renew(self) -> None:
        """Replace the file by a new one, if it is a regular file.

        Raises `OSError`; writes then still go to the old file.
        """
        if self.closed:
            sinks.clear(self.baseFilename, self._policy)
        else:
            self.stream.begin_file()

    def close(self) -> None:
        """Close the file, if there is no other writer of it."""
        if self._policy is not None and not self.closed:
            self.closed = True
            self.stream.close(self._policy)
        super().close()

    def remove(self) -> None:
        """Close and remove the file, if it is a regular file.  Raises `OSError`."""
        self.close()
        self.stream.unlink()


class RotatingFileHandler(FileHandler):
    """A file that becomes `NAME.1` when it has reached `maxBytes`, that `NAME.2` and so on.

    The oldest of `backupCount` files is overwritten; without backups, the file is truncated.
    """

    def __init__(
        self,
        filename: str,
        mode: str = "ab",
        maxBytes: int = 512 * 1024 * 1024,
        backupCount: int = 10,
        policy: LogPolicy | None = None,
    ) -> None:
        super().__init__(filename, mode, policy)
        self.maxBytes = maxBytes
        self.backupCount = backupCount

    def emit(self, record: LogRecord) -> None:
        """Write a record, then rotate if the file has reached its size."""
        super().emit(record)
        self.doRollover()

    def doRollover(self) -> None:
        """Rotate if the file has reached its size: plugins call it after every record."""
        if not 0 < self.maxBytes <= self.stream.size:
            return
        try:
            rotate(self.stream, self.maxBytes, self.backupCount)
        except OSError:
            # Try again after the same number of bytes.
            self.stream.size = 0
            self.handleError()
        notify_written(self.baseFilename)


class SyslogHandler(Handler):
    """Sends each line of a message to syslog."""

    def __init__(self) -> None:
        super().__init__(None)

    def flush(self) -> None:
        """Do nothing: there is no buffer."""

    def emit(self, record: LogRecord) -> None:
        """Send a record line by line; failures are reported."""
        try:
            if self.formatter is not None:
                self._syslog(self._text(record).rstrip("\n"))
                return
            values = record.asdict()
            for line in values["message"].rstrip("\n").split("\n"):
                self._syslog(self.fmt % {**values, "message": line})
        except Exception:  # noqa: BLE001 - a failure to log must not stop the caller
            self.handleError()

    def _syslog(self, msg: str) -> None:
        import syslog

        syslog.syslog(msg.replace("\0", "\\x00"))  # syslog(3) would truncate the text there


class Logger:
    """Passes messages at or above its level to its handlers."""

    def __init__(self, level: int | None = None, handlers: list[Handler] | None = None) -> None:
        self.level: int = LevelsByName.INFO if level is None else level
        self.handlers: list[Handler] = [] if handlers is None else handlers

    def close(self) -> None:
        """Close all handlers."""
        for handler in self.handlers:
            handler.close()

    def blather(self, msg: Text, **kw: Any) -> None:
        """Log at level BLAT."""
        if self.level <= LevelsByName.BLAT:
            self.log(LevelsByName.BLAT, msg, **kw)

    def trace(self, msg: Text, **kw: Any) -> None:
        """Log at level TRAC."""
        if self.level <= LevelsByName.TRAC:
            self.log(LevelsByName.TRAC, msg, **kw)

    def debug(self, msg: Text, **kw: Any) -> None:
        """Log at level DEBG."""
        if self.level <= LevelsByName.DEBG:
            self.log(LevelsByName.DEBG, msg, **kw)

    def info(self, msg: Text, **kw: Any) -> None:
        """Log at level INFO."""
        if self.level <= LevelsByName.INFO:
            self.log(LevelsByName.INFO, msg, **kw)

    def warn(self, msg: Text, **kw: Any) -> None:
        """Log at level WARN."""
        if self.level <= LevelsByName.WARN:
            self.log(LevelsByName.WARN, msg, **kw)

    def error(self, msg: Text, **kw: Any) -> None:
        """Log at level ERRO."""
        if self.level <= LevelsByName.ERRO:
            self.log(LevelsByName.ERRO, msg, **kw)

    def critical(self, msg: Text, **kw: Any) -> None:
        """Log at level CRIT."""
        if self.level <= LevelsByName.CRIT:
            self.log(LevelsByName.CRIT, msg, **kw)

    def log(self, level: int, msg: Text, **kw: Any) -> None:
        """Pass a message to the handlers; `%(name)s` in it is replaced from `kw`, if given."""
        record = LogRecord(level, msg, **kw) if kw else LogRecord(level, msg)
        for handler in self.handlers:
            if level >= handler.level:
                handler.emit(record)

    def addHandler(self, hdlr: Handler) -> None:
        """Add a handler."""
        self.handlers.append(hdlr)

    def getvalue(self) -> bytes:
        """Return the contents of an in-memory handler; raises `NotImplementedError` without one."""
        for handler in self.handlers:
            if isinstance(handler.stream, BoundIO):
                return handler.stream.getvalue()
        raise NotImplementedError


def getLogger(level: int | None = None) -> Logger:
    """Return a logger without handlers; the default level is INFO."""
    return Logger(level)


def _add(logger: Logger, handler: Handler, fmt: str) -> None:
    handler.setFormat(fmt)
    handler.setLevel(logger.level)
    logger.addHandler(handler)


def handle_boundIO(logger: Logger, fmt: str, maxbytes: int = BOUND_IO_BYTES) -> None:
    """Log to memory, up to `maxbytes`."""
    _add(logger, StreamHandler(BoundIO(maxbytes)), fmt)


def handle_stdout(logger: Logger, fmt: str) -> None:
    """Log to stdout; a terminal or pipe that stalls does not block the daemon."""
    is_real = _fd_of(sys.stdout) == 1  # else the stream has been replaced
    _add(logger, StreamHandler(open_sink("/dev/stdout") if is_real else sys.stdout), fmt)


def handle_syslog(logger: Logger, fmt: str) -> None:
    """Log to syslog."""
    _add(logger, SyslogHandler(), fmt)


def handle_file(  # noqa: PLR0917 - plugins call it like this
    logger: Logger,
    filename: str,
    fmt: str,
    rotating: bool = False,
    maxbytes: int = 0,
    backups: int = 0,
    policy: LogPolicy | None = None,
) -> None:
    """Log to a file, or to syslog if that is its name.  Raises `OSError`."""
    if filename == "syslog":
        handle_syslog(logger, fmt)
    elif rotating:
        _add(logger, RotatingFileHandler(filename, "ab", maxbytes, backups, policy), fmt)
    else:
        _add(logger, FileHandler(filename, policy=policy), fmt)


def reopen_logs(handlers: Iterable[Handler], logger: Logger) -> list[str]:
    """Reopen files; return a line for each failure, in which the old file stays in use.

    Failures are logged to `logger` as well.
    """
    failures = []
    for handler in handlers:
        try:
            handler.reopen()
        except OSError as error:
            name = getattr(handler, "baseFilename", "stream")
            failures.append(f"cannot reopen log {name}: {error.strerror or error}")
            logger.critical(failures[-1])
        except Exception as error:  # noqa: BLE001 - a plugin's handler may raise any exception
            failures.append(f"cannot reopen a log: {error}")
            logger.critical(f"cannot reopen a log\n{exception_text()}")
    return failures
