"""The base of what adds commands to supervisorctl (client floor).

A plugin's `do_x(arg)` is the command `x`, its `help_x()` prints the help of `x`.  The
commands of supervisorctl itself are such a plugin, and `[ctlplugin:x]` adds others.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable
    from typing import Any

    from supervisor.supervisorctl.controller import Controller

# What `help` spreads the names of commands over.
HELP_COLUMNS = 80


class ControllerPluginBase:
    """Commands under a heading of their own in `help`; the section gives the name."""

    name = ""

    def __init__(self, controller: Controller) -> None:
        self.ctl = controller

    @property
    def doc_header(self) -> str:
        """The heading of the plugin's commands in `help`."""
        return f"{self.name} commands (type help <topic>):"

    def do_help(self, arg: str) -> None:
        """Print the help of a command, or the names of those that have one."""
        if not arg:
            topics = [topic for topic in self._commands() if self._helper(topic)]
            self.ctl.output("")
            self.ctl.print_topics(self.doc_header, topics, 15, HELP_COLUMNS)
            return
        print_help = self._helper(arg)
        if print_help is None:
            self.ctl.output(f"*** No help on {arg}")
        else:
            print_help()

    def _commands(self) -> list[str]:
        """Return the names of the plugin's commands, sorted; `help` is the controller's."""
        names = (name.removeprefix("do_") for name in dir(self) if name.startswith("do_"))
        return [name for name in names if name != "help"]

    def _helper(self, topic: str) -> Callable[[], Any] | None:
        """Return what prints the help of a command: its `help_` method, or its docstring."""
        method: Callable[[], Any] | None = getattr(self, f"help_{topic}", None)
        if method is not None:
            return method
        text = getattr(getattr(self, f"do_{topic}", None), "__doc__", None)
        return None if text is None else lambda: self.ctl.output(text)

    def _usage(self, error: str, help_topic: str) -> None:
        """Print an error about arguments, and the command's help."""
        self.ctl.output(error)
        print_help = self._helper(help_topic)
        if print_help is not None:
            print_help()
