"""The shell of supervisorctl: finds the command in the plugins and runs it.

`supervisorctl.main` creates one `Controller` per run.  Third-party programs create their own,
pass lines to `onecmd` (from any thread) and read `exitstatus`.
"""

from __future__ import annotations

import cmd
import sys

from supervisor.client import proxy
from supervisor.client.terminal import is_terminal, sanitize
from supervisor.common.faults import Faults
from supervisor.common.version import API_VERSION
from supervisor.config.commandline import fail
from supervisor.supervisorctl.output import (
    release_stdout,
    stdout_is_reserved,
    write_message,
    write_result,
)
from supervisor.supervisorctl.results import (
    DEAD_PROGRAM_FAULTS,
    LSBInitExitStatuses,
    connection_error_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import IO, Any

    from supervisor.supervisorctl.completion import Vocabulary

UNAUTHORIZED = 401

# Exit status when no server listens at the address; other failures are GENERIC.
ABSENCE_STATUSES: dict[type[OSError], int] = {
    ConnectionRefusedError: LSBInitExitStatuses.INSUFFICIENT_PRIVILEGES,
    FileNotFoundError: LSBInitExitStatuses.NOT_RUNNING,
}

WRONG_API_VERSION = (
    "Sorry, this version of supervisorctl expects to talk to a server with API version {}, "
    "but the remote version is {}."
)
NO_NAMESPACE = (
    "Sorry, supervisord responded but did not recognize the supervisor namespace commands "
    "that supervisorctl uses to control it.  Please check that the "
    "[rpcinterface:supervisor] section is enabled in the configuration file "
    "(see sample.conf)."
)

# Faults that any command may receive.
FAULT_TEXTS = {
    Faults.SHUTDOWN_STATE: "ERROR: supervisord is shutting down or restarting",
    Faults.UNKNOWN_METHOD: (
        "ERROR: supervisord does not know the method that this command calls; is it older than"
        " supervisorctl, or is an [rpcinterface:...] section missing in its configuration file?"
    ),
}


class Controller(cmd.Cmd):
    """Runs commands against the server that `options` specify.

    `options` is a `ClientOptions`, or has its attributes.  `exitstatus` is the result of the
    commands so far, one of LSBInitExitStatuses or LSBStatusExitStatuses.
    """

    def __init__(
        self,
        options: Any,
        completekey: str = "tab",
        stdin: IO[str] | None = None,
        stdout: IO[str] | None = None,
    ) -> None:
        self.options = options
        self.prompt = f"{options.prompt}> "
        self.exitstatus = LSBInitExitStatuses.SUCCESS
        self.vocab = ["help"]
        super().__init__(completekey, stdin, stdout)
        options.plugins = []
        for name, factory, settings in options.plugin_factories:
            try:
                plugin = factory(self, **settings)
                plugin.name = name
            except Exception as error:  # noqa: BLE001 - a plugin may raise anything
                fail(f"Could not make {name} plugin: {type(error).__name__}: {error}")
            options.plugins.append(plugin)
            self.vocab += [each[3:] for each in dir(plugin) if _is_command(plugin, each)]

    # -- the server ---------------------------------------------------------------

    def get_server_proxy(self, namespace: str | None = None) -> Any:
        """Return a proxy for the server, or for one namespace of its methods."""
        proxy = self.options.getServerProxy()
        return proxy if namespace is None else getattr(proxy, namespace)

    def get_supervisor(self) -> Any:
        """Return a proxy for the `supervisor` namespace."""
        return self.get_server_proxy("supervisor")

    def upcheck(self) -> bool:
        """Return whether a compatible supervisord responds; if not, print the reason."""
        try:
            api = self.get_supervisor().getVersion()
        except tuple(ABSENCE_STATUSES) as error:
            self._report_connection_error(error)
            self.exitstatus = ABSENCE_STATUSES[type(error)]
            return False
        except proxy.Fault as fault:
            if fault.faultCode != Faults.UNKNOWN_METHOD:
                raise
            self.output(NO_NAMESPACE)
            self.exitstatus = LSBInitExitStatuses.UNIMPLEMENTED_FEATURE
            return False
        if api != API_VERSION:
            self.output(WRONG_API_VERSION.format(API_VERSION, api))
            self.exitstatus = LSBInitExitStatuses.NOT_INSTALLED
            return False
        return True

    def set_exitstatus_from_xmlrpc_fault(
        self, faultcode: int, ignored_faultcode: int | None = None
    ) -> None:
        """Set the exit status for a fault, unless it is SUCCESS or is ignored."""
        if faultcode in DEAD_PROGRAM_FAULTS and faultcode != ignored_faultcode:
            self.exitstatus = LSBInitExitStatuses.NOT_RUNNING
        elif faultcode not in {Faults.SUCCESS, ignored_faultcode}:
            self.exitstatus = LSBInitExitStatuses.GENERIC

    # -- input and output -----------------------------------------------------------

    def output(self, message: object) -> None:
        """Print a message: a line on stdout, or on stderr while stdout is reserved."""
        write_message(self.stdout, f"{message}\n")

    def print_result(self, text: str) -> None:
        """Print a machine-readable result and a line end on stdout."""
        write_result(self.stdout, f"{text}\n")

    @property
    def is_at_terminal(self) -> bool:
        """Whether a person can read hints."""
        return is_terminal(sys.stdout) and is_terminal(sys.stderr)

    def hint(self, advice: Callable[[Any], str | None]) -> None:
        """Print a hint for a person at a terminal; scripts never see it.

        `advice` receives the module `hints` and returns the text, or None.  It is called only
        at a terminal, and may query the server; a failure of that is ignored.
        """
        if not self.is_at_terminal:
            return
        from supervisor.supervisorctl import hints

        try:
            text = advice(hints)
        except (OSError, proxy.Fault, proxy.ProtocolError):
            return
        if text:
            sys.stderr.write(f"Hint: {sanitize(text)}\n")

    def ask(self, question: str, reading: Callable[[str], str] | None = None) -> str:
        """Return the user's answer to a question, or '' at the end of input."""
        try:
            return (reading or input)(question)
        except EOFError:
            self.output("")
            return ""

    # -- commands -------------------------------------------------------------------

    def onecmd(self, line: str) -> bool:
        """Run one line; return whether it ends the shell.  Errors are printed, not raised."""
        is_inherited = stdout_is_reserved()  # by the command that runs this one
        try:
            return self._run_line(line)
        finally:
            if not is_inherited:
                release_stdout()

    def _run_line(self, line: str) -> bool:
        command, argument, line = self.parseline(line)
        if not line:
            return self.emptyline()
        owner = self._owner(command) if command else None
        if owner is None:
            self.default(line)
            return False
        do = getattr(owner, f"do_{command}")
        while True:
            try:
                return bool(do(argument or ""))
            except proxy.ProtocolError as error:
                if error.errcode != UNAUTHORIZED:
                    self._report(error)
                elif self._authenticate():
                    continue
            except Exception as error:  # noqa: BLE001 - a plugin may raise anything
                self._report(error)
            return False

    def _authenticate(self) -> bool:
        """Prompt for a user name and password; return whether the user entered any."""
        self.output("Server requires authentication")
        if self.options.interactive:
            from getpass import getpass

            username = self.ask("Username:")
            if username:
                self.options.username = username
                self.options.password = self.ask("Password:", getpass)
                self.output("")
                return True
        self.hint(lambda hints: hints.for_login(self.options.username))
        self.exitstatus = LSBInitExitStatuses.GENERIC
        return False

    def _report_connection_error(self, error: Exception) -> None:
        options = self.options
        self.output(f"{options.serverurl} {connection_error_text(error)}")
        self.hint(lambda hints: hints.for_connection(error, options.configfile, options.serverurl))

    def _report(self, error: Exception) -> None:
        self.exitstatus = LSBInitExitStatuses.GENERIC
        place, passed_transport = _where_raised(error.__traceback__)
        text = FAULT_TEXTS.get(error.faultCode) if isinstance(error, proxy.Fault) else None
        if text is not None:
            self.output(text)
        elif passed_transport and not isinstance(error, proxy.Fault):
            self._report_connection_error(error)
        else:
            self.output(f"error: {type(error)}, {error}: {place}")

    def _owner(self, command: str) -> Any:
        """Return the first plugin with a command, ourselves for our own, or None."""
        plugins = [] if command == "help" else self.options.plugins
        for owner in (*plugins, self):
            if getattr(owner, f"do_{command}", None) is not None:
                return owner
        return None

    def emptyline(self) -> bool:
        """Do nothing; `cmd` would repeat the last line."""
        return False

    def default(self, line: str) -> None:
        """Report an unknown command."""
        self.output(f"*** Unknown syntax: {line}")
        self.exitstatus = LSBInitExitStatuses.GENERIC
        word = line.split(maxsplit=1)[0]
        self.hint(lambda hints: hints.for_unknown_word(word, self.vocab))

    def do_help(self, arg: str) -> None:
        """Print the help of a command, or list the commands of every plugin."""
        if arg == "help":
            self.help_help()
            return
        plugins = self.options.plugins
        if arg:
            plugins = [plugin for plugin in plugins if _has_topic(plugin, arg)][:1]
            if not plugins:
                self.output(f"*** No help on {arg}")
        for plugin in plugins:
            plugin.do_help(arg)

    def help_help(self) -> None:
        """Print the help of `help`."""
        self.output("help\t\tList the available actions")
        self.output("help <action>\tShow the help of an action")

    def do_EOF(self, _arg: str) -> bool:
        """Leave the shell; `cmd` calls this at the end of input."""
        self.output("")
        return True

    # -- the shell ------------------------------------------------------------------

    def exec_cmdloop(self, _args: object, options: Any) -> None:
        """Show the status, then run what the user types until `exit`, EOF or Ctrl-C."""
        from supervisor.supervisorctl.completion import prepare_readline

        prepare_readline(options.history_file)
        self.cmdqueue.append("status")
        try:
            self.cmdloop()
        except KeyboardInterrupt:
            self.output("")

    def complete(  # type: ignore[override]  # typeshed takes it for readline's own list
        self, text: str, state: int, line: str | None = None
    ) -> str | None:
        """Return the `state`-th completion of `text`, or None after the last one."""
        if state == 0:
            from supervisor.supervisorctl.completion import candidates, current_line

            line = current_line() if line is None else line
            self._candidates = candidates(text, line, self._vocabulary(has_keywords=False))
        return self._candidates[state] if state < len(self._candidates) else None

    def completions(self, word: str, before: Sequence[str]) -> dict[str, str]:
        """Return the possible completions of a word after others, with their descriptions."""
        return self._vocabulary(has_keywords=True).completions(word, before)

    def _vocabulary(self, *, has_keywords: bool) -> Vocabulary:
        from supervisor.supervisorctl.completion import Vocabulary
        from supervisor.supervisorctl.flags import flags_of

        return Vocabulary(
            self.vocab,
            lambda command: flags_of(self._owner(command), command).completions(),
            lambda: self.get_supervisor().getAllProcessInfo(),
            has_keywords=has_keywords,
        )


def _is_command(plugin: object, name: str) -> bool:
    return name.startswith("do_") and name != "do_help" and callable(getattr(plugin, name))


def _has_topic(plugin: object, topic: str) -> bool:
    return hasattr(plugin, f"do_{topic}") or hasattr(plugin, f"help_{topic}")


def _where_raised(traceback: TracebackType | None) -> tuple[str, bool]:
    """Return file and line of an exception, and whether it passed through our transport."""
    place, passed_transport = "", False
    while traceback is not None:
        code = traceback.tb_frame.f_code
        place = f"file: {code.co_filename} line: {traceback.tb_lineno}"
        module = traceback.tb_frame.f_globals.get("__name__")
        passed_transport |= module == "supervisor.client.transport"
        traceback = traceback.tb_next
    return place, passed_transport
