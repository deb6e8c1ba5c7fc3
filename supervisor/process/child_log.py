"""The log of one stream of a child and its copies: opened as the options of the stream say."""

from __future__ import annotations

from supervisor import loggers
from supervisor.common.namespec import make_namespec
from supervisor.common.records import replace
from supervisor.common.text import RAW_FORMAT
from supervisor.config.process_config import PLAIN, full_config
from supervisor.config.targets import SYSLOG, syslog_pri
from supervisor.process.log_files import log_policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from supervisor.config.stream_config import StreamConfig
    from supervisor.logs.copies import Target
    from supervisor.logs.formatted_file import Formatter
    from supervisor.process.status import ProcessStatus


def log_options(process: ProcessStatus, channel: str) -> object:
    """Return all options that the log of the stream `channel` depends on, to be compared."""
    stream: StreamConfig = getattr(process.config, channel)
    return replace(stream, events_enabled=False), tuple(_syslog_options(process, channel))


def open_child_log(
    process: ProcessStatus, channel: str, pid: Callable[[], int]
) -> loggers.Logger | None:
    """Open the log of the stream `channel`; return None if its output goes nowhere.

    `pid` returns the pid whose output is being logged.  Raises `OSError` if the log itself cannot
    be opened.
    """
    stream: StreamConfig = getattr(process.config, channel)
    copies = stream.copies
    logfile: str | None = stream.logfile  # type: ignore[assignment]  # AUTO has become a path
    if not (logfile or stream.syslog or copies):
        return None
    logger = loggers.getLogger()
    if logfile and stream.logfile_format != RAW_FORMAT:
        logger.addHandler(_open_formatted(process, channel, pid))
    elif logfile:
        loggers.handle_file(
            logger,
            filename=logfile,
            fmt="%(message)s",
            rotating=bool(stream.logfile_maxbytes),
            maxbytes=stream.logfile_maxbytes,
            backups=stream.logfile_backups,
            policy=log_policy(stream, process.runtime),
        )
    if stream.syslog and _has_syslog_options(process, channel):
        copies.append(([SYSLOG], RAW_FORMAT))
    elif stream.syslog:
        loggers.handle_syslog(logger, fmt=f"{process.config.name} %(message)s")
    for targets, line_format in copies:
        formatter = _formatter(process, channel, line_format, pid)
        opened = [_open_target(process, channel, each, line_format) for each in targets]
        logger.addHandler(_copies(process, channel, formatter, opened))
    return logger


def _formatter(
    process: ProcessStatus, channel: str, line_format: str, pid: Callable[[], int]
) -> Formatter:
    if line_format == RAW_FORMAT:
        from supervisor.common.lines import WholeLines  # few programs need it

        return WholeLines()
    from supervisor.common.log_formats import LineFormatter, Origin  # few programs need them

    number = full_config(process.config).process_num
    origin = Origin(process.name, process.group_name, channel, number)
    return LineFormatter(line_format, origin, pid, time=process.runtime.clock.time)


def _open_formatted(
    process: ProcessStatus, channel: str, pid: Callable[[], int]
) -> loggers.Handler:
    from supervisor.logs.formatted_file import FormattedFileHandler  # few programs need it

    stream: StreamConfig = getattr(process.config, channel)
    return FormattedFileHandler(
        str(stream.logfile),
        _formatter(process, channel, stream.logfile_format, pid),
        stream.logfile_maxbytes,
        stream.logfile_backups,
        log_policy(stream, process.runtime),
    )


def _open_target(process: ProcessStatus, channel: str, target: str, line_format: str) -> Target:
    from supervisor.logs.copies import target_of  # few programs need it

    if target != SYSLOG:
        return target_of(target)
    from supervisor.logs.syslog_target import SyslogTarget  # few programs need it

    config = full_config(process.config)
    pri = syslog_pri(config.syslog_facility, getattr(config, f"syslog_{channel}_priority"))
    is_named = config.syslog_tag is not None or line_format != RAW_FORMAT
    start = "" if is_named else f"{process.name} "
    return SyslogTarget(pri, config.syslog_tag, start, process.runtime.clock.time)


def _syslog_options(process: ProcessStatus, channel: str) -> Iterator[tuple[str, object]]:
    """Yield the names and values of the options of a stream's messages in syslog."""
    config = full_config(process.config)
    for name in ("syslog_facility", "syslog_tag", f"syslog_{channel}_priority"):
        yield name, getattr(config, name)


def _has_syslog_options(process: ProcessStatus, channel: str) -> bool:
    """Whether a program has options that syslog(3) cannot apply to its messages alone."""
    return any(value != getattr(PLAIN, name) for name, value in _syslog_options(process, channel))


def _copies(
    process: ProcessStatus, channel: str, formatter: Formatter, targets: Iterable[Target]
) -> loggers.Handler:
    from supervisor.logs.copies import CopyHandler  # few programs need it

    writer = f"{make_namespec(process.group_name, process.name)} {channel}"
    return CopyHandler(writer, formatter, targets)
