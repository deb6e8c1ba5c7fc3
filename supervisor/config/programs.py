"""Process configs from a program section.

This module expands `numprocs`.  `config.groups` reads the groups, listener pools and FastCGI
groups, which all get their processes from here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping

from supervisor.common.records import replace
from supervisor.config.conversions import TREE
from supervisor.config.model import ProcessConfig
from supervisor.config.option import OptionRows, OptionValues, options_of, read_options
from supervisor.config.parser import (
    Remark,
    Section,
    UnhosedConfigParser,
    environment_names,
    host_expansion,
)
from supervisor.config.targets import further_targets
from supervisor.datatypes import Automatic, Syslog, process_or_group_name
from supervisor.engine import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    Config = TypeVar("Config", bound=ProcessConfig)

OPTIONS = {option.attribute: option for option in options_of(ProcessConfig)}
NAME, COMMAND, ENVIRONMENT = (OPTIONS[each] for each in ("name", "command", "environment"))

PROGRAM = OptionRows(option for option in OPTIONS.values() if not option.per_process)
"""Read once for each program, independent of its `numprocs`."""

PROCESS = OptionRows(
    option
    for option in OPTIONS.values()
    if option.per_process and option not in (NAME, COMMAND, ENVIRONMENT)
)
"""Read for each process of a program."""

COUNTING = ("numprocs", "numprocs_start")
"""Options that define the number of processes, so configs do not hold them."""

PROCESS_OPTIONS = {name: option for name, option in OPTIONS.items() if name not in COUNTING}

NUMBER = "%(process_num)"
"""Field of `process_name` that distinguishes the processes of a program."""

FORMATS = ("stdout_logfile_format", "stderr_logfile_format")
"""Options whose default is `[supervisord] childlog_format`."""

READINESS = ("notify", "notification_fd", "ready_log_line")
"""Kinds of readiness, of which a program has at most one."""

DEPRECATED_SYSLOG = (
    "For [{section}], {stream}_logfile=syslog but this is deprecated and will be removed.  "
    "Use {stream}_syslog=true to enable syslog instead."
)
UNLIMITED_AUTO_LOG = (
    "For [{section}], AUTO logging used for {stream}_logfile without rollover, set maxbytes > 0 "
    "to avoid filling up filesystem unintentionally"
)
IGNORED_LOGFILE = (
    "For [{section}], redirect_stderr=true but stderr_logfile has also been set to a "
    "filename, the filename has been ignored"
)

# Reader of a section, with (parser, section, group name, class of the configs).
ProcessReader = Callable[[UnhosedConfigParser, str, str, type[ProcessConfig]], list[ProcessConfig]]


def processes_from_section(
    parser: UnhosedConfigParser, name: str, group_name: str, make: Callable[..., Config]
) -> list[Config]:
    """Return the processes of a program section, sorted by name.

    `make` is called for each process, with the options that differ from their defaults as keyword
    arguments, those of a stream under their flat names.  Raises ConfigurationError.
    """
    section = parser.section(name, group_name=group_name, **host_expansion())
    return sorted(_read_processes(parser, section, make), key=lambda config: config.name)


def _read_processes(
    parser: UnhosedConfigParser, section: Section, make: Callable[..., Config]
) -> Iterator[Config]:
    section.names = {**section.names, "program_name": section.name_of_group()}
    mistakes = parser.mistakes
    program = OptionValues(OPTIONS, read_options(PROGRAM.set_in(section), section))
    template = section.options.setdefault(NAME.name, NAME.value)
    with mistakes:
        section.convert(process_or_group_name, template, NAME.name)
    with mistakes:
        _check(section, program)
    _look_up_groups(parser, program["uid"], program["gid"])
    numprocs, first = (program[option] for option in COUNTING)
    for option in COUNTING:
        program.pop(option, None)
    if parser.scales is not None:
        is_numbered = NUMBER in section.options["process_name"]
        numprocs = parser.scales.count(section.name, numprocs, is_numbered=is_numbered)
    for number in range(first, first + numprocs):
        names = {**section.names, "process_num": number, "numprocs": numprocs}
        values = OptionValues(PROCESS_OPTIONS, program)
        config = _read_process(parser, section, make, values, names)
        config.process_num = number
        yield config


def _check(section: Section, program: OptionValues) -> None:
    """Reject conflicting options; by default, `killasgroup` follows `stopasgroup`."""
    if program["numprocs"] > 1 and NUMBER not in section.options["process_name"]:
        raise section.error(
            "%(process_num) must be present within process_name when numprocs > 1", "process_name"
        )
    _apply_killmode(section, program)
    if "killasgroup" not in section.options and not program["killmode"]:
        program["killasgroup"] = program["stopasgroup"]
    kinds = [each for each in READINESS if program[each]]
    if len(kinds) > 1:
        raise section.error(f"{' and '.join(kinds)} are two kinds of readiness, use one", kinds[1])
    if program["stopasgroup"] and not program["killasgroup"]:
        raise section.error("Cannot set stopasgroup=true and killasgroup=false", "killasgroup")


def _apply_killmode(section: Section, program: OptionValues) -> None:
    """Set `stopasgroup` and `killasgroup` by `killmode`, unless they contradict it."""
    mode = program["killmode"]
    if not mode:
        return
    for option in ("stopasgroup", "killasgroup"):
        if option in section.options and program[option] != (mode != "process"):
            text = f"killmode={mode} and {option}={section.options[option]} contradict each other"
            raise section.error(text, option)
        program[option] = mode != "process"
    if mode == TREE and not os.path.exists("/proc/self/stat"):
        raise section.error(
            "killmode=tree needs /proc, which this system does not have", "killmode"
        )


def _look_up_groups(parser: UnhosedConfigParser, uid: int | None, group: int | None) -> None:
    """Look up a user's groups now and cache them for the starts of its programs."""
    if uid is None:
        return
    keys = {(uid,)} if group is None else {(uid,), (uid, group)}
    for each in keys - parser.users:
        parser.users.add(each)
        posix.look_up_identity(*each)


