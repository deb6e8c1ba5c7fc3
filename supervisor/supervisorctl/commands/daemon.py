"""Commands about the daemon: version, reload, reexec, shutdown."""

from __future__ import annotations

from supervisor.client import proxy
from supervisor.common.faults import Faults
from supervisor.supervisorctl.commands import CommandGroup
from supervisor.supervisorctl.results import LSBInitExitStatuses, connection_error_text

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from supervisor.supervisorctl.flags import FlagTable
    from supervisor.supervisorctl.replacing import Replacement

KEEP = "--keep"


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

    @property
    def flags_reload(self) -> FlagTable:
        """The flags of `reload`, which most users of this module do not need."""
        from supervisor.supervisorctl.flags import Flag, FlagTable

        keep = Flag(KEEP, help="Apply the settings of supervisord only; its processes keep running")
        return FlagTable(keep, unknown_is_name=True)

    def do_reload(self, arg: str) -> None:
        """Restart the daemon: stop everything, read the configuration, start everything.

        With `--keep`, it replaces itself, so that only its own settings change.
        """
        given = self.flags_reload.parse(arg.split())
        if not self._takes_no_arguments("reload", " ".join(given.names)):
            return
        if given[KEEP]:
            replacement = self._replace()
            if replacement is not None:
                self.ctl.output(f"Reloaded the settings of supervisord{replacement.kept()}")
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

    def do_reexec(self, arg: str) -> None:
        """Replace the daemon by the installed version."""
        if not self._takes_no_arguments("reexec", arg):
            return
        replacement = self._replace()
        if replacement is not None:
            self.ctl.output(f"{replacement.change()}{replacement.kept()}")

    def help_reexec(self) -> None:
        """Print the help of `reexec`."""
        self.ctl.output(
            "reexec\t\t\tReplace supervisord by the installed version; its processes keep running"
        )

    def _replace(self) -> Replacement | None:
        """Replace the daemon; return None after an error."""
        if not self.ctl.upcheck():
            return None
        from supervisor.supervisorctl.replacing import ReplacementError, replace_daemon

        try:
            return replace_daemon(self.ctl)
        except ReplacementError as error:
            self._fail(f"error: {error}")
            return None

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
