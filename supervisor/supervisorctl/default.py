"""The built-in commands of supervisorctl, as one plugin.

`ClientOptions` registers it as the first plugin.
"""

from __future__ import annotations

from supervisor.supervisorctl.commands.config import ConfigCommands
from supervisor.supervisorctl.commands.control import ControlCommands
from supervisor.supervisorctl.commands.daemon import DaemonCommands
from supervisor.supervisorctl.commands.foreground import ForegroundCommands
from supervisor.supervisorctl.commands.logs import LogCommands
from supervisor.supervisorctl.commands.shell import ShellCommands
from supervisor.supervisorctl.commands.status import StatusCommands
from supervisor.supervisorctl.commands.update import UpdateCommands


class DefaultControllerPlugin(
    StatusCommands,
    ControlCommands,
    LogCommands,
    ForegroundCommands,
    ConfigCommands,
    UpdateCommands,
    DaemonCommands,
    ShellCommands,
):
    """All built-in commands of supervisorctl; the bases are the groups."""

    name = "default"
