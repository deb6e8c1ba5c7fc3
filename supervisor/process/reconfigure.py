"""Changes of the options of a process: while it runs, or between two runs."""

from __future__ import annotations

from supervisor.common.records import replace
from supervisor.datatypes import Automatic
from supervisor.process.groups import create_auto_logs
from supervisor.process.health import replace_health_monitor
from supervisor.process.starts import has_no_policy
from supervisor.process.streams import OutputDispatcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.config.model import ProcessConfig, StreamConfig
    from supervisor.loggers import Logger
    from supervisor.process.child import Subprocess


def reconfigure(process: Subprocess, config: ProcessConfig) -> None:
    """Give a process another config; if it runs, it keeps its pid.

    Timers in progress follow the new options; those that are not `live` apply from the next start.
    Raises `OSError` if a log cannot be opened; then nothing has changed.
    """
    before = process.config
    if process.pid:
        _keep_generated_logs(before, config)
    else:
        create_auto_logs(config, process.runtime.settings)
    process.config = config
    try:
        logs = _open_logs(process)
    except OSError:
        process.config = before
        raise
    for dispatcher, childlog in logs:
        dispatcher.reconfigure(childlog)
    process.stop_deadline.reschedule(config.stopwaitsecs)
    process.starts.reconfigure()
    process.startup.reconfigure(before)
    replace_health_monitor(process, before)
    process.is_plain = has_no_policy(process)
    process.arm()
    process.changed.notify()
    process.runtime.services.description_changed(process)


def _keep_generated_logs(before: ProcessConfig, config: ProcessConfig) -> None:
    """Keep the path that was generated for AUTO: the process is writing there."""
    for channel in ("stdout", "stderr"):
        stream: StreamConfig = getattr(config, channel)
        if stream.logfile is Automatic:
            path = getattr(before, channel).logfile
            setattr(config, channel, replace(stream, logfile=path))


def _open_logs(process: Subprocess) -> list[tuple[OutputDispatcher, Logger | None]]:
    """Return the log of each stream, opened again if its options differ; raises `OSError`."""
    outputs = [
        each
        for each in process.dispatchers.values()
        if isinstance(each, OutputDispatcher) and not each.closed
    ]
    opened: dict[OutputDispatcher, Logger | None] = {}
    try:
        for each in outputs:
            if each.has_outdated_log:
                opened[each] = each.open_log()
    except OSError:
        for childlog in opened.values():
            if childlog is not None:
                childlog.close()
        raise
    return [(each, opened.get(each, each.childlog)) for each in outputs]
