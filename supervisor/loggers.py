"""Loggers and their handlers (floor 2).

One logger for the daemon's activity, one for each output of each program.  Names and
signatures are those of Supervisor 4, because plugins make loggers of their own and
replace `emit` on the classes: a `Logger` calls `handler.emit(record)` and nothing else.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from supervisor import logsinks
from supervisor.logfiles import notify_written
from supervisor.logsinks import Sink, open_sink
from supervisor.rotation import rotate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Text = str | bytes

BOUND_IO_BYTES = 2 * 1024 * 1024


class LevelsByName:
    """Levels under the codes that stand in the activity log."""

    CRIT = 50
    ERRO = 40
    WARN = 30
    INFO = 20
    DEBG = 10
    TRAC = 5
    BLAT = 3


class LevelsByDescription:
    """Levels under the names that stand in configuration files."""

    critical = LevelsByName.CRIT
    error = LevelsByName.ERRO
    warn = LevelsByName.WARN
    info = LevelsByName.INFO
    debug = LevelsByName.DEBG
    trace = LevelsByName.TRAC
    blather = LevelsByName.BLAT


LOG_LEVELS_BY_NUM: dict[int, str] = {
    number: name for name, number in vars(LevelsByName).items() if name.isupper()
}


def getLevelNumByDescription(description: str) -> int | None:
    """Return the level that a configuration file calls so, None if there is none."""
    number: int | None = getattr(LevelsByDescription, description, None)
    return number


def report_to_stderr(text: str) -> None:
    """Say what is wrong with a log where there is nothing better to say it."""
    if sys.stderr is not None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


report_trouble: Callable[[str], None] = report_to_stderr
"""Told when a log cannot be written; the daemon puts its activity log here."""


def exception_text() -> str:
    """Return the traceback of the exception being handled, as Python prints it.

    `traceback` and what it imports are 0.7 MiB, a seventh of the daemon, for what may never
    come.  Without fds nothing can be imported, and the exception itself must do.
    """
    kind, value, _ = sys.exc_info()
    try:
        import traceback
    except (ImportError, OSError):
        return f"{kind.__name__ if kind else None}: {value}\n"
    return traceback.format_exc()


class LogRecord:
    """One message; what it looks like is worked out when a handler asks, once."""

    def __init__(self, level: int, msg: Text, **kw: Any) -> None:
        self.level = level
        self.msg = msg
        self.kw = kw
        self.dictrepr: dict[str, str] | None = None

    def asdict(self) -> dict[str, str]:
        """Return what formats name: `message`, `levelname` and `asctime`."""
        if self.dictrepr is None:
            msg = self.msg
            message = msg.decode("utf-8", "replace") if isinstance(msg, bytes) else msg
            self.dictrepr = {
                "message": message % self.kw if self.kw else message,
                "levelname": LOG_LEVELS_BY_NUM.get(self.level, str(self.level)),
                "asctime": _asctime(time.time()),
            }
        return self.dictrepr


def _asctime(now: float) -> str:
    """Return local time as `2026-01-31 23:59:59,999`."""
    seconds, milliseconds = divmod(int(now * 1000), 1000)
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    return f"{stamp},{milliseconds:03d}"


class Handler:
    """Formats records and writes them to `stream`, which takes text or bytes."""

    fmt = "%(message)s"
    level: int = LevelsByName.INFO

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
        """Write a record; whatever goes wrong is reported and does not reach the caller."""
        try:
            is_raw = self.fmt == "%(message)s" and isinstance(record.msg, bytes)
            data = record.msg if is_raw else self.fmt % record.asdict()
            if isinstance(self.stream, Sink):
                self.stream.write(data)
            else:
                self._write_to_foreign(data)
        except Exception:  # noqa: BLE001 - logging must not end what it reports on
            self.handleError()

    def _write_to_foreign(self, data: Text) -> None:
        """Write to a stream that is not ours; a text stream says so by having an encoding."""
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
            report_trouble(f"cannot write to log {name}: {error.strerror or error}")
        else:
            report_trouble(f"cannot log: {type(error).__name__}: {error}")

    def flush(self) -> None:
        """Let the stream write out what it holds."""
        self.stream.flush()

    def close(self) -> None:
        """Close the stream, unless it is one of the standard streams."""
        if not self.closed:
            self.closed = True
            if self.stream is not None and not _is_standard(self.stream):
                self.stream.close()

    def reopen(self) -> None:
        """Do nothing: there is no name to open again."""

    def remove(self) -> None:
        """Do nothing: there is nothing to remove."""

    def renew(self) -> None:
        """Forget what has been written, where that can be."""
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
    """Writes to a stream that somebody else has opened."""

    def __init__(self, strm: Any = None) -> None:
        super().__init__(strm)

    def remove(self) -> None:
        """Empty the stream if it can be emptied."""
        clear = getattr(self.stream, "clear", None)
        if clear is not None:
            clear()


class BoundIO:
    """Bytes in memory; the oldest make room for new ones beyond `maxbytes`."""

    def __init__(self, maxbytes: int, buf: bytes = b"") -> None:
        self.maxbytes = maxbytes
        self.buf = buf

    def write(self, b: bytes) -> None:
        """Append bytes; one write is kept whole, even above the limit."""
        room = max(self.maxbytes - len(b), 0)
        self.buf = self.buf[max(len(self.buf) - room, 0) :] + b

    def getvalue(self) -> bytes:
        """Return what is there."""
        return self.buf

    def clear(self) -> None:
        """Forget what is there."""
        self.buf = b""

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Forget what is there."""
        self.clear()


