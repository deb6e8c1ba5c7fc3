"""TCP addresses, in the forms in which files, URLs and the kernel write them (floor 0).

`config.servers` reads them, `sockets` listens on them, `http.guard` compares them.  The one
rule that they share: a host has no brackets; `str` and `url` add them where RFC 3986 wants them.
"""

from __future__ import annotations

import socket

from supervisor.datatypes import inet_address
from supervisor.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EVERY_INTERFACE = frozenset({"", "::"})

IPV4_MAPPED = "::ffff:"
"""Prefix of an IPv4 peer of a socket that listens on both families (RFC 4291, 2.5.5.2)."""


@record(frozen=True)
class TcpAddress:
    """A host, in lower case and without brackets, and a port.

    The host `''` means every IPv4 interface, `::` every interface of both families.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> TcpAddress:
        """Return the address of `host:port`, `[IPv6]:port`, `*:port` or `port`.

        Raises `ValueError` with the texts of `datatypes.inet_address`.
        """
        host, port = inet_address(text)
        if host.startswith("[") and host.endswith("]") and ":" in host:
            host = host[1:-1]
        return cls(host, port)

    @classmethod
    def of_socket(cls, name: tuple[Any, ...]) -> TcpAddress:
        """Return the address that `getsockname` or `accept` has returned."""
        host, port = name[:2]
        if "." in host:
            host = host.removeprefix(IPV4_MAPPED)
        return cls(host, port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL at which a client on this machine finds a server that listens here."""
        local = TcpAddress("localhost", self.port) if self.host in EVERY_INTERFACE else self
        return f"http://{local}"

    @property
    def family(self) -> socket.AddressFamily:
        """The family of the socket; a name is looked up in IPv4, as in Supervisor 4."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3).

        Of names it knows `localhost` alone: ask the address that was bound.
        """
        if self.host in {"localhost", "::1"}:
            return True
        packed = pack(self.host.removeprefix(IPV4_MAPPED)) or b""
        return packed[:1] == b"\x7f" and len(packed) == 4  # noqa: PLR2004 - bytes of IPv4


def pack(host: str) -> bytes | None:
    """Return the bytes of a numeric IPv4 or IPv6 address, None for a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
    return None
