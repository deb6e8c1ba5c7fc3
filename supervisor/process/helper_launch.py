"""Starting helpers for a program: as its user, in its environment and its directory."""

from __future__ import annotations

import os
from functools import partial

from supervisor.config.process_config import full_config
from supervisor.engine import paths, posix
from supervisor.process.child_environment import child_environment, files_of
from supervisor.process.launchers import launch
from supervisor.process.plan import SpawnPlan, limits_of
from supervisor.process.probes import ProbeRunner

TYPE_CHECKING = False
if TYPE_CHECKING:
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


def probe_runner(owner: Owner, what: str) -> ProbeRunner:
    """Return a runner of probes for a program; `what` names it in messages of the reaper."""
    runtime = owner.runtime
    spawn = partial(spawn_helper, owner)
    return ProbeRunner(f"{what} of {owner.name}", runtime.loop, spawn, runtime.children.__setitem__)


def spawn_helper(owner: Owner, argv: tuple[str, ...]) -> tuple[int, int]:
    """Start a helper; return its pid and the reading end of its output.

    Raises `OSError` or `ProcessException`.
    """
    environment = child_environment(owner.config, owner.group_name, owner.runtime)
    executable = posix.find_executable(
        argv[0], environment, paths.stat_at_once, owner.config.directory
    )
    reader, writer = os.pipe()
    stdin = -1
    try:
        stdin = os.open(os.devnull, os.O_RDONLY)
        launched = launch(
            SpawnPlan(
                name=owner.name,
                executable=executable,
                argv=argv,
                environment=environment,
                directory=owner.config.directory,
                umask=owner.config.umask,
                uid=owner.config.uid,
                stdin=stdin,
                stdout=writer,
                stderr=writer,
                files=files_of(owner.config),
                limits=limits_of(full_config(owner.config).limits.groups_only),
            )
        )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
        if stdin >= 0:
            os.close(stdin)
    if launched.report is not None:  # a child that cannot exec reports that by its status
        os.close(launched.report)
    return launched.pid, reader
