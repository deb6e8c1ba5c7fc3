"""Commands about logs: tail, maintail, clear."""

from __future__ import annotations

import sys

from supervisor.client import proxy
from supervisor.common.faults import Faults
from supervisor.common.stdio import discard
from supervisor.supervisorctl.commands.base import CTRL_C_ENDS, CommandGroup
from supervisor.supervisorctl.results import (
    CLEAR_RESULTS,
    LOG_FAULTS,
    PROCESS_LOG_FAULTS,
    log_fault_text,
    result_of,
    result_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Iterable, Mapping
    from typing import Any

TAIL_BYTES = 1600
CHANNELS = ("stdout", "stderr")
FOLLOW = "-f"


class LogCommands(CommandGroup):
    """The commands about logs."""

    listener: Any = None  # receives the data of `tail -f`; by default one that prints

    # -- tail -------------------------------------------------------------------------

    def do_tail(self, arg: str) -> None:
        """Print the end of a process's log, or follow it."""
        if not self.ctl.upcheck():
            return
        words = arg.split()
        if not 1 <= len(words) <= 3:  # noqa: PLR2004 - modifier, name, channel
            self._refuse(f"Error: too {'many' if words else 'few'} arguments", "tail")
            return
        modifier = words.pop(0) if words[0].startswith("-") else None
        if not words:
            self._fail("Error: tail requires process name")
            return
        name, channel = words[0], words[-1].lower() if words[1:] else "stdout"
        if channel not in CHANNELS:
            self._fail(f"Error: bad channel {channel!r}")
        elif modifier == FOLLOW:
            if self._exists(name):
                self._follow(f"/logtail/{name}/{channel}")
        else:
            self._show_end(
                f"readProcess{channel.capitalize()}Log", [name], modifier, PROCESS_LOG_FAULTS
            )

    def _exists(self, name: str) -> bool:
        """Return whether the daemon has a process; if not, print an error."""
        supervisor = self.ctl.get_supervisor()
        try:
            supervisor.getProcessInfo(name)
        except proxy.Fault as fault:
            if fault.faultCode != Faults.BAD_NAME:
                raise
            self._fail(f"{name}: {PROCESS_LOG_FAULTS[Faults.BAD_NAME]}")
            self.ctl.hint(
                lambda hints: hints.for_unknown_name(name, supervisor.getAllProcessInfo())
            )
            return False
        return True

    def help_tail(self) -> None:
        """Print the help of `tail`."""
        self.ctl.output("tail [-f] <name> [stdout|stderr] (default stdout)")
        self.ctl.output("Ex:")
        self.ctl.output("tail -f <name>\t\tFollow the process's stdout, until Ctrl-C")
        self.ctl.output("tail -100 <name>\tShow the last 100 *bytes* of its stdout")
        self.ctl.output("tail <name> stderr\tShow the last 1600 *bytes* of its stderr")

    def do_maintail(self, arg: str) -> None:
        """Print the end of the daemon's activity log, or follow it."""
        if not self.ctl.upcheck():
            return
        words = arg.split()
        if len(words) > 1:
            self._refuse("Error: too many arguments", "maintail")
            return
        modifier = words[0] if words else None
        if modifier == FOLLOW:
            self._follow("/mainlogtail")
        else:
            self._show_end("readLog", [], modifier, LOG_FAULTS)

    def help_maintail(self) -> None:
        """Print the help of `maintail`."""
        self.ctl.output("maintail -f \tFollow supervisord's activity log, until Ctrl-C")
        self.ctl.output("maintail -100\tShow the last 100 *bytes* of the activity log")
        self.ctl.output("maintail\tShow the last 1600 *bytes* of the activity log\n")

    def _show_end(
        self, method: str, names: list[str], modifier: str | None, texts: Mapping[int, str]
    ) -> None:
        """Print the end of a log; a modifier such as `-100` sets the size in bytes."""
        size = _size(modifier)
        if size is None:
            self._fail(f"Error: bad argument {modifier}")
            return
        try:
            text = getattr(self.ctl.get_supervisor(), method)(*names, -size, 0)
        except proxy.Fault as fault:
            if fault.faultCode not in texts:
                raise
            subject = names[0] if names else "supervisord"
            self._fail(f"{subject}: {log_fault_text(fault, texts)}")
        else:
            self.ctl.output(text)

    def _follow(self, path: str) -> None:
        """Print a log as it grows, until the user or the server ends it."""
        from supervisor.http_client import HTTPHandler, Listener

        options = self.ctl.options
        self.ctl.output(CTRL_C_ENDS)
        handler = HTTPHandler(self.listener or Listener(), options.username, options.password)
        handler.trusted_uids = getattr(options, "trusted_uids", frozenset)
        try:
            handler.get(options.serverurl, path)
        except KeyboardInterrupt:
            self.ctl.output("")
        except BrokenPipeError:  # the reader of stdout has gone
            discard(sys.stdout)

    # -- clear ------------------------------------------------------------------------

    def do_clear(self, arg: str) -> None:
        """Empty the logs of processes."""
        if not self.ctl.upcheck():
            return
        names = arg.split()
        if not names:
            self._refuse("Error: clear requires a process name", "clear")
            return
        supervisor = self.ctl.get_supervisor()
        if "all" in names:
            self._show_cleared(supervisor.clearAllProcessLogs())
        else:
            for name in names:
                self._show_cleared([result_of(supervisor.clearProcessLogs, name)])

    def _show_cleared(self, results: Iterable[Mapping[str, Any]]) -> None:
        for result in results:
            self.ctl.output(result_text(result, CLEAR_RESULTS))
            self.ctl.set_exitstatus_from_xmlrpc_fault(result["status"])

    def help_clear(self) -> None:
        """Print the help of `clear`."""
        self.ctl.output("clear <name>\t\tEmpty the logs of one process")
        self.ctl.output("clear <name> <name>\tEmpty the logs of several processes")
        self.ctl.output("clear all\t\tEmpty the logs of all processes")


def _size(modifier: str | None) -> int | None:
    """Return the number of bytes of a modifier such as `-100`, None for anything else."""
    if modifier is None:
        return TAIL_BYTES
    digits = modifier.removeprefix("-")
    return int(digits) if digits.isdecimal() and digits != modifier else None
