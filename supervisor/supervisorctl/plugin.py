"""The base class of plugins that add commands to supervisorctl.

A plugin's `do_x(arg)` runs the command `x`, its `help_x()` prints the help of `x`.  The
built-in commands are such a plugin, and `[ctlplugin:x]` adds others.  A `flags_x` declares the
flags of `x` (see `flags`).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable
    from typing import Any

    from supervisor.supervisorctl.controller import Controller

# Width over which `help` lays out the command names.
HELP_COLUMNS = 80


class ControllerPluginBase:
    """Commands with their own heading in `help`; `name` is that of the section."""

    name = ""

    def __init__(self, controller: Controller) -> None:
        self.ctl = controller

    @property
    def doc_header(self) -> str:
        """The heading of the plugin's commands in `help`."""
        return f"{self.name} commands (type help <topic>):"

    def do_help(self, arg: str) -> None:
        """Print the help of a command, or list the commands that have help."""
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
        """Return the sorted names of the plugin's commands, without the controller's `help`."""
        names = (name.removeprefix("do_") for name in dir(self) if name.startswith("do_"))
        return [name for name in names if name != "help"]

    def _helper(self, topic: str) -> Callable[[], Any] | None:
        """Return a function that prints a command's help, or None.

        The text is that of its `help_` method or docstring, and of its flags.
        """
        method: Callable[[], Any] | None = getattr(self, f"help_{topic}", None)
        text = getattr(getattr(self, f"do_{topic}", None), "__doc__", None)
        if method is None and text is None:
            return None

        def print_help() -> None:
            from supervisor.supervisorctl.flags import flags_of

            if method is not None:
                method()
            else:
                self.ctl.output(text)
            for line in flags_of(self, topic).help_lines():
                self.ctl.output(line)

        return print_help

    def _usage(self, error: str, help_topic: str) -> None:
        """Print an argument error and the command's help."""
        self.ctl.output(error)
        print_help = self._helper(help_topic)
        if print_help is not None:
            print_help()
