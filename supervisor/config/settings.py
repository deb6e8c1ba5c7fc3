"""Configuration of the daemon: the file, overridden by the command line.

`commandline.read_server_configuration` calls `read` at start and at every reread.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Callable, Mapping

from supervisor.config.groups import read_groups
from supervisor.config.includes import read_includes
from supervisor.config.lint import lint, lint_groups
from supervisor.config.log_permissions import check_log_permissions
from supervisor.config.model import Configuration, RPCInterfaceConfig, Settings
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
from supervisor.config.programs import ProcessReader, processes_from_section
from supervisor.config.servers import default_serverurl, read_servers
from supervisor.datatypes import Syslog, absolute_path, gid_for_uid, name_to_uid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO


PATHS = ("logfile", "pidfile")


def read(
    file: str,
    command_line: Mapping[str, Any],
    read_processes: ProcessReader | None = None,
    opener: Callable[[str], TextIO] = open_text,
) -> Configuration:
    """Return the configuration from a file and a command line; raises ConfigurationError."""
    parser = UnhosedConfigParser()
    parser.expansions = {**environment_names(os.environ)}
    read_file(parser, file, opener)
    parser.here = os.path.dirname(os.path.abspath(file))
    read_includes(parser)
    if not parser.has_section(parser.mysection):
        raise ConfigurationError(".ini file does not include supervisord section", file=file)
    try:
        return _read(file, parser, command_line, read_processes or processes_from_section)
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
) -> Configuration:
    section = parser.section(parser.mysection)
    values = read_options(options_of(Settings), section)
    parser.environment = values["environment"]
    parser.childlog_format = values["childlog_format"]
    parser.expansions |= environment_names(parser.environment)
    rpcinterfaces = tuple(
        RPCInterfaceConfig(*factory) for factory in read_factories(parser, "rpcinterface")
    )
    groups = read_groups(parser, read_processes)
    servers = tuple(read_servers(parser))
    # Looked up last, because 4.3.0 reports all other errors first.
    values["uid"] = _uid(section, values.pop("user"), command_line.get("user"))
    check_log_permissions(parser, groups, values["uid"])
    values["logfile_origin"] = _logfile_origin(section, is_overridden="logfile" in command_line)
    return Configuration(
        settings=_settings(file, section, values, command_line),
        servers=servers,
        groups=groups,
        rpcinterfaces=rpcinterfaces,
        serverurl=default_serverurl(servers),
        warnings=(*parser.warnings, *lint(parser), *lint_groups(parser, groups)),
        infos=tuple(parser.infos),
    )


def _uid(section: Section, in_file: str | None, on_command_line: str | None) -> int | None:
    if on_command_line is None:
        return None if in_file is None else section.convert(name_to_uid, in_file, "user")
    try:
        return name_to_uid(on_command_line)
    except ValueError as error:
        raise ConfigurationError(error, option="-u/--user") from None


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
    for option in ("configuration", "user"):  # already used, and not fields of Settings
        values.pop(option, None)
    is_syslog = values["logfile"] == "syslog"
    values["logfile"] = Syslog if is_syslog else absolute("logfile", "-l/--logfile")
    values["pidfile"] = absolute("pidfile", "-j/--pidfile")
    uid = values["uid"]
    return Settings(
        configfile=os.path.abspath(file),
        here=str(section.names["here"]),
        gid=None if uid is None else gid_for_uid(uid),
        **{option: value for option, value in values.items() if value is not None},
    )
