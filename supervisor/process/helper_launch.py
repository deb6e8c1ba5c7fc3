"""The launch of a helper that runs a command of a program: as its user, in its environment."""

from __future__ import annotations

import os

from supervisor.process.child_environment import NOTHING, child_environment, files_of
from supervisor.process.launchers import launch
from supervisor.process.plan import Launched, SpawnPlan, find_at_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from supervisor.config.model import ProcessConfig
    from supervisor.process.runtime import Runtime


def launch_as_program(
    config: ProcessConfig,
    group_name: str,
    runtime: Runtime,
    argv: tuple[str, ...],
    variables: Mapping[str, str] = NOTHING,
) -> tuple[Launched, int]:
    """Start a command with the user, environment and directory of a program.

    `variables` override its environment.  Returns the child, which is the leader of a process
    group, and the reading end of a pipe with its output.  Raises `OSError` or `ProcessException`.
    """
    environment = child_environment(config, group_name, runtime)
    environment.update(variables)
    executable = find_at_once(argv[0], environment, config.directory)
    reader, writer = os.pipe()
    stdin = -1
    try:
        stdin = os.open(os.devnull, os.O_RDONLY)
        launched = launch(
            SpawnPlan(
                name=config.name,
                executable=executable,
                argv=argv,
                environment=environment,
                directory=config.directory,
                umask=config.umask,
                uid=config.uid,
                stdin=stdin,
                stdout=writer,
                stderr=writer,
                files=files_of(config, variables),
            )
        )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
        if stdin >= 0:
            os.close(stdin)
    return launched, reader