class FileHandler(Handler):
    """Appends to a file, or to whatever else its name leads to.

    Handlers of the same path share what they write to: where one reopens, clears or rotates
    it, the others follow.  Raises `OSError` when it cannot be opened.
    """

    stream: Sink

    def __init__(self, filename: str, mode: str = "ab") -> None:
        super().__init__(open_sink(filename, mode))
        self.baseFilename = filename
        self.mode = mode

    def reopen(self) -> None:
        """Open the file under its name again; the old one stays if that fails.

        Raises `OSError`.
        """
        if self.closed:
            self.stream, self.closed = open_sink(self.baseFilename), False
        else:
            self.stream.open_again()

    def renew(self) -> None:
        """Begin a new file in place of the one that is there, if it is a file.

        Raises `OSError`, and then what is written still goes where it went before.
        """
        if self.closed:
            logsinks.clear(self.baseFilename)
        else:
            self.stream.begin_file()

    def remove(self) -> None:
        """Close and remove the file, if it is one.  Raises `OSError`."""
        self.close()
        self.stream.unlink()


class RotatingFileHandler(FileHandler):
    """A file that becomes `NAME.1` when it has reached `maxBytes`, that `NAME.2` and so on.

    The last of `backupCount` files makes room; with none, the file is emptied.
    """

    def __init__(
        self,
        filename: str,
        mode: str = "ab",
        maxBytes: int = 512 * 1024 * 1024,
        backupCount: int = 10,
    ) -> None:
        super().__init__(filename, mode)
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
            # Try again when as much has been written once more.
            self.stream.size = 0
            self.handleError()
        notify_written(self.baseFilename)


class SyslogHandler(Handler):
    """Sends each line of a message to syslog."""

    def __init__(self) -> None:
        super().__init__(None)

    def flush(self) -> None:
        """Nothing is held back."""

    def emit(self, record: LogRecord) -> None:
        """Send a record line by line; whatever goes wrong is reported."""
        try:
            values = record.asdict()
            for line in values["message"].rstrip("\n").split("\n"):
                self._syslog(self.fmt % {**values, "message": line})
        except Exception:  # noqa: BLE001 - logging must not end what it reports on
            self.handleError()

    def _syslog(self, msg: str) -> None:
        import syslog

        syslog.syslog(msg.replace("\0", "\\x00"))  # syslog(3) would stop there


class Logger:
    """Hands messages at or above its level to its handlers."""

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
        """Hand a message to the handlers; `%(name)s` in it is taken from `kw`, if given."""
        record = LogRecord(level, msg, **kw) if kw else LogRecord(level, msg)
        for handler in self.handlers:
            if level >= handler.level:
                handler.emit(record)

    def addHandler(self, hdlr: Handler) -> None:
        """Add a handler."""
        self.handlers.append(hdlr)

    def getvalue(self) -> bytes:
        """Return what an in-memory handler holds; raises `NotImplementedError` without one."""
        for handler in self.handlers:
            if isinstance(handler.stream, BoundIO):
                return handler.stream.getvalue()
        raise NotImplementedError


def getLogger(level: int | None = None) -> Logger:
    """Return a logger without handlers; the level is INFO unless told."""
    return Logger(level)


def _add(logger: Logger, handler: Handler, fmt: str) -> None:
    handler.setFormat(fmt)
    handler.setLevel(logger.level)
    logger.addHandler(handler)


def handle_boundIO(logger: Logger, fmt: str, maxbytes: int = BOUND_IO_BYTES) -> None:
    """Keep what is logged in memory, up to `maxbytes`."""
    _add(logger, StreamHandler(BoundIO(maxbytes)), fmt)


def handle_stdout(logger: Logger, fmt: str) -> None:
    """Log to stdout; a terminal or pipe that stalls does not stop the daemon."""
    is_real = _fd_of(sys.stdout) == 1  # else somebody has put a stream of his own there
    _add(logger, StreamHandler(open_sink("/dev/stdout") if is_real else sys.stdout), fmt)


def handle_syslog(logger: Logger, fmt: str) -> None:
    """Log to syslog."""
    _add(logger, SyslogHandler(), fmt)


def handle_file(  # noqa: PLR0917 - called so by plugins
    logger: Logger,
    filename: str,
    fmt: str,
    rotating: bool = False,
    maxbytes: int = 0,
    backups: int = 0,
) -> None:
    """Log to a file, or to syslog if that is its name.  Raises `OSError`."""
    if filename == "syslog":
        handle_syslog(logger, fmt)
    elif rotating:
        _add(logger, RotatingFileHandler(filename, "ab", maxbytes, backups), fmt)
    else:
        _add(logger, FileHandler(filename), fmt)
