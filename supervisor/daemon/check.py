"""`supervisord --check`: report all problems of a configuration, start nothing and exit.

It changes nothing: no file is created, written or truncated, and no socket is opened, so it may
run beside the daemon.  `supervisord.main` imports this module only for `--check`.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module

from supervisor.common.records import names
from supervisor.common.resume_format import SNAPSHOT_FORMAT
from supervisor.common.stdio import write_stdout
from supervisor.common.version import VERSION
from supervisor.config.commandline import (
    CAN_RESUME,
    CHECK_OPTIONS,
    SERVER_USAGE,
    ConfigurationError,
    fail,
    find_source,
    parse_arguments,
    server_options,
)
from supervisor.config.dialects import lint_dialects
from supervisor.config.portability import lint_portability
from supervisor.config.problems import ERROR, HINT, WARNING, Findings, Problem
from supervisor.daemon.address_checks import check_addresses, running_daemon
from supervisor.daemon.host_checks import check_host
from supervisor.engine.installation import LATE_MODULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from supervisor.config.model import Configuration
    from supervisor.config.settings import Source

MISTAKES_STATUS = 2
"""Exit status if the daemon would not start with the configuration, or not reload it."""

WARNINGS_STATUS = 1
"""Exit status of `--strict` if there are warnings."""

SEVERITIES = (ERROR, WARNING, HINT)

BROKEN_MODULE = "supervisord {} is not completely installed: importing {} failed: {}"
UNKNOWN_FORMAT = "supervisord {} cannot resume processes in format {}, only up to format {}"


def run(arguments: Sequence[str]) -> None:
    """Check a configuration and exit; return if `--check` is the value of another option."""
    try:
        values, _ = parse_arguments(server_options(), arguments, SERVER_USAGE, only_options=True)
        if "check" not in values:
            return
        source = find_source(values)
    except ConfigurationError as error:
        fail(str(error))
    sys.dont_write_bytecode = True  # of plugins
    given = {name: value for name, value in values.items() if name not in CHECK_OPTIONS}
    configuration, problems = check(
        source, given, is_portable="portable" in values, are_running=CAN_RESUME in values
    )
    if CAN_RESUME in values:
        problems[:0] = [Problem(ERROR, text) for text in _obstacles(values[CAN_RESUME])]
    if "json" in values:
        _print_json(problems)
    else:
        _print_lines(configuration, problems)
    found = {problem.severity for problem in problems}
    if ERROR in found:
        sys.exit(MISTAKES_STATUS)
    sys.exit(WARNINGS_STATUS if WARNING in found and "strict" in values else 0)


def _obstacles(wanted: int) -> Iterator[str]:
    """Yield why this version cannot resume processes in the format of a number."""
    if not 1 <= wanted <= SNAPSHOT_FORMAT:
        yield UNKNOWN_FORMAT.format(VERSION, wanted, SNAPSHOT_FORMAT)
    for name in ("supervisor.daemon.resume", *LATE_MODULES):
        try:
            import_module(name)
        except Exception as error:  # noqa: BLE001 - a broken module raises any exception
            yield BROKEN_MODULE.format(VERSION, name, f"{type(error).__name__}: {error}")


def check(
    source: Source,
    command_line: Mapping[str, Any],
    *,
    is_portable: bool = False,
    are_running: bool = False,
) -> tuple[Configuration | None, list[Problem]]:
    """Return a configuration, None if it cannot be read, and its problems, the worst first.

    The files of programs are not looked at if they `are_running`.
    """
    findings = Findings()
    configuration = findings.read(source, command_line)
    if configuration is not None:
        check_addresses(configuration, findings)
        running = running_daemon(configuration)
        check_host(configuration, findings, running, are_running=are_running)
        for hint in lint_dialects(findings.parser):
            findings.add_remark(hint)
        if is_portable:
            for warning in lint_portability(findings.parser):
                findings.add_remark(warning)
    hinted = {(each.section, each.option) for each in findings.problems if each.severity == HINT}
    problems = [
        each
        for each in findings.problems
        if not (each.text.startswith("unknown option") and (each.section, each.option) in hinted)
    ]
    return configuration, sorted(problems, key=lambda each: SEVERITIES.index(each.severity))


def _print_lines(configuration: Configuration | None, problems: Iterable[Problem]) -> None:
    lines = [str(problem) for problem in problems]
    if configuration is not None and not any(each.severity == ERROR for each in problems):
        lines.insert(0, f"OK: {_summary(configuration)}")
    write_stdout(sys.stdout, "".join(f"{line}\n" for line in lines))


def _summary(configuration: Configuration) -> str:
    processes = sum(len(group.process_configs) for group in configuration.groups)
    groups = len(configuration.groups)
    return (
        f"{processes} process{'' if processes == 1 else 'es'}"
        f" in {groups} group{'' if groups == 1 else 's'}"
    )


def _print_json(problems: Iterable[Problem]) -> None:
    fields = names(Problem)
    rows = [{name: getattr(problem, name) for name in fields} for problem in problems]
    write_stdout(sys.stdout, f"{json.dumps(rows, indent=2)}\n")
