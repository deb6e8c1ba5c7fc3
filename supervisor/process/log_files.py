"""The log files of a program: their policies, from its options, and their rotation on request."""

from __future__ import annotations

from functools import partial

from supervisor.engine.files import NotRegularFile
from supervisor.logs.rotation import rotate_now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisor.config.stream_config import StreamConfig
    from supervisor.logs.maintenance import LogMaintenance
    from supervisor.logs.ownership import Ownership
    from supervisor.logs.policy import LogPolicy
    from supervisor.process.runtime import Runtime
    from supervisor.process.status import ProcessStatus

DAY_SECONDS = 86400.0


def log_policy(stream: StreamConfig, runtime: Runtime) -> LogPolicy | None:
    """Return the policy of the log of a stream, None if none of its options is set."""
    needs_maintenance = bool(
        stream.logfile_rotate or stream.has_compressed_backups or stream.logfile_maxage
    )
    ownership = log_ownership(stream, runtime.logger.warn)
    if ownership is None and not needs_maintenance:
        return None
    from supervisor.logs.policy import LogPolicy  # few logs need it

    return LogPolicy(
        ownership=ownership,
        backups=stream.logfile_backups,
        period=stream.logfile_rotate,
        is_compressed=stream.has_compressed_backups,
        max_age_seconds=stream.logfile_maxage * DAY_SECONDS,
        maintenance=_maintenance(runtime) if needs_maintenance else None,
    )


def _maintenance(runtime: Runtime) -> LogMaintenance:
    from supervisor.process.log_maintenance import make_log_maintenance  # few logs need it

    return runtime.services.log_maintenance(partial(make_log_maintenance, runtime))


def log_ownership(stream: StreamConfig, report: Callable[[str], object]) -> Ownership | None:
    """Return owner and mode of the log of a stream, None if neither is set."""
    if stream.logfile_mode is None and stream.logfile_owner is None:
        return None
    from supervisor.logs.ownership import Ownership  # few logs need it

    return Ownership(stream.logfile_mode, stream.logfile_owner, report)


def rotate_logs(process: ProcessStatus) -> tuple[bool, list[str]]:
    """Rotate the logs of a process, which may be down.

    Returns whether there is a log that can be rotated, and a line for each failure.  A log that
    is no regular file is a failure only if there is no other.
    """
    is_rotated = False
    failures: list[str] = []
    unsuitable: list[str] = []
    for channel in ("stdout", "stderr"):
        stream: StreamConfig = getattr(process.config, channel)
        path = stream.logfile
        if not isinstance(path, str):
            continue
        try:
            rotate_now(path, stream.logfile_backups, log_policy(stream, process.runtime))
        except FileNotFoundError:  # the program has never run
            continue
        except OSError as error:
            lines = unsuitable if isinstance(error, NotRegularFile) else failures
            lines.append(f"cannot rotate {path}: {error.strerror or error}")
        else:
            is_rotated = True
    return is_rotated, failures or ([] if is_rotated else unsuitable)
