"""The launch of a helper that runs a command of a program: as its user, in its environment."""

from __future__ import annotations

import os
from functools import partial

from supervisor.config.process_config import full_config
from supervisor.process.child_environment import NOTHING, child_environment, files_of
from supervisor.process.launchers import launch
from supervisor.process.plan import Launched, SpawnPlan, find_at_once, limits_of
from supervisor.process.probes import ProbeRunner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from supervisor.config.model import ProcessConfig
    from supervisor.process.runtime import Runtime

    class Owner(Protocol):
        """A process that a helper works for."""

        config: ProcessConfig
        runtime: Runtime

        @property
        def name(self) -> str:
            """The name without its group."""

        @property
        def group_name(self) -> str:
            """The name of the group."""


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
                limits=limits_of(full_config(config).limits.groups_only),
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


def probe_runner(owner: Owner, what: str) -> ProbeRunner:
    """Return a runner of probes for a program; `what` names it in messages of the reaper."""
    runtime = owner.runtime
    spawn = partial(spawn_helper, owner)
    return ProbeRunner(f"{what} of {owner.name}", runtime.loop, spawn, runtime.children.__setitem__)


def spawn_helper(owner: Owner, argv: tuple[str, ...]) -> tuple[int, int]:
    """Start a helper; return its pid and the reading end of its output.

    Raises `OSError` or `ProcessException`.
    """
    launched, reader = launch_as_program(owner.config, owner.group_name, owner.runtime, argv)
    if launched.report is not None:  # a child that cannot exec reports that by its status
        os.close(launched.report)
    return launched.pid, reader
