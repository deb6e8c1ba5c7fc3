"""The log of one stream of a child: opened as the options of the stream say."""

from __future__ import annotations

from supervisor import loggers
from supervisor.common.text import RAW_FORMAT
from supervisor.config.process_config import full_config
from supervisor.process.log_files import log_policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisor.config.process_config import StreamConfig
    from supervisor.process.status import ProcessStatus


def is_formatted(stream: StreamConfig) -> bool:
    """Whether the lines of a stream get a format."""
    return stream.logfile_format != RAW_FORMAT


def open_child_log(
    process: ProcessStatus, channel: str, pid: Callable[[], int]
) -> loggers.Logger | None:
    """Open the log of the stream `channel`; return None if it has none.  Raises `OSError`.

    `pid` returns the pid whose output is being logged.
    """
    stream: StreamConfig = getattr(process.config, channel)
    logfile: str | None = stream.logfile  # type: ignore[assignment]  # AUTO has become a path
    if not logfile and not stream.syslog:
        return None
    logger = loggers.getLogger()
    if logfile and is_formatted(stream):
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
    if stream.syslog:
        loggers.handle_syslog(logger, fmt=f"{process.config.name} %(message)s")
    return logger


def _open_formatted(
    process: ProcessStatus, channel: str, pid: Callable[[], int]
) -> loggers.Handler:
    from supervisor.common.log_formats import LineFormatter, Origin  # few programs need them
    from supervisor.logs.formatted_file import FormattedFileHandler

    config = full_config(process.config)
    stream: StreamConfig = getattr(process.config, channel)
    formatter = LineFormatter(
        stream.logfile_format,
        Origin(process.name, process.group_name, channel, config.process_num),
        pid,
        time=process.runtime.clock.time,
    )
    return FormattedFileHandler(
        str(stream.logfile),
        formatter,
        stream.logfile_maxbytes,
        stream.logfile_backups,
        log_policy(stream, process.runtime),
    )