def _read_process(
    parser: UnhosedConfigParser,
    section: Section,
    make: Callable[..., Config],
    values: OptionValues,
    names: dict[str, object],
) -> Config:
    """Return a process from the values of its program; adds its own."""
    for attribute, value in values.items():
        if isinstance(value, list | dict):  # plugins change the list of one process
            values[attribute] = value.copy()
    own = ENVIRONMENT.read(section, names, "environment")
    environment = {**parser.environment, **own}
    names.update(environment_names(environment))
    values.update(read_options(PROCESS.set_in(section), section, names))
    defaults = parser.program_defaults.items()
    values |= {option: value for option, value in defaults if option not in section.options}
    command = COMMAND.read(section, names)
    if command is None:
        problem = f"program section {section.name} does not specify a command"
        parser.mistakes.report(section.error(problem, "command"))
        command = ""
    name = NAME.read(section, names, NAME.name)
    values["command_hint"] = _command_hint(section, command)
    _normalize_logfiles(parser, section, values)
    if values["envfiles"] or values["secretfiles"] or values["login_environment"]:
        values["inherited_environment"] = {
            variable: text for variable, text in parser.environment.items() if variable not in own
        }
    config = make(name=name, command=command, environment=environment, **values)
    for stream in ("stdout", "stderr"):
        _add_further_targets(section, config, stream, names)
    if parser.adjust_process is not None:
        parser.adjust_process(section, config)
    config.section = section.name
    config.place = parser.place_of(section.name)
    return config


def _add_further_targets(
    section: Section, config: ProcessConfig, stream: str, names: Mapping[str, object]
) -> None:
    """Add the targets that follow the log in the same option."""
    option = f"{stream}_logfile"
    is_merged = stream == "stderr" and config.redirect_stderr
    if "," in str(section.options.get(option)) and not is_merged:
        further = section.value(option, further_targets, names)
        setattr(config, stream, replace(getattr(config, stream), further_targets=further))


def _command_hint(section: Section, command: str) -> str:
    """Return a hint for a command with an unbalanced quote, which its start reports."""
    if command.count("'") % 2 == 0 and command.count('"') % 2 == 0:
        return ""
    try:
        posix.split_command(command)
    except posix.BadCommand:
        return section.comment_hint("command")
    return ""


def _normalize_logfiles(
    parser: UnhosedConfigParser, section: Section, values: OptionValues
) -> None:
    """Convert `logfile=syslog` to `syslog=true`, and drop the log file of redirected stderr."""

    def warn(text: str, stream: str) -> None:
        option = f"{stream}_logfile"
        line = text.format(section=section.name, stream=stream)
        file = parser.file_of(section.name, option)
        parser.warnings.append(Remark(line, section.name, option, file))

    for stream in ("stdout", "stderr"):
        logfile = values[f"{stream}_logfile"]
        if logfile is Syslog:
            values[f"{stream}_logfile"] = None
            values[f"{stream}_syslog"] = True
            warn(DEPRECATED_SYSLOG, stream)
        elif logfile is Automatic and not values[f"{stream}_logfile_maxbytes"]:
            warn(UNLIMITED_AUTO_LOG, stream)
    if values["redirect_stderr"]:
        if values["stderr_logfile"] not in (None, Automatic):
            warn(IGNORED_LOGFILE, "stderr")
        values["stderr_logfile"] = None
