"""The process that holds the address of a socket, as far as /proc shows it.

`http.listening` looks it up when an address is in use, before the daemon exits, and
`daemon.address_checks` to find addresses in use without opening a socket.  /proc/net lists
sockets with their inodes, and /proc/PID/fd has a link to the inode for each descriptor (proc(5)).
Only root can read the descriptors of other users' processes, so there may be no result.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from supervisor.common.addresses import pack
from supervisor.common.records import record
from supervisor.common.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from supervisor.common.addresses import TcpAddress

MAX_SOCKETS = 100_000
"""Upper bound of the lines read from one file of /proc/net."""

MAX_FDS = 200_000
"""Upper bound of the descriptors that are checked (0.2 s)."""

MAX_NAME_CHARS = 15
"""Length to which the kernel truncates a process's name (proc_pid_comm(5))."""

TCP_LISTEN = "0A"

UNIX_LISTEN = 1 << 16
"""Flag of a unix socket that listens (SO_ACCEPTCON of the kernel)."""

WORD_BYTES = 4
"""Size of the words in which the kernel prints an address, in the machine's byte order."""

MAPPED_PREFIX = bytes(10) + b"\xff\xff"
"""First bytes of an IPv4 address in IPv6 form (RFC 4291, 2.5.5.2)."""


LOCALHOST = "127.0.0.1"


@record(frozen=True)
class Holder:
    """A process that has a socket open: `pid 12 (nginx)`."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.name})"


def holder_of_port(address: TcpAddress) -> Holder | None:
    """Return the process that listens where `address` cannot be bound.

    If the port is connected, but not listened on, this is the process that has the connection.
    """
    listening, connected = _sockets_of_port(address)
    return holder_of(listening) or holder_of(connected)


def listeners_of_port(address: TcpAddress) -> list[str]:
    """Return the inodes of the sockets that listen where `address` cannot be bound."""
    return _sockets_of_port(address)[0]


def _sockets_of_port(address: TcpAddress) -> tuple[list[str], list[str]]:
    """Return the inodes of the sockets that listen, and of those that are connected."""
    host = LOCALHOST if address.host == "localhost" else address.host or "0.0.0.0"
    wanted = pack(host)
    listening: list[str] = []
    connected: list[str] = []
    for file in ("/proc/net/tcp", "/proc/net/tcp6"):
        for fields in _rows(file):
            host, _, port = fields[1].partition(":")
            if int(port, 16) == address.port and _overlap(_packed(host), wanted):
                (listening if fields[3] == TCP_LISTEN else connected).append(fields[9])
    return listening, connected


def holder_of_file(path: str) -> Holder | None:
    """Return the process whose unix socket has a path, like `holder_of_port`."""
    return holder_of(_sockets_of_file(path))


def listeners_of_file(path: str) -> list[str]:
    """Return the inodes of the unix sockets that listen at a path."""
    return list(_sockets_of_file(path, UNIX_LISTEN))


def _sockets_of_file(path: str, flags: int = 0) -> Iterator[str]:
    """Yield the inodes of the unix sockets that have a path and some flags.

    The kernel lists a socket under the name to which it was bound, and supervisord binds
    `PATH.PID` and renames it to `PATH` afterwards.
    """
    for fields in _rows("/proc/net/unix"):
        name = fields[7] if len(fields) > 7 else ""  # noqa: PLR2004 - most sockets have no name
        if name == path or (name.startswith(f"{path}.") and name[len(path) + 1 :].isdigit()):
            if int(fields[3], 16) & flags == flags:
                yield fields[6]


def _rows(file: str) -> Iterator[list[str]]:
    """Yield the fields of each line of a file of /proc/net; none if it cannot be read."""
    with suppress(OSError), open(file, encoding="utf-8", errors="surrogateescape") as lines:
        next(lines, None)  # the names of the columns
        for _, line in zip(range(MAX_SOCKETS), lines, strict=False):
            yield line.rstrip("\n").split(maxsplit=7 if file.endswith("unix") else -1)


def _packed(text: str) -> bytes:
    """Return an address of /proc/net/tcp in network byte order: four bytes for IPv4."""
    data = bytes.fromhex(text)
    if sys.byteorder == "little":
        words = (data[i : i + WORD_BYTES] for i in range(0, len(data), WORD_BYTES))
        data = b"".join(word[::-1] for word in words)
    return data.removeprefix(MAPPED_PREFIX)


def _overlap(one: bytes, other: bytes | None) -> bool:
    """Whether two addresses conflict on one port: they are equal, or one is the wildcard.

    The wildcard of IPv6 includes IPv4, unlike that of IPv4.  None is an unknown address.
    """
    if other is None:
        return True
    if len(one) != len(other):
        return not any(one if len(one) > len(other) else other)
    return one == other or not any(one) or not any(other)


def holder_of(inodes: Iterable[str]) -> Holder | None:
    """Return the first process that has one of these sockets open, None if none is visible."""
    links = {f"socket:[{inode}]" for inode in inodes}
    if not links:
        return None
    looked_at = 0
    with suppress(OSError):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with suppress(OSError):  # it has exited, or belongs to another user
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    looked_at += 1
                    if looked_at > MAX_FDS:
                        return None
                    if _link(f"/proc/{pid}/fd/{fd}") in links:
                        return Holder(int(pid), _name(pid))
    return None


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _name(pid: str) -> str:
    """Return the name of a process, which the process itself may choose."""
    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
        return one_line(file.read().rstrip("\n"), MAX_NAME_CHARS)
