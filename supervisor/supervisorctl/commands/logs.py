"""Commands about logs: tail, maintail, clear."""

from __future__ import annotations

import sys

from supervisor.client import proxy
from supervisor.common.faults import Faults
from supervisor.common.namespec import make_namespec
from supervisor.common.stdio import discard
from supervisor.supervisorctl.commands import CTRL_C_ENDS, CommandGroup
from supervisor.supervisorctl.flags import BAD_ARGUMENT, NUMBER, Flag, FlagTable
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
LOG_FLAGS = FlagTable(
    Flag(FOLLOW), Flag(NUMBER, convert=int, default=TAIL_BYTES), first_word_only=True
)


class LogCommands(CommandGroup):
    """The commands about logs."""

    # -- tail -------------------------------------------------------------------------

    flags_tail = LOG_FLAGS

    def do_tail(self, arg: str) -> None:
        """Print the end of a process's log, or follow it."""
        if not self.ctl.upcheck():
            return
        words = arg.split()
        if not 1 <= len(words) <= 3:  # noqa: PLR2004 - modifier, name, channel
            self._refuse(f"Error: too {'many' if words else 'few'} arguments", "tail")
            return
        given = self.flags_tail.parse(words)
        if not given.names:
            self._fail("Error: tail requires process name")
            return
        name, channel = given.names[0], given.names[-1].lower() if given.names[1:] else "stdout"
        if channel not in CHANNELS:
            self._fail(f"Error: bad channel {channel!r}")
        elif given.error is not None:
            self._fail(given.error)
        else:
            self._tail(name, channel, given[NUMBER], follow=given[FOLLOW])

    def _tail(self, name_or_pattern: str, channel: str, size: int, *, follow: bool) -> None:
        name = self._single(name_or_pattern)
        if name is None:
            return
        if not follow:
            method = f"readProcess{channel.capitalize()}Log"
            self._show_end(method, [name], size, PROCESS_LOG_FAULTS)
        elif self._exists(name):
            self._follow(f"/logtail/{name}/{channel}")

    def _exists(self, name: str) -> bool:
        """Return whether the daemon has a process; if not, print an error."""
        try:
            self.ctl.get_supervisor().getProcessInfo(name)
        except proxy.Fault as fault:
            if fault.faultCode != Faults.BAD_NAME:
                raise
            self._fail(f"{name}: {PROCESS_LOG_FAULTS[Faults.BAD_NAME]}")
            self._hint_for_name(name)
            return False
        return True

    def help_tail(self) -> None:
        """Print the help of `tail`."""
        self.ctl.output("tail [-f] <name> [stdout|stderr] (default stdout)")
        self.ctl.output("Ex:")
        self.ctl.output("tail -f <name>\t\tFollow the process's stdout, until Ctrl-C")
        self.ctl.output("tail -100 <name>\tShow the last 100 *bytes* of its stdout")
        self.ctl.output("tail <name> stderr\tShow the last 1600 *bytes* of its stderr")

    flags_maintail = LOG_FLAGS

    def do_maintail(self, arg: str) -> None:
        """Print the end of the daemon's activity log, or follow it."""
        if not self.ctl.upcheck():
            return
        words = arg.split()
        if len(words) > 1:
            self._refuse("Error: too many arguments", "maintail")
            return
        given = self.flags_maintail.parse(words)
        for word in given.names:
            given.refuse(BAD_ARGUMENT.format(word))
        if given.error is not None:
            self._fail(given.error)
        elif given[FOLLOW]:
            self._follow("/mainlogtail")
        else:
            self._show_end("readLog", [], given[NUMBER], LOG_FAULTS)

    def help_maintail(self) -> None:
        """Print the help of `maintail`."""
        self.ctl.output("maintail -f \tFollow supervisord's activity log, until Ctrl-C")
        self.ctl.output("maintail -100\tShow the last 100 *bytes* of the activity log")
        self.ctl.output("maintail\tShow the last 1600 *bytes* of the activity log\n")

    def _show_end(self, method: str, names: list[str], size: int, texts: Mapping[int, str]) -> None:
        """Print the last `size` bytes of a log."""
        try:
            text = getattr(self.ctl.get_supervisor(), method)(*names, -size, 0)
        except proxy.Fault as fault:
            if fault.faultCode not in texts:
                raise
            subject = names[0] if names else "supervisord"
            self._fail(f"{subject}: {log_fault_text(fault, texts)}")
            if fault.faultCode == Faults.BAD_NAME:
                self._hint_for_name(subject)
        else:
            self.ctl.output(text)

    def _follow(self, path: str) -> None:
        """Print a log as it grows, until the user or the server ends it."""
        from supervisor.http_client import HTTPHandler, Listener

        options = self.ctl.options
        self.ctl.output(CTRL_C_ENDS)
        handler = HTTPHandler(
            self.plugin.listener or Listener(), options.username, options.password
        )
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
            for name in self._expanded(names):
                self._show_cleared([result_of(supervisor.clearProcessLogs, name)])

    def _show_cleared(self, results: Iterable[Mapping[str, Any]]) -> None:
        for result in results:
            self.ctl.output(result_text(result, CLEAR_RESULTS))
            self.ctl.set_exitstatus_from_xmlrpc_fault(result["status"])
            if result["status"] == Faults.BAD_NAME:
                self._hint_for_name(make_namespec(result["group"], result["name"]))

    def help_clear(self) -> None:
        """Print the help of `clear`."""
        self.ctl.output("clear <name>\t\tEmpty the logs of one process")
        self.ctl.output("clear <name> <name>\tEmpty the logs of several processes")
        self.ctl.output("clear all\t\tEmpty the logs of all processes")
