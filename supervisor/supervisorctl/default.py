"""The built-in commands of supervisorctl, as one plugin.

`ClientOptions` registers it as the first plugin.  Start-up time is mostly import time, so only
the group of the command that runs is imported: further groups do not slow the others down.
"""

from __future__ import annotations

from supervisor.supervisorctl.plugin import ControllerPluginBase
from supervisor.supervisorctl.results import START_RESULTS, result_text

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Mapping
    from typing import Any

    from supervisor.supervisorctl.controller import Controller

# Every group: its module in `commands`, its class, its commands.
GROUPS = (
    ("status", "StatusCommands", ("status", "health", "pid")),
    ("wait", "WaitCommands", ("wait",)),
    ("explain", "ExplainCommands", ("explain",)),
    ("graph", "GraphCommands", ("graph",)),
    ("control", "ControlCommands", ("start", "stop", "restart", "signal")),
    ("logs", "LogCommands", ("tail", "maintail", "clear", "rotate", "reopen")),
    ("follow", "FollowCommands", ("logs",)),
    ("foreground", "ForegroundCommands", ("fg",)),
    ("config", "ConfigCommands", ("reread", "avail", "add", "remove")),
    ("update", "UpdateCommands", ("update", "scale")),
    ("daemon", "DaemonCommands", ("version", "reload", "reexec", "shutdown")),
    ("shell", "ShellCommands", ("open", "exit", "quit")),
    ("complete", "CompleteCommands", ("complete",)),
)


class DefaultControllerPlugin(ControllerPluginBase):
    """All built-in commands; for each, there are `do_x`, `help_x` and `flags_x`."""

    name = "default"

    listener: Any = None
    """Receives the data of `tail -f`; by default one that prints."""

    def __init__(self, controller: Controller) -> None:
        super().__init__(controller)
        self._groups: dict[str, Any] = {}

    def _startresult(self, result: Mapping[str, Any]) -> str:
        # Supvisors replaces this to report a disabled program.
        return result_text(result, START_RESULTS)

    def _group(self, module: str, name: str) -> Any:
        """Return a group of commands, imported on first use."""
        if name not in self._groups:
            # importlib's own functions would have to be imported first
            found = __import__(f"supervisor.supervisorctl.commands.{module}", fromlist=[name])
            self._groups[name] = getattr(found, name)(self.ctl, self)
        return self._groups[name]


def _delegate(module: str, group: str, name: str) -> Callable[..., Any]:
    """Return a method that calls the method of a group with the same name."""

    def method(self: DefaultControllerPlugin, *args: str) -> Any:
        return getattr(self._group(module, group), name)(*args)

    method.__name__ = name
    return method


def _flags(module: str, group: str, name: str) -> property:
    """Return a property with the flags that a group declares; AttributeError means none."""
    return property(lambda self: getattr(self._group(module, group), name))


for _module, _class, _commands in GROUPS:
    for _command in _commands:
        for _name in (f"do_{_command}", f"help_{_command}"):
            setattr(DefaultControllerPlugin, _name, _delegate(_module, _class, _name))
        _name = f"flags_{_command}"
        setattr(DefaultControllerPlugin, _name, _flags(_module, _class, _name))
