"""Commands about the daemon: version, reload, shutdown."""

from __future__ import annotations

from supervisor.client import proxy
from supervisor.common.faults import Faults
from supervisor.supervisorctl.commands import CommandGroup
from supervisor.supervisorctl.results import LSBInitExitStatuses, connection_error_text


class DaemonCommands(CommandGroup):
    """The commands about the daemon."""

    def _confirmed(self, question: str) -> bool:
        """Return whether the user confirms; without a shell there is no prompt."""
        if not self.ctl.options.interactive:
            return True
        return self.ctl.ask(f"Really {question} y/N? ").lower().startswith("y")

    def do_version(self, arg: str) -> None:
        """Print the daemon's version."""
        if self._takes_no_arguments("version", arg) and self.ctl.upcheck():
            self.ctl.output(self.ctl.get_supervisor().getSupervisorVersion())

    def help_version(self) -> None:
        """Print the help of `version`."""
        self.ctl.output("version\t\t\tShow the version of the remote supervisord process")

    def do_reload(self, arg: str) -> None:
        """Restart the daemon: stop everything, read the configuration, start everything."""
        if not self._takes_no_arguments("reload", arg):
            return
        if not self._confirmed("restart the remote supervisord process"):
            return
        try:
            self.ctl.get_supervisor().restart()
        except proxy.Fault as fault:
            if fault.faultCode == Faults.SHUTDOWN_STATE:
                self.ctl.output("ERROR: already shutting down")
            elif fault.faultCode == Faults.CANT_REREAD:
                self.ctl.output(f"ERROR: {fault.faultString}")
            else:
                raise
            self.ctl.exitstatus = LSBInitExitStatuses.GENERIC
        else:
            self.ctl.output("Restarted supervisord")

    def help_reload(self) -> None:
        """Print the help of `reload`."""
        self.ctl.output("reload \t\tRestart supervisord and all its processes")

    def do_shutdown(self, arg: str) -> None:
        """Stop all processes and end the daemon."""
        if not self._takes_no_arguments("shutdown", arg):
            return
        if not self._confirmed("shut the remote supervisord process down"):
            return
        try:
            self.ctl.get_supervisor().shutdown()
        except proxy.Fault as fault:
            if fault.faultCode != Faults.SHUTDOWN_STATE:
                raise
            self.ctl.output("ERROR: already shutting down")
        except (ConnectionRefusedError, FileNotFoundError) as error:
            problem = f"{self.ctl.options.serverurl} {connection_error_text(error)}"
            self._fail(f"ERROR: {problem} (already shut down?)")
        else:
            self.ctl.output("Shut down")

    def help_shutdown(self) -> None:
        """Print the help of `shutdown`."""
        self.ctl.output("shutdown \tStop all processes and end supervisord")
