"""Commands about the shell: open, exit, quit."""

from __future__ import annotations

from supervisor.supervisorctl.commands import CommandGroup


class ShellCommands(CommandGroup):
    """The commands that switch to another daemon, or leave the shell."""

    def do_open(self, arg: str) -> None:
        """Switch to another daemon, and show its processes."""
        url = arg.strip()
        if not url.startswith(("http://", "unix://")):
            self._fail("ERROR: url must be http:// or unix://")
            return
        self.ctl.options.serverurl = url
        # The states of its processes must not affect the exit status of `open`.
        status = self.ctl.exitstatus
        self.ctl.onecmd("status")
        self.ctl.exitstatus = status

    def help_open(self) -> None:
        """Print the help of `open`."""
        self.ctl.output("open <url>\tConnect to another supervisord.")
        self.ctl.output("\t\t(a unix socket is written unix:///path/of/the/socket)")

    def do_exit(self, _arg: str) -> bool:
        """Leave the shell."""
        self.ctl.output("")
        return True

    def help_exit(self) -> None:
        """Print the help of `exit`."""
        self.ctl.output("exit\tLeave the shell.")

    def do_quit(self, arg: str) -> bool:
        """Leave the shell."""
        return self.do_exit(arg)

    def help_quit(self) -> None:
        """Print the help of `quit`."""
        self.ctl.output("quit\tLeave the shell.")
