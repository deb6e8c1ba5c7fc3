"""The helpers that compress backups of logs, started as children of the daemon.

`logs.maintenance` decides when; it does not know processes.
"""

from __future__ import annotations

import os
from functools import partial

from supervisor.engine import child_interpreter, posix
from supervisor.logs.maintenance import LogMaintenance
from supervisor.process.helper_child import HelperChild
from supervisor.process.launchers import launch
from supervisor.process.plan import SpawnPlan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisor.process.helper_child import HelperEnd
    from supervisor.process.runtime import Runtime

CHILD_MODULE = "supervisor.logs.gzip_child"
"""The script of the helper; the daemon itself does not import it."""

NAME = "compression of a log"
"""Name of the helper in messages of the reaper."""


def make_log_maintenance(runtime: Runtime) -> LogMaintenance:
    """Return the maintenance of logs, whose helpers are children of the daemon."""
    return LogMaintenance(runtime.loop, partial(start_compression, runtime), runtime.logger.warn)


def start_compression(
    runtime: Runtime,
    source: int,
    target: int,
    timeout: float,
    on_end: Callable[[str | None], object],
) -> HelperChild:
    """Start to compress the fd `source` into `target`.

    `on_end` is called once, with None or the reason of a failure, after `timeout` seconds at the
    latest.  Raises `OSError`.
    """
    started = _launch(source, target)
    helper = HelperChild(
        NAME, started, runtime.loop, timeout, lambda end: on_end(_failure(end, timeout))
    )
    runtime.children[helper.pid] = helper
    return helper


def _launch(source: int, target: int) -> tuple[int, int]:
    """Return the pid of the helper, and the reading end of the pipe of its errors."""
    argv = child_interpreter.command(CHILD_MODULE)
    reader, writer = os.pipe()
    try:
        launched = launch(
            SpawnPlan(
                name=NAME,
                executable=argv[0],
                argv=argv,
                environment=os.environ,
                directory=None,
                umask=None,
                uid=None,
                stdin=source,
                stdout=target,
                stderr=writer,
            )
        )
    except BaseException as error:
        os.close(reader)
        if isinstance(error, posix.ProcessException):
            raise OSError(0, str(error)) from None
        raise
    finally:
        os.close(writer)
    if launched.report is not None:  # a child that cannot exec reports that by its status
        os.close(launched.report)
    return launched.pid, reader


def _failure(end: HelperEnd, timeout: float) -> str | None:
    """Return why a helper has failed, None if it has not."""
    if end.status is None:
        return f"not done after {timeout:.0f} seconds"
    code, text = posix.decode_wait_status(end.status)
    if code == 0:
        return None
    return end.first_line or text
