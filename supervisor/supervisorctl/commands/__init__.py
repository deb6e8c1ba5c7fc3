"""The built-in commands of supervisorctl, one module for each group of commands.

This file has the code that the groups share, as another module would take time at each start.
`default.GROUPS` lists the groups.
"""

from __future__ import annotations

import time

from supervisor.client import proxy
from supervisor.common.faults import Faults
from supervisor.common.namespec import is_pattern, split_namespec
from supervisor.supervisorctl.output import reserve_stdout
from supervisor.supervisorctl.plugin import ControllerPluginBase
from supervisor.supervisorctl.results import LSBInitExitStatuses, LSBStatusExitStatuses, matches

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, TypeVar

    from supervisor.supervisorctl.controller import Controller
    from supervisor.supervisorctl.flags import Arguments

    Info = Mapping[str, Any]
    T = TypeVar("T")

STOP_POLL_SECONDS = 0.1
"""Poll interval while another client stops a process, or for a server that cannot wait."""

CTRL_C_ENDS = "==> Press Ctrl-C to exit <=="


class CommandGroup(ControllerPluginBase):
    """A group of commands; the methods here report errors the same way in all of them.

    `plugin` is the `DefaultControllerPlugin`, on which third parties replace two attributes:
    `_startresult` and `listener`.
    """

    def __init__(self, controller: Controller, plugin: Any) -> None:
        super().__init__(controller)
        self.plugin = plugin

    def _fail(self, message: str) -> None:
        """Print an error of a command."""
        self.ctl.output(message)
        self.ctl.exitstatus = LSBInitExitStatuses.GENERIC

    def _refuse(
        self, error: str, command: str, exitstatus: int = LSBInitExitStatuses.GENERIC
    ) -> None:
        """Print an error in the arguments of a command, and its help."""
        self.ctl.exitstatus = exitstatus
        self._usage(error, command)

    def _parse(self, command: str, arg: str) -> Arguments | None:
        """Return flags and names of a command, or None after printing an error.

        A command with flags calls this before anything that may print: a machine-readable
        format keeps all messages off stdout.
        """
        from supervisor.supervisorctl.flags import flags_of

        given = flags_of(self, command).parse(arg.split())
        if given.machine_readable:
            reserve_stdout()
        if given.error is None:
            return given
        self._refuse(given.error, command)
        word = given.error.rpartition(" ")[2]
        self.ctl.hint(lambda hints: self._meant(hints, word) if word[:1] == "-" else None)
        return None

    def _takes_no_arguments(self, command: str, arg: str) -> bool:
        """Return whether there are none; otherwise print an error."""
        if arg:
            self._refuse(f"Error: {command} accepts no arguments", command)
        return not arg

    def _expanded(self, names: Sequence[str], infos: Iterable[Info] | None = None) -> list[str]:
        """Return names, with each pattern replaced by the processes that it matches.

        `infos` are all processes; without them, the daemon is queried if there is a pattern.
        """
        if not any(map(is_pattern, names)):
            return list(names)
        from supervisor.supervisorctl.patterns import expand

        if infos is None:
            infos = self.ctl.get_supervisor().getAllProcessInfo()
        return expand(names, infos)

    def _single(self, name: str) -> str | None:
        """Return the process that a name or pattern means, or None after an error for several."""
        matches = self._expanded([name])
        if len(matches) == 1:
            return matches[0]
        self._fail(f"{name}: ERROR (matches {len(matches)} processes: {', '.join(matches)})")
        return None

    def _selected(self, infos: Sequence[Info], names: Sequence[str]) -> list[Info]:
        """Return the processes that names and patterns match, in their order.

        Without names, or with `all` among them, these are all processes.  A name that matches none
        is reported.
        """
        if not names or "all" in names:
            return list(infos)
        names = self._expanded(names, infos)
        return [info for name in names for info in self._matching(infos, name)]

    def _matching(self, infos: Sequence[Info], namespec: str) -> list[Info]:
        """Return the processes that a name matches; print an error if there are none."""
        group, process = split_namespec(namespec)
        found = [info for info in infos if matches(info, namespec)]
        if not found:
            message = "no such group" if process is None else "no such process"
            name = group if process is None else namespec
            self.ctl.output(f"{name}: ERROR ({message})")
            self.ctl.exitstatus = LSBStatusExitStatuses.UNKNOWN
            self.ctl.hint(lambda hints: self._meant(hints, namespec, infos))
        return found

    def _meant(self, hints: Any, word: str, infos: Sequence[Info] = ()) -> str | None:
        """Return a suggestion of the flag or the process that a word resembles."""
        if not word.startswith("-"):
            return hints.for_unknown_name(word, infos)  # type: ignore[no-any-return]
        from supervisor.supervisorctl.flags import flags_of

        commands = [each.removeprefix("flags_") for each in dir(self) if each.startswith("flags_")]
        flags = {flag for command in commands for flag in flags_of(self, command).completions()}
        return hints.for_unknown_word(word, flags)  # type: ignore[no-any-return]

    def _hint_for_name(self, name: str) -> None:
        """Suggest the name that was meant by an unknown one, to a person at a terminal."""
        supervisor = self.ctl.get_supervisor()
        self.ctl.hint(lambda hints: hints.for_unknown_name(name, supervisor.getAllProcessInfo()))

    def _call_or_report(
        self, texts: Mapping[int, str], method: Callable[..., Any], *args: str
    ) -> Any:
        """Return the result of a method, or None after a fault that `texts` contains."""
        try:
            return method(*args)
        except proxy.Fault as fault:
            text = texts.get(fault.faultCode)
            if fault.faultCode == Faults.CANT_REREAD:
                text = f"ERROR: {fault.faultString}"
            if text is None:
                raise
            self.ctl.output(text.format(*args) if args else text)
            if fault.faultCode != Faults.ALREADY_ADDED:
                self.ctl.exitstatus = LSBInitExitStatuses.GENERIC
            return None


def lasting_call(ctl: Controller, verb: str, namespec: str | None, call: Callable[[], T]) -> T:
    """Return the results of a call that starts or stops processes and waits for them.

    They are also returned if the daemon replaces itself in the meantime; see `interruption`.
    `call` needs a connection of its own: one that had been closed before would be opened again.
    """
    begun = time.monotonic()
    try:
        return call()
    except ConnectionRefusedError:
        raise
    except ConnectionError as error:
        from supervisor.supervisorctl.interruption import Interruption

        results: T = Interruption(ctl, verb, namespec, begun, error).results(call)
        return results
