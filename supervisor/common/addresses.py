"""TCP addresses, in the notations of files, URLs and the kernel.

`config.servers` parses them, `sockets` listens on them, `http.csrf` compares them.  One rule
applies to all: a host has no brackets; `str` and `url` add them where RFC 3986 requires them.
"""

from __future__ import annotations

import socket

from supervisor.common.records import record
from supervisor.datatypes import inet_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EVERY_INTERFACE = frozenset({"", "::"})

IPV4_MAPPED = "::ffff:"
"""Prefix of an IPv4 peer's address on a dual-stack socket (RFC 4291, 2.5.5.2)."""


@record(frozen=True)
class TcpAddress:
    """A host, in lower case and without brackets, and a port.

    The host `''` means all IPv4 interfaces, `::` all interfaces of both families.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> TcpAddress:
        """Parse `host:port`, `[IPv6]:port`, `*:port` or `port`.

        Raises `ValueError` with the messages of `datatypes.inet_address`.
        """
        host, port = inet_address(text)
        if host.startswith("[") and host.endswith("]") and ":" in host:
            host = host[1:-1]
        return cls(host, port)

    @classmethod
    def of_socket(cls, name: tuple[Any, ...]) -> TcpAddress:
        """Convert an address from `getsockname` or `accept`."""
        host, port = name[:2]
        if "." in host:
            host = host.removeprefix(IPV4_MAPPED)
        return cls(host, port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL for clients on this machine to connect to a server at this address."""
        local = TcpAddress("localhost", self.port) if self.host in EVERY_INTERFACE else self
        return f"http://{local}"

    @property
    def family(self) -> socket.AddressFamily:
        """The socket family; as in Supervisor 4, a name resolves to IPv4 only."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3).

        `localhost` is the only name that counts.  For other names, check the bound address.
        """
        if self.host in {"localhost", "::1"}:
            return True
        packed = pack(self.host.removeprefix(IPV4_MAPPED)) or b""
        return packed[:1] == b"\x7f" and len(packed) == 4  # noqa: PLR2004 - size of an IPv4 address


def pack(host: str) -> bytes | None:
    """Return the bytes of a numeric IPv4 or IPv6 address, None for a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
    return None
