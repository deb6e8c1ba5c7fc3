"""The daemon's configuration: its file, with the command line laid over it (floor 3).

`commandline.read_server_configuration` calls it, at start and at every reread.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from typing import Any

from supervisor.config import schema
from supervisor.config.commandline import ConfigurationError, read_file
from supervisor.config.groups import read_groups
from supervisor.config.includes import Included, read_includes
from supervisor.config.model import Configuration, RPCInterfaceConfig, Settings
from supervisor.config.parser import UnhosedConfigParser, environment_names
from supervisor.config.plugins import read_factories
from supervisor.config.programs import ProcessReader, Reading
from supervisor.config.servers import default_serverurl, read_servers
from supervisor.datatypes import Syslog, gid_for_uid, name_to_uid


def read(
    file: str, command_line: Mapping[str, Any], read_processes: ProcessReader | None = None
) -> Configuration:
    """Return everything that a file and a command line say; ConfigurationError for a mistake."""
    parser = UnhosedConfigParser()
    parser.expansions = {**environment_names(os.environ)}
    read_file(parser, file)
    here = os.path.dirname(os.path.abspath(file))
    try:
        included = read_includes(parser, here)
        if not parser.has_section(parser.mysection):
            raise ConfigurationError(".ini file does not include supervisord section")
        reading = Reading(parser, here, read_processes=read_processes)
        return _read(file, reading, included, command_line)
    except (configparser.Error, ValueError) as error:
        raise ConfigurationError(str(error)) from None


def _read(
    file: str, reading: Reading, included: Included, command_line: Mapping[str, Any]
) -> Configuration:
    values = schema.read_options(schema.SUPERVISORD, reading.section(reading.parser.mysection))
    reading.environment = values["environment"]
    reading.parser.expansions |= environment_names(reading.environment)
    rpcinterfaces = [
        RPCInterfaceConfig(*factory) for factory in read_factories(reading.parser, "rpcinterface")
    ]
    groups = read_groups(reading)
    servers = tuple(read_servers(reading))
    return Configuration(
        settings=_settings(file, reading.here, {**values, **command_line}),
        servers=servers,
        groups=groups,
        rpcinterfaces=tuple(rpcinterfaces),
        serverurl=default_serverurl(servers),
        warnings=(*included.warnings, *reading.warnings),
        infos=tuple(included.infos),
    )


def _settings(file: str, here: str, values: dict[str, Any]) -> Settings:
    values.pop("configuration", None)
    user = values.pop("user")
    uid = None if user is None else name_to_uid(user)
    logfile = values.pop("logfile")
    return Settings(
        configfile=os.path.abspath(file),
        here=here,
        uid=uid,
        gid=None if uid is None else gid_for_uid(uid),
        logfile=Syslog if logfile == "syslog" else os.path.abspath(logfile),
        pidfile=os.path.abspath(values.pop("pidfile")),
        **{option: value for option, value in values.items() if value is not None},
    )
