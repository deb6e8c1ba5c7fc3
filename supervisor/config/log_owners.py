"""The owners of logs: whether the daemon will be able to set them."""

from __future__ import annotations

import os

from supervisor.engine import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from supervisor.config.model import ProcessGroupConfig
    from supervisor.config.parser import UnhosedConfigParser


def check_log_owners(
    parser: UnhosedConfigParser, groups: Iterable[ProcessGroupConfig], uid: int | None
) -> None:
    """Reject owners of logs that a daemon without root privileges cannot set.

    `uid` is the user that the daemon will become, None if it keeps its own.  Raises
    ConfigurationError.
    """
    checked: set[tuple[str, str]] = set()
    for group in groups:
        for config in group.process_configs:
            for option in ("stdout_logfile_owner", "stderr_logfile_owner"):
                owner: tuple[int, int] | None = getattr(config, option)
                if owner is None or (config.section, option) in checked:
                    continue
                checked.add((config.section, option))
                if not _may_set(owner, os.geteuid() if uid is None else uid):
                    reason = "only root can give a log to another user or group"
                    raise parser.section(config.section).error(reason, option)


def _may_set(owner: tuple[int, int], daemon_uid: int) -> bool:
    if daemon_uid == 0:
        return True
    if daemon_uid == os.geteuid():
        groups = {os.getegid(), *os.getgroups()}
    else:
        groups = set(posix.identity_of(daemon_uid).groups)
    uid, gid = owner
    return uid == daemon_uid and gid in {-1, *groups}
