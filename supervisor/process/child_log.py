"""The log of one stream of a child and its copies: opened as the options of the stream say."""

from __future__ import annotations

from supervisor import loggers
from supervisor.common.namespec import make_namespec
from supervisor.common.text import RAW_FORMAT
from supervisor.config.process_config import full_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from supervisor.config.stream_config import StreamConfig
    from supervisor.logs.formatted_file import Formatter
    from supervisor.process.status import ProcessStatus


def open_child_log(
    process: ProcessStatus, channel: str, pid: Callable[[], int]
) -> loggers.Logger | None:
    """Open the log of the stream `channel`; return None if its output goes nowhere.

    `pid` returns the pid whose output is being logged.  Raises `OSError` if the log itself cannot
    be opened.
    """
    stream: StreamConfig = getattr(process.config, channel)
    copies = ((stream.further_targets, stream.logfile_format), (stream.tee, stream.tee_format))
    logfile: str | None = stream.logfile  # type: ignore[assignment]  # AUTO has become a path
    if not (logfile or stream.syslog or stream.tee or stream.further_targets):
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
        )
    if stream.syslog:
        loggers.handle_syslog(logger, fmt=f"{process.config.name} %(message)s")
    for targets, line_format in copies:
        if targets:
            formatter = _formatter(process, channel, line_format, pid)
            logger.addHandler(_open_copies(process, channel, formatter, targets))
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
    )


def _open_copies(
    process: ProcessStatus, channel: str, formatter: Formatter, targets: Iterable[str]
) -> loggers.Handler:
    from supervisor.logs.copies import CopyHandler, target_of  # few programs need it

    writer = f"{make_namespec(process.group_name, process.name)} {channel}"
    return CopyHandler(writer, formatter, map(target_of, targets))
