"""Configuration of the client: `[supervisorctl]`, overridden by the command line.

`commandline.read_client_configuration` calls `read`.  The classes are plain because importing
`dataclasses` costs a client as much as everything else that it does.
"""

from __future__ import annotations

import os

from supervisor.config.parser import (
    ConfigurationError,
    Section,
    UnhosedConfigParser,
    environment_names,
    read_file,
)
from supervisor.config.plugins import read_factories
from supervisor.datatypes import absolute_path

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

# Options of [supervisorctl]: name, default and help, in the order in which they are read.  Plain
# tuples, because a client needs no more of `config.option`.
OPTIONS = (
    ("serverurl", "http://localhost:9001", "address of a server"),
    ("prompt", "supervisor", "prompt of the interactive shell"),
    ("username", None, "user name that the server requires"),
    ("password", None, "password that the server requires"),
    ("history_file", None, "history file of the interactive shell"),
)
SUPERVISORCTL = {name: default for name, default, _ in OPTIONS}
# Options of the daemon that name the owner of its socket.
SOCKET_OWNERS = (("supervisord", "user"), ("unix_http_server", "chown"))
# Options that may use `%(here)s`.
PATHS = ("serverurl", "history_file")


class ClientConfiguration:
    """Configuration of one run of the client.

    `plugin_factories` holds (name, factory, options); each factory is called as
    factory(controller, **options).  `interactive` is true if a shell is requested.
    `socket_owners` holds the users of the daemon and its socket, as spelled in the file.
    """

    def __init__(
        self,
        file: str | None,
        settings: Mapping[str, Any],
        arguments: Sequence[str],
        plugin_factories: Sequence[tuple[str, Callable[..., Any], dict[str, str]]],
        socket_owners: Sequence[str] = (),
    ) -> None:
        self.configfile = file
        self.serverurl: str = settings["serverurl"]
        self.prompt: str = settings["prompt"]
        self.username: str | None = settings["username"]
        self.password: str | None = settings["password"]
        self.history_file: str | None = settings["history_file"]
        self.interactive = not arguments or bool(settings.get("interactive"))
        self.args = list(arguments)
        self.plugin_factories = list(plugin_factories)
        self.socket_owners = tuple(socket_owners)


def read(
    file: str | None, command_line: Mapping[str, Any], arguments: Sequence[str]
) -> ClientConfiguration:
    """Return the configuration of the client; without a file, all defaults apply.

    Raises ConfigurationError with one line for the user.
    """
    if file is None:
        return ClientConfiguration(None, {**SUPERVISORCTL, **command_line}, arguments, [])
    parser = UnhosedConfigParser()
    parser.mysection = "supervisorctl"
    parser.expansions = {**environment_names(os.environ)}
    parser.here = os.path.dirname(os.path.abspath(file))
    read_file(parser, file)
    if not parser.has_section(parser.mysection):
        raise ConfigurationError(".ini file does not include supervisorctl section", file=file)
    settings = {**_read_section(parser), **command_line}
    factories = list(read_factories(parser, "ctlplugin"))
    owners = [_raw(parser, *option) for option in SOCKET_OWNERS]
    return ClientConfiguration(file, settings, arguments, factories, list(filter(None, owners)))


def _raw(parser: UnhosedConfigParser, section: str, option: str) -> str:
    """Return an option of the daemon, or "" on an error: reporting it is up to the daemon."""
    if not parser.has_option(section, option):
        return ""
    try:
        return str(parser.section(section).value(option))
    except ConfigurationError:
        return ""


def _read_section(parser: UnhosedConfigParser) -> dict[str, str | None]:
    section = parser.section(parser.mysection)
    settings = dict(SUPERVISORCTL)
    for option in SUPERVISORCTL:
        if option in section.options:
            names = None if option in PATHS else parser.expansions
            settings[option] = section.value(option, str, names)
    url, history = settings["serverurl"] or "", settings["history_file"]
    if url.startswith("unix://"):
        path = _absolute(section, "serverurl", url.removeprefix("unix://"))
        settings["serverurl"] = f"unix://{path}"
    if history is not None:
        settings["history_file"] = _absolute(section, "history_file", history) if history else None
    return settings


def _absolute(section: Section, option: str, path: str) -> str:
    return section.convert(absolute_path, os.path.expanduser(path), option)
