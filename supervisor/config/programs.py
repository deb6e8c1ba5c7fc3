"""One section of programs to the configs of its processes (floor 3).

`numprocs` is expanded here.  Groups, listeners' pools and FastCGI groups, which all read
their processes this way, stand in `config.groups`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from supervisor.config import schema
from supervisor.config.model import ProcessConfig
from supervisor.config.parser import (
    Section,
    UnhosedConfigParser,
    environment_names,
    expand,
    host_node_name,
)
from supervisor.datatypes import Automatic, Syslog, process_or_group_name

# Options of a section that say how many processes there are, not what they are like.
NOT_IN_CONFIGS = frozenset({"numprocs", "numprocs_start", "user"})

DEPRECATED_SYSLOG = (
    "For [{section}], {stream}_logfile=syslog but this is deprecated and will be removed.  "
    "Use {stream}_syslog=true to enable syslog instead."
)
IGNORED_LOGFILE = (
    "For [{section}], redirect_stderr=true but stderr_logfile has also been set to a "
    "filename, the filename has been ignored"
)

# What reads a section: (parser, section, group name, class of the configs).
ProcessReader = Callable[[UnhosedConfigParser, str, str, type[ProcessConfig]], list[ProcessConfig]]


def processes_from_section(
    parser: UnhosedConfigParser, name: str, group_name: str, klass: type[ProcessConfig]
) -> list[ProcessConfig]:
    """Return the processes of a section of programs, sorted by name.

    Raises ValueError, whose text ends with the section and the file.
    """
    section = parser.section(name, group_name=group_name, host_node_name=host_node_name())
    try:
        return sorted(_read_processes(parser, section, klass), key=lambda config: config.name)
    except ValueError as error:
        raise ValueError(f"{error}{section.where()}") from None


def _read_processes(
    parser: UnhosedConfigParser, section: Section, klass: type[ProcessConfig]
) -> Iterator[ProcessConfig]:
    program_name = process_or_group_name(section.suffix)
    section.names = {**section.names, "program_name": program_name}
    program = schema.read_options(schema.PROGRAM, section)
    template = section.options.get("process_name", schema.PROCESS_NAME.default or "")
    process_or_group_name(template)
    _check(program, template)
    numprocs, first = program["numprocs"], program["numprocs_start"]
    for number in range(first, first + numprocs):
        names = {**section.names, "process_num": number, "numprocs": numprocs}
        yield _read_process(parser, section, klass, program, names)


def _check(program: dict[str, Any], process_name: str) -> None:
    """Refuse what does not go together, and let `killasgroup` follow `stopasgroup`."""
    if program["numprocs"] > 1 and "%(process_num)" not in process_name:
        raise ValueError("%(process_num) must be present within process_name when numprocs > 1")
    if program["killasgroup"] is None:
        program["killasgroup"] = program["stopasgroup"]
    if program["stopasgroup"] and not program["killasgroup"]:
        raise ValueError("Cannot set stopasgroup=true and killasgroup=false")


def _read_process(
    parser: UnhosedConfigParser,
    section: Section,
    klass: type[ProcessConfig],
    program: Mapping[str, Any],
    names: dict[str, object],
) -> ProcessConfig:
    own = section.text("environment", names, called="environment")
    environment = {**parser.environment, **schema.ENVIRONMENT.convert(own or "")}
    names.update(environment_names(environment))
    values = schema.read_options(schema.PROCESS, section, names)
    if values["command"] is None:
        raise ValueError(f"program section {section.name} does not specify a command")
    name = expand(
        section.options.get("process_name", schema.PROCESS_NAME.default or ""),
        names,
        "process_name",
    )
    values.update(
        (option, value) for option, value in program.items() if option not in NOT_IN_CONFIGS
    )
    values["exitcodes"] = list(program["exitcodes"])
    _settle_logs(parser.warnings, section, values)
    return klass(name=name, uid=program["user"], environment=environment, **values)


def _settle_logs(warnings: list[str], section: Section, values: dict[str, Any]) -> None:
    """Turn `logfile=syslog` into `syslog=true`, and give redirected stderr no file."""
    for stream in ("stdout", "stderr"):
        if values[f"{stream}_logfile"] is Syslog:
            values[f"{stream}_logfile"] = None
            values[f"{stream}_syslog"] = True
            warnings.append(DEPRECATED_SYSLOG.format(section=section.name, stream=stream))
    if values["redirect_stderr"]:
        if values["stderr_logfile"] not in (None, Automatic):
            warnings.append(IGNORED_LOGFILE.format(section=section.name))
        values["stderr_logfile"] = None
