"""Warnings about the environment of programs."""

from __future__ import annotations

import os

from supervisor.engine import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from supervisor.config.model import ProcessConfig, ProcessGroupConfig
    from supervisor.config.parser import Remark, UnhosedConfigParser


def overridden_secrets(
    parser: UnhosedConfigParser, programs: Mapping[str, ProcessConfig]
) -> Iterator[Remark]:
    """Yield a line for each variable of `secretfiles` that `environment` sets as well."""
    for section, config in programs.items():
        own = config.environment.keys() - config.inherited_environment.keys()
        for secret in config.secretfiles:
            if secret.variable in own:
                text = (
                    f"{secret.variable} in option 'secretfiles' {{where}} has no effect:"
                    " environment sets it"
                )
                yield parser.remark(section, "secretfiles", text)


def missing_paths(
    parser: UnhosedConfigParser, programs: Mapping[str, ProcessConfig]
) -> Iterator[Remark]:
    """Yield a line for each program with a clean environment that gets no PATH."""
    for section, config in programs.items():
        if not config.clean_environment or config.envfiles or "PATH" in config.environment:
            continue
        from supervisor.common.env_files import passed_variables  # few programs have such options

        if not passed_variables({"PATH": ""}, config.pass_environment):
            option = "clean_environment"
            text = (
                f"option {option!r} {{where}} leaves the program without PATH"
                " (fix: pass_environment=PATH)"
            )
            yield parser.remark(section, option, text)


def envfiles_of_root(
    parser: UnhosedConfigParser, groups: Iterable[ProcessGroupConfig]
) -> Iterator[str]:
    """Yield the env files of programs that run as root: LD_PRELOAD in one is code to run.

    Files on a file system that may hang are left out.
    """
    if os.geteuid() != 0 or parser.has_option(parser.mysection, "user"):
        return
    for group in groups:
        for config in group.process_configs:
            for file in config.envfiles if not config.uid else ():
                if not paths.Route(file.path, paths.mounts.slow_points()).may_wait:
                    yield file.path
