"""Commands about logs: tail, maintail, clear, rotate, reopen."""

from __future__ import annotations

import sys

from supervisor.client import proxy
from supervisor.common.faults import Faults, getFaultDescription
from supervisor.common.namespec import make_namespec
from supervisor.common.stdio import discard
from supervisor.supervisorctl.commands import CTRL_C_ENDS, CommandGroup
from supervisor.supervisorctl.flags import BAD_ARGUMENT, NUMBER, Flag, FlagTable
from supervisor.supervisorctl.results import (
    CLEAR_RESULTS,
    LOG_FAULTS,
    PROCESS_LOG_FAULTS,
    REOPEN_RESULTS,
    ROTATE_RESULTS,
    log_fault_text,
    result_of,
    result_text,
    results_of,
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
        from supervisor.client.tailing import LogTail
        from supervisor.http_client import Listener

        options = self.ctl.options
        self.ctl.output(CTRL_C_ENDS)
        tail = LogTail(self.plugin.listener or Listener(), options.username, options.password)
        tail.trusted_uids = getattr(options, "trusted_uids", frozenset)
        try:
            tail.get(options.serverurl, path)
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
            self._show_results(supervisor.clearAllProcessLogs(), CLEAR_RESULTS)
        else:
            for name in self._expanded(names):
                outcome = result_of(supervisor.clearProcessLogs, name)
                self._show_results([outcome], CLEAR_RESULTS)

    def _show_results(self, results: Iterable[Mapping[str, Any]], texts: Mapping[int, str]) -> None:
        for result in results:
            self.ctl.output(result_text(result, texts))
            self.ctl.set_exitstatus_from_xmlrpc_fault(result["status"])
            if result["status"] == Faults.BAD_NAME:
                self._hint_for_name(make_namespec(result["group"], result["name"]))

    def help_clear(self) -> None:
        """Print the help of `clear`."""
        self.ctl.output("clear <name>\t\tEmpty the logs of one process")
        self.ctl.output("clear <name> <name>\tEmpty the logs of several processes")
        self.ctl.output("clear all\t\tEmpty the logs of all processes")

    # -- rotate and reopen --------------------------------------------------------------

    def do_rotate(self, arg: str) -> None:
        """Rotate the logs of processes now."""
        self._for_each("rotate", arg, ROTATE_RESULTS)

    def help_rotate(self) -> None:
        """Print the help of `rotate`."""
        self.ctl.output("rotate <name>\t\tRotate the logs of one process now, unless empty")
        self.ctl.output("rotate <gname>:*\tRotate the logs of a group")
        self.ctl.output("rotate <name> <name>\tRotate the logs of several processes or groups")
        self.ctl.output("rotate all\t\tRotate the logs of all processes")

    def do_reopen(self, arg: str) -> None:
        """Close and reopen the log files of processes."""
        self._for_each("reopen", arg, REOPEN_RESULTS)

    def help_reopen(self) -> None:
        """Print the help of `reopen`."""
        self.ctl.output(
            "reopen <name>\t\tReopen the log files of one process, after their rotation"
        )
        self.ctl.output("reopen <gname>:*\tReopen the log files of a group")
        self.ctl.output("reopen <name> <name>\tReopen those of several processes or groups")
        self.ctl.output("reopen all\t\tReopen the log files of all processes, as on SIGUSR2")

    def _for_each(self, verb: str, arg: str, texts: Mapping[int, str]) -> None:
        """Call the method `verb` + ProcessLogs for each name, or that for all processes."""
        if not self.ctl.upcheck():
            return
        names = arg.split()
        if not names:
            self._refuse(f"Error: {verb} requires a process name", verb)
            return
        supervisor = self.ctl.get_supervisor()
        shown: list[Mapping[str, Any]] = []
        if "all" in names:
            shown += getattr(supervisor, f"{verb}AllProcessLogs")()
        else:
            for name in self._expanded(names):
                shown += results_of(getattr(supervisor, f"{verb}ProcessLogs"), name)
        # The reason of a failure names the process, but a fault begins with that of its code.
        prefix = f"{getFaultDescription(Faults.FAILED)}: "
        shown = [
            {**each, "description": each["description"].removeprefix(prefix)} for each in shown
        ]
        self._show_results(shown, texts)
        self.ctl.hint(lambda hints: hints.for_results(supervisor, shown))
