"""The built-in commands of supervisorctl, as one plugin.

`ClientOptions` registers it as the first plugin.
"""

from __future__ import annotations

from supervisor.supervisorctl.config_commands import ConfigCommands
from supervisor.supervisorctl.log_commands import LogCommands
from supervisor.supervisorctl.process_commands import ProcessCommands


class DefaultControllerPlugin(ProcessCommands, LogCommands, ConfigCommands):
    """All built-in commands of supervisorctl."""

    name = "default"
