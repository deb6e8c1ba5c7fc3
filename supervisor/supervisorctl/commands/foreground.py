"""The command that connects the terminal to a process: fg."""

from __future__ import annotations

from supervisor.client import proxy
from supervisor.common.faults import Faults
from supervisor.states import ProcessStates
from supervisor.supervisorctl.commands import CTRL_C_ENDS, CommandGroup


class ForegroundCommands(CommandGroup):
    """The command `fg`."""

    def do_fg(self, arg: str) -> None:
        """Print a process's output, and send it the user's input."""
        if not self.ctl.upcheck():
            return
        names = arg.split()
        if not names:
            self._refuse("ERROR: no process name supplied", "fg")
        elif len(names) > 1:
            self._fail("ERROR: too many process names supplied")
        else:
            name = self._single(names[0])
            if name is not None and self._is_running(name):
                from supervisor.supervisorctl.foreground import run_foreground

                self.ctl.output(CTRL_C_ENDS)
                run_foreground(self.ctl, name)

    def _is_running(self, name: str) -> bool:
        """Return whether a process is running; if not, print an error."""
        try:
            info = self.ctl.get_supervisor().getProcessInfo(name)
        except proxy.Fault as fault:
            if fault.faultCode == Faults.BAD_NAME:
                self._fail("ERROR: bad process name supplied")
                self._hint_for_name(name)
            else:
                self.ctl.output(f"ERROR: {fault}")
            return False
        if info["state"] != ProcessStates.RUNNING:
            self._fail("ERROR: process not running")
            return False
        return True

    def help_fg(self) -> None:
        """Print the help of `fg`."""
        self.ctl.output("fg <process>\tConnect to a process: its output, your input")
        self.ctl.output("\t\tCtrl-C to exit")
