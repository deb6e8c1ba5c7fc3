"""The end of a run: all resources are released."""

from __future__ import annotations

from functools import partial

from supervisor import events
from supervisor.logs import backlog
from supervisor.states import SupervisorStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from supervisor.daemon.pidfile import PidFile
    from supervisor.loggers import Logger
    from supervisor.process.groups import ProcessGroupBase
    from supervisor.process.runtime import Runtime


def clean_up(
    runtime: Runtime,
    closers: Iterable[Callable[[], object]],
    groups: Iterable[ProcessGroupBase],
    pidfile: PidFile,
    conclude: Callable[[], object],
) -> None:
    """Release all resources, beginning with the `closers`.

    A failure in one step does not skip the others.  `conclude` is called last, while the log is
    still open.
    """
    steps: list[Callable[[], object]] = [*closers]
    steps += [group.before_remove for group in groups]
    steps.append(runtime.services.close_log_maintenance)
    steps += [runtime.services.orphans.close, runtime.services.remove_notify_directory]
    steps += [events.clear, pidfile.remove]
    steps += [partial(backlog.set_background_loop, None), runtime.loop.close]
    if runtime.daemon_state != SupervisorStates.RESTARTING:  # else the next loop continues to send
        steps.append(partial(_drain_logs, runtime.logger))
    steps.append(conclude)
    for step in steps:
        runtime.run_guarded(step, "cleaning up")
    runtime.logger.close()


def _drain_logs(logger: Logger) -> None:
    """Wait for the readers of logs, while they make progress."""
    for path, dropped_bytes in backlog.drain():
        logger.critical(f"log {path}: {dropped_bytes} bytes dropped ({backlog.STALLED})")
