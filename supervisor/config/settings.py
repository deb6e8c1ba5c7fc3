"""Configuration of the daemon: the file, overridden by the command line.

`commandline.read_server_configuration` calls `read` at start and at every reread.
"""

from __future__ import annotations

import configparser
import os
import stat
from collections.abc import Iterable, Mapping

from supervisor.common.records import record
from supervisor.common.text import RAW_FORMAT
from supervisor.config.exits import check_exit_code_from, lint_exits
from supervisor.config.file_stamps import stamps_of
from supervisor.config.groups import read_groups
from supervisor.config.includes import read_includes
from supervisor.config.lint import lint, lint_groups
from supervisor.config.log_permissions import check_log_permissions
from supervisor.config.model import (
    Configuration,
    ProcessGroupConfig,
    RPCInterfaceConfig,
    Settings,
)
from supervisor.config.option import options_of, read_options
from supervisor.config.parser import (
    ConfigurationError,
    Section,
    UnhosedConfigParser,
    environment_names,
    open_text,
    read_file,
)
from supervisor.config.plugins import read_factories
from supervisor.config.process_config import full_config
from supervisor.config.programs import FORMATS, ProcessReader, processes_from_section
from supervisor.config.servers import default_serverurl, read_servers
from supervisor.config.state import check_leftovers
from supervisor.config.targets import is_standard_stream
from supervisor.datatypes import Syslog, absolute_path, gid_for_uid, name_to_uid
from supervisor.engine import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, TextIO

PATHS = ("logfile", "pidfile")


@record(frozen=True)
class Source:
    """The file of a configuration; `here` is its directory, None for that of the path.

    If there is a `here`, the name is for messages only.
    """

    name: str
    opener: Callable[[str], TextIO] = open_text
    here: str | None = None


def read(
    source: Source,
    command_line: Mapping[str, Any],
    read_processes: ProcessReader | None = None,
    parser: UnhosedConfigParser | None = None,
) -> Configuration:
    """Return the configuration from a file and a command line; raises ConfigurationError.

    A caller that needs more than the configuration passes the `parser` to use.
    """
    return finish(read_steps(source, command_line, read_processes, parser))


