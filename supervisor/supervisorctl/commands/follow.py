"""The command that shows the logs of several programs: logs."""

from __future__ import annotations

from supervisor.client import proxy
from supervisor.common.faults import Faults
from supervisor.common.namespec import make_namespec
from supervisor.supervisorctl.commands import CommandGroup
from supervisor.supervisorctl.commands.logs import CHANNELS, FOLLOW
from supervisor.supervisorctl.flags import NUMBER, Flag, FlagTable
from supervisor.supervisorctl.results import LOG_FAULTS, LSBInitExitStatuses, log_fault_text

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Mapping
    from typing import Any

    Info = Mapping[str, Any]

LINES = 10
"""Number of the last lines of each log that are shown by default."""

BYTES_PER_LINE = 200
"""First guess at the length of a line."""

MAX_BYTES = 1 << 24
"""Limit of the end of a log that is read."""


class FollowCommands(CommandGroup):
    """The command `logs`."""

    flags_logs = FlagTable(
        Flag(FOLLOW, "--follow", help="Also show new lines, until Ctrl-C"),
        Flag(NUMBER, help="Show the last N lines of each log (default: 10)", convert=int),
    )

    def do_logs(self, arg: str) -> None:
        """Print the last lines of processes, or follow them."""
        given = self._parse("logs", arg)
        if given is None or not self.ctl.upcheck():
            return
        if not given.names:
            error = "Error: logs requires a process name"
            self._refuse(error, "logs", LSBInitExitStatuses.INVALID_ARGS)
            return
        infos = self._selected(self.ctl.get_supervisor().getAllProcessInfo(), given.names)
        if not infos:
            return
        from supervisor.supervisorctl.following import Log, Output, follow

        logs = [
            Log(make_namespec(info["group"], info["name"]), channel, info[f"{channel}_logfile"])
            for info in infos
            for channel in CHANNELS
            if info[f"{channel}_logfile"]
        ]
        names = {log.name for log in logs}
        for info in infos:
            name = make_namespec(info["group"], info["name"])
            if name not in names:
                self._fail(f"{name}: {LOG_FAULTS[Faults.NO_FILE]}")
        output = Output(self.ctl.stdout, logs)
        count = LINES if given[NUMBER] is None else given[NUMBER]
        if given[FOLLOW]:
            follow(self.ctl, logs, output, count)
            return
        for log in logs:
            output.write(log, self._last_lines(log.name, log.channel, count))

    def help_logs(self) -> None:
        """Print the help of `logs`."""
        self.ctl.output("logs <name>\t\tShow the last lines of a process, of stdout and stderr")
        self.ctl.output("logs <gname>:*\t\tShow those of the processes of a group")
        self.ctl.output("logs <name> <name>\tShow those of several processes")
        self.ctl.output("logs all\t\tShow those of all processes")

    def _last_lines(self, name: str, channel: str, count: int) -> list[str]:
        """Return the last lines of a log; an error is printed, unless there is no file yet."""
        read = getattr(self.ctl.get_supervisor(), f"readProcess{channel.capitalize()}Log")
        size = max(count, 1) * BYTES_PER_LINE
        while True:
            try:
                text: str = read(name, -size, 0)
            except proxy.Fault as fault:
                if fault.faultCode == Faults.NO_FILE:  # it has not been started
                    return []
                if fault.faultCode not in LOG_FAULTS:
                    raise
                self._fail(f"{name}: {log_fault_text(fault, LOG_FAULTS)}")
                return []
            lines = text.split("\n")
            if not lines[-1]:
                lines.pop()
            is_whole = len(text.encode("utf-8", "replace")) < size
            if is_whole or len(lines) > count or size >= MAX_BYTES:
                # A part of the log begins in the middle of a line.
                return lines[-count:] if count else []
            size *= 4
