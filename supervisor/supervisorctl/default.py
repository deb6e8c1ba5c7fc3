"""The commands of supervisorctl itself, in one plugin (client floor).

`ClientOptions` names it as the first plugin.
"""

from __future__ import annotations

from supervisor.supervisorctl.config_commands import ConfigCommands
from supervisor.supervisorctl.log_commands import LogCommands
from supervisor.supervisorctl.process_commands import ProcessCommands


class DefaultControllerPlugin(ProcessCommands, LogCommands, ConfigCommands):
    """Every command that supervisorctl has without plugins."""

    name = "default"