def finish(steps: Generator[None, None, Configuration]) -> Configuration:
    """Read the rest of a configuration without a pause, and return it."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            configuration: Configuration = end.value
            return configuration


def read_steps(
    source: Source,
    command_line: Mapping[str, Any],
    read_processes: ProcessReader | None = None,
    parser: UnhosedConfigParser | None = None,
) -> Generator[None, None, Configuration]:
    """Read a configuration in steps, of which one reads a program; return it as `read` does.

    So a daemon can serve others while it reads a thousand programs, which takes 80 ms.
    """
    parser = parser or UnhosedConfigParser()
    parser.expansions = {**environment_names(os.environ)}
    file, here = source.name, source.here
    read_file(parser, file, source.opener)
    path = file if here is not None else os.path.abspath(file)
    parser.here = os.path.dirname(path) if here is None else here
    with parser.mistakes:
        read_includes(parser)
    if not parser.has_section(parser.mysection):
        problem = ".ini file does not include supervisord section"
        parser.mistakes.report(ConfigurationError(problem, file=file))
        parser.add_section(parser.mysection)
    if line_format := command_line.get("container"):
        from supervisor.config.container import ContainerDefaults  # most daemons run elsewhere

        ContainerDefaults(line_format).set_in(parser)
    try:
        read_processes = read_processes or processes_from_section
        return (yield from _read(path, parser, command_line, read_processes))
    except ConfigurationError:
        raise
    except (configparser.Error, ValueError) as error:
        # Only a plugin's `read_processes` raises errors without their place.
        raise ConfigurationError(error, file=file) from None


def _read(
    file: str,
    parser: UnhosedConfigParser,
    command_line: Mapping[str, Any],
    read_processes: ProcessReader,
) -> Generator[None, None, Configuration]:
    yield
    section = parser.section(parser.mysection)
    values = read_options(options_of(Settings), section)
    with parser.mistakes:
        check_leftovers(section, values)
    parser.environment = values["environment"]
    if values["childlog_format"] != RAW_FORMAT:
        parser.program_defaults |= dict.fromkeys(FORMATS, values["childlog_format"])
    parser.expansions |= environment_names(parser.environment)
    rpcinterfaces = tuple(
        RPCInterfaceConfig(*factory) for factory in read_factories(parser, "rpcinterface")
    )
    groups = yield from read_groups(parser, read_processes)
    with parser.mistakes:
        check_exit_code_from(section, values["exit_code_from"], groups)
    servers = tuple(read_servers(parser))
    # Looked up last, because 4.3.0 reports all other errors first.
    user, values["uid"] = values.pop("user"), None
    with parser.mistakes:
        values["uid"] = _uid(section, user, command_line.get("user"))
    _look_up_login(groups, values["uid"])
    check_log_permissions(parser, groups, values["uid"])
    values["logfile_origin"] = _logfile_origin(section, is_overridden="logfile" in command_line)
    settings = _settings(file, section, values, command_line)
    yield
    warnings = [*parser.warnings, *lint(parser)]
    yield
    warnings += lint_groups(parser, groups)
    warnings += lint_exits(parser, settings, groups)
    return Configuration(
        settings=settings,
        servers=servers,
        groups=groups,
        rpcinterfaces=rpcinterfaces,
        serverurl=default_serverurl(servers),
        warnings=tuple(warnings),
        infos=tuple(parser.infos),
        file_stamps=stamps_of(
            [
                *(path for path, _, mode in parser.sources if stat.S_ISREG(mode)),
                *parser.include_directories,
            ]
        ),
    )


def _uid(section: Section, in_file: str | None, on_command_line: str | None) -> int | None:
    if on_command_line is None:
        return None if in_file is None else section.convert(name_to_uid, in_file, "user")
    try:
        return name_to_uid(on_command_line)
    except ValueError as error:
        raise ConfigurationError(error, option="-u/--user") from None


def _look_up_login(groups: Iterable[ProcessGroupConfig], uid: int | None) -> None:
    """Look up the daemon's user now and cache it, for `login_environment` of its programs."""
    if any(
        full_config(each).login_environment and each.uid is None
        for group in groups
        for each in group.process_configs
    ):
        posix.look_up_identity(os.getuid() if uid is None else uid)


def _logfile_origin(section: Section, *, is_overridden: bool) -> str:
    if is_overridden:
        return str(ConfigurationError("", option="-l/--logfile"))
    return str(section.error("", "logfile"))


def _settings(
    file: str, section: Section, in_file: Mapping[str, Any], command_line: Mapping[str, Any]
) -> Settings:
    def absolute(option: str, flag: str) -> str:
        try:
            return absolute_path(values[option])
        except ValueError as error:
            if option in given:
                raise ConfigurationError(error, option=flag) from None
            raise section.error(error, option) from None

    # As in 4.3.0, an empty path on the command line counts as not given.
    given = {
        option: value for option, value in command_line.items() if value or option not in PATHS
    }
    values = {**in_file, **given}
    for option in (
        "configuration",
        "container",
        "user",
    ):  # already used, and not fields of Settings
        values.pop(option, None)
    is_syslog = values["logfile"] == "syslog"
    values["logfile"] = Syslog if is_syslog else absolute("logfile", "-l/--logfile")
    values["pidfile"] = absolute("pidfile", "-j/--pidfile")
    if command_line.get("container"):
        # Else each line is written twice: in the foreground, there is a log on stdout as well.
        values["silent"] |= is_standard_stream(values["logfile"])
    uid = values["uid"]
    return Settings(
        configfile=file,
        here=str(section.names["here"]),
        gid=None if uid is None else gid_for_uid(uid),
        **{option: value for option, value in values.items() if value is not None},
    )
