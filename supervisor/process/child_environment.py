"""The environment of a child.

Later sources override earlier ones:

1. the daemon's own environment, or with `clean_environment` the part that `pass_environment` names
2. the variables SUPERVISOR_*
3. `[supervisord] environment`
4. `login_environment`
5. `envfiles`, in their order
6. `secretfiles`
7. `environment` of the program
8. the channels of its readiness (NOTIFY_SOCKET), and its watchdog

The daemon never reads the files: a forked child does, see `variable_files`.
"""

from __future__ import annotations

import os

from supervisor.config.conversions import TREE
from supervisor.config.process_config import full_config
from supervisor.engine import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from supervisor.config.model import ProcessConfig
    from supervisor.process.runtime import Runtime
    from supervisor.process.variable_files import VariableFiles

NOTHING: Mapping[str, str] = {}


def child_environment(config: ProcessConfig, group_name: str, runtime: Runtime) -> dict[str, str]:
    """Return the child's environment, without the variables from files and the channels."""
    options = full_config(config)
    environment = dict(os.environ)
    if options.clean_environment:
        from supervisor.common.env_files import passed_variables  # few programs need it

        environment = passed_variables(environment, options.pass_environment)
    environment["SUPERVISOR_ENABLED"] = "1"
    serverurl = config.serverurl or runtime.serverurl
    if serverurl:
        environment["SUPERVISOR_SERVER_URL"] = serverurl
    environment["SUPERVISOR_PROCESS_NAME"] = config.name
    environment["SUPERVISOR_GROUP_NAME"] = group_name
    if options.killmode == TREE:
        environment.update(runtime.services.trees.mark(group_name, config.name))
    environment.update(config.environment)
    if options.login_environment:
        environment.update(posix.identity_of(_uid(config)).login)
        environment.update(_own_variables(config))
    return environment


def files_of(config: ProcessConfig, channels: Mapping[str, str] = NOTHING) -> VariableFiles | None:
    """Return the files that complete a child's environment, None if there are none.

    `channels` are the variables that no file overrides.
    """
    options = full_config(config)
    if not (options.envfiles or options.secretfiles):
        return None
    from supervisor.process.variable_files import VariableFiles  # few programs have files

    return VariableFiles(
        options.envfiles, options.secretfiles, {**_own_variables(config), **channels}
    )


def _uid(config: ProcessConfig) -> int:
    return os.getuid() if config.uid is None else config.uid


def _own_variables(config: ProcessConfig) -> dict[str, str]:
    """Return the variables of the program; a plugin may have replaced `environment`."""
    inherited = full_config(config).inherited_environment
    return {
        name: value for name, value in config.environment.items() if inherited.get(name) != value
    }
