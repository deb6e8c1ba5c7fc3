"""Owners and modes of logs: whether the daemon will be able to set them, and to write then."""

from __future__ import annotations

import os
import stat

from supervisor.engine import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from supervisor.config.model import ProcessGroupConfig
    from supervisor.config.parser import UnhosedConfigParser
    from supervisor.config.stream_config import StreamConfig

FOREIGN_OWNER = "only root can give a log to another user or group"
READ_ONLY = "without root privileges, supervisord could not open the log a second time"


def check_log_permissions(
    parser: UnhosedConfigParser, groups: Iterable[ProcessGroupConfig], uid: int | None
) -> None:
    """Reject owners and modes that a daemon without root privileges cannot use.

    `uid` is the user that the daemon will become, None if it keeps its own.  Raises
    ConfigurationError.
    """
    daemon_uid = os.geteuid() if uid is None else uid
    if daemon_uid == 0:
        return
    sections = {config.section: config for group in groups for config in group.process_configs}
    for section, config in sections.items():
        for channel in ("stdout", "stderr"):
            stream: StreamConfig = getattr(config, channel)
            if stream.logfile_owner and not _may_set(stream.logfile_owner, daemon_uid):
                option = f"{channel}_logfile_owner"
                parser.mistakes.report(parser.section(section).error(FOREIGN_OWNER, option))
            if stream.logfile_mode is not None and not stream.logfile_mode & stat.S_IWUSR:
                option = f"{channel}_logfile_mode"
                parser.mistakes.report(parser.section(section).error(READ_ONLY, option))


def _may_set(owner: tuple[int, int], daemon_uid: int) -> bool:
    if daemon_uid == os.geteuid():
        groups = {os.getegid(), *os.getgroups()}
    else:
        groups = set(posix.identity_of(daemon_uid).groups)
    uid, gid = owner
    return uid == daemon_uid and gid in {-1, *groups}
