"""Configured sockets: HTTP servers and FastCGI sockets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from supervisor.common.addresses import TcpAddress
from supervisor.config import schema
from supervisor.config.model import (
    INET_HTTP_SERVER,
    UNIX_HTTP_SERVER,
    InetSocketConfig,
    ServerConfig,
    SocketConfig,
    UnixSocketConfig,
)
from supervisor.config.option import read_options
from supervisor.datatypes import absolute_path, gid_for_uid, port_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from supervisor.config.parser import Section, UnhosedConfigParser

TCP = r"tcp://([^\s:]+):(\d+)$"

MAX_BACKLOG = 65535
"""Largest `socket_backlog`, in connections."""


def read_servers(parser: UnhosedConfigParser) -> list[ServerConfig]:
    """Return the HTTP servers, TCP before unix, each kind in file order."""
    servers = []
    for kind, make in ((INET_HTTP_SERVER, _inet_server), (UNIX_HTTP_SERVER, _unix_server)):
        for name in parser.sections():
            if name.startswith(kind):
                with parser.mistakes:
                    servers.append(make(parser, name))
    return servers


def default_serverurl(servers: Iterable[ServerConfig]) -> str | None:
    """Return the default SUPERVISOR_SERVER_URL: the first unix server, else the last TCP one."""
    url = None
    for server in servers:
        if server.address is None:
            return f"unix://{server.file}"
        url = server.address.url
    return url


def _inet_server(parser: UnhosedConfigParser, name: str) -> ServerConfig:
    section = parser.section_without_here(name)
    authentication = _authentication(section)
    values = read_options(schema.INET_SERVER, section)
    if values["address"] is None:
        raise section.error(f"section [{name}] has no port value", "port")
    return ServerConfig(name, **values, **authentication)


def _unix_server(parser: UnhosedConfigParser, name: str) -> ServerConfig:
    file = schema.FILE.read(parser.section(name))
    section = parser.section_without_here(name)
    if file is None:
        raise section.error(f"section [{name}] has no file value", "file")
    return ServerConfig(
        name,
        file=section.convert(absolute_path, os.path.expanduser(file), "file"),
        **_authentication(section),
        **read_options(schema.UNIX_SERVER, section),
    )


def _authentication(section: Section) -> dict[str, Any]:
    values = read_options(schema.HTTP_AUTHENTICATION, section)
    missing = [option for option, value in values.items() if value is None]
    if len(missing) == 1:
        raise section.error(
            f"Section [{section.name}] contains incomplete authentication: If a username or "
            "a password is specified, both the username and password must be specified",
            missing[0],
        )
    for option, value in values.items():
        if value == "":
            raise section.error(f"Section [{section.name}] has an empty {option}", option)
    return values


def read_fcgi_socket(section: Section) -> SocketConfig:
    """Return the socket of a `[fcgi-program:x]` section; its default owner is `user`."""
    values = read_options(schema.FCGI_PROGRAM, section)
    backlog = values["backlog"]
    if backlog is not None and not 1 <= backlog <= MAX_BACKLOG:
        raise section.error(f"Invalid socket_backlog value {backlog}", "socket_backlog")
    names = {**section.names, "program_name": section.suffix}
    address = schema.FCGI_SOCKET.read(section, names)
    if not address:
        raise section.error(f'[{section.name}] section requires a "socket" line', "socket")
    try:
        if address.startswith("unix://"):
            return _unix_socket(address.removeprefix("unix://"), values)
        return _inet_socket(address, section, backlog)
    except ValueError as error:
        raise section.error(f"{error} in [{section.name}] socket", "socket") from None


def _unix_socket(path: str, values: Mapping[str, Any]) -> UnixSocketConfig:
    path = os.path.expanduser(path)
    if not path.startswith("/"):
        # A tuple, because 4.3.0 prints one.
        raise ValueError(("Unix socket path %s is not an absolute path", path))
    owner, user = values["owner"], values["user"]
    if owner is None and user:  # uid 0: root owns it anyway
        owner = (user, gid_for_uid(user))
    return UnixSocketConfig(os.path.normpath(path), owner, values["mode"], values["backlog"])


def _inet_socket(address: str, section: Section, backlog: int | None) -> InetSocketConfig:
    if section.options.keys() & {"socket_owner", "socket_mode"}:
        raise ValueError(
            "socket_owner and socket_mode params should only be used with a Unix domain socket"
        )
    found = re.match(TCP, address)
    if not found:
        # A tuple, because 4.3.0 prints one.
        raise ValueError(("Bad socket format %s", address))
    host, port = found.groups()
    return InetSocketConfig(TcpAddress(host.lower(), port_number(port)), backlog)
