"""Check of the addresses on which the daemon would listen, without opening a socket.

The kernel lists the sockets that listen in /proc/net.  An address in use is a mistake unless the
process that uses it is the daemon of the same configuration: `supervisord --check` mostly runs
beside it.
"""

from __future__ import annotations

import errno
import os
import stat

from supervisor.common.addresses import pack
from supervisor.config.model import FastCGIGroupConfig, InetSocketConfig
from supervisor.config.parser import Remark
from supervisor.config.problems import ERROR
from supervisor.daemon.pidfile import command_line, running_pid
from supervisor.engine.posix import read_stat
from supervisor.engine.socket_holders import holder_of, listeners_of_file, listeners_of_port
from supervisor.http import listening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.common.addresses import TcpAddress
    from supervisor.config.model import Configuration, ServerConfig
    from supervisor.config.problems import Findings


def running_daemon(configuration: Configuration) -> int | None:
    """Return the pid of the daemon that runs this configuration, None if it is not found."""
    return running_pid(configuration.settings.pidfile)


def check_addresses(configuration: Configuration, findings: Findings) -> None:
    """Report the addresses that other programs use."""
    own = running_daemon(configuration)
    file = configuration.settings.configfile or ""
    sections: dict[object, str] = {}
    for server in configuration.servers:
        address = server.file if server.address is None else server.address
        other = sections.setdefault(address, server.section)
        if other == server.section:
            _check_server(server, findings, own, file)
        else:
            text = f"{listening.ADDRESS_IN_USE}  In use: {address}, by section [{other}]"
            option = "file" if server.address is None else "port"
            findings.add(ERROR, Remark(text, server.section, option))
    for group in configuration.groups:
        socket = group.socket_config if isinstance(group, FastCGIGroupConfig) else None
        if isinstance(socket, InetSocketConfig) and _is_taken(
            socket.address, own, file, is_inherited=True
        ):
            error = OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
            text = f"Could not create FastCGI socket {socket.url}: {error}"
            findings.report(ERROR, text, f"fcgi-program:{group.name}", "socket")


def _check_server(server: ServerConfig, findings: Findings, own: int | None, file: str) -> None:
    if server.address is not None:
        if _is_taken(server.address, own, file):
            text = str(listening.in_use(server))
            findings.add(ERROR, Remark(text, server.section, "port"))
    elif server.file is not None:
        if _is_used_by_another(listeners_of_file(server.file), own, file):
            text = str(listening.in_use(server))
            findings.add(ERROR, Remark(text, server.section, "file"))
        elif _is_other_file(server.file):
            text = listening.NOT_A_SOCKET.format(server.file)
            findings.report(ERROR, text, server.section, "file")


def _is_taken(
    address: TcpAddress, own: int | None, file: str, *, is_inherited: bool = False
) -> bool:
    """Whether another program listens at an address; a name would have to be looked up."""
    is_name = address.host not in {"", "localhost"} and pack(address.host) is None
    return not is_name and _is_used_by_another(
        listeners_of_port(address), own, file, is_inherited=is_inherited
    )


def _is_used_by_another(
    sockets: list[str], own: int | None, file: str, *, is_inherited: bool = False
) -> bool:
    """Whether a process other than the daemon of the configuration has one of the sockets.

    Another user's process cannot be seen, so then it is that daemon if there is one.  Nor can one
    that has dropped its privileges, even by its own user (PR_SET_DUMPABLE in prctl(2)).  If the
    sockets are inherited, a program of the daemon is seen then, which has them from it.
    """
    if not sockets:
        return False
    holder = holder_of(sockets)
    if holder is None:
        return own is None
    is_own = _descends_from(holder.pid, own) if is_inherited else holder.pid == own
    return not is_own and not _runs_configuration(holder.pid, file)


def _descends_from(pid: int, ancestor: int | None) -> bool:
    """Whether a process is another one, or was started by it."""
    while pid != ancestor:
        stat = read_stat(pid)
        if stat is None or not stat.parent:
            return False
        pid = stat.parent
    return True


def _runs_configuration(pid: int, file: str) -> bool:
    """Whether a process is a supervisord whose command line names a configuration file.

    So the daemon is found even if the pid file's path is what has changed in the file.
    """
    words = [os.fsdecode(word) for word in command_line(pid).split(b"\0")]
    if not any("supervisord" in word for word in words):
        return False
    try:
        directory = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        directory = "/"
    names = (word.removeprefix("--configuration=").removeprefix("-c") for word in words)
    return any(_are_same(os.path.join(directory, name), file) for name in names if name)


def _are_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def _is_other_file(path: str) -> bool:
    """Whether a path leads to a file that is not a socket, which the daemon does not replace."""
    try:
        return not stat.S_ISSOCK(os.lstat(path).st_mode)
    except OSError:
        return False
