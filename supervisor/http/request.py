"""One request, as a value: what the client has sent, and who it is.

`reception` creates requests, handlers read them and return responses.  The names of the attributes
are medusa's, because plugins read them too.
"""

from __future__ import annotations

import binascii
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from supervisor.config.model import ServerConfig
    from supervisor.http.http1 import Head
    from supervisor.http.peer import Peer

LOGGED_NAME_CHARS: Final = 64
"""Length of the names of users in the log and in histories."""

URI: Final = r"([^;?#]*)(;[^?#]*)?(\?[^#]*)?(#.*)?"


class Request:
    """One request; `body` is empty until all of it has arrived.

    `header` has the lines of the header, `fields` the values by lower-case name.
    """

    def __init__(self, head: Head, peer: Peer, server: ServerConfig) -> None:
        """Describe a request of `peer` to the server with the configuration `server`."""
        self.command = head.command
        self.uri = head.uri
        self.version = head.version
        self.header = list(head.lines)
        self.fields: Mapping[str, str] = head.fields  # shared by requests with the same head
        self.keep_alive = head.keep_alive
        self.body = b""
        self.peer = peer
        self.server = server

    @property
    def request_line(self) -> str:
        """The first line of the request, as it is logged."""
        return f"{self.command} {self.uri} HTTP/{self.version}"

    def get_header(self, name: str) -> str | None:
        """Return the value of a header field; `name` is case-insensitive."""
        return self.fields.get(name.lower())

    @property
    def client(self) -> str:
        """The client, for people: its address or process, and the user that it claims to be."""
        given = basic_credentials(self.get_header("authorization") or "")
        if given is None or not self.server.username:
            return self.peer.description
        return f"{shown_user(given[0])} ({self.peer.description})"

    def split_uri(self) -> tuple[str, str | None, str | None, str | None]:
        """Return (path, params, query, fragment); all but the path include their delimiter."""
        match = re.fullmatch(URI, self.uri)
        if match is None:
            raise ValueError("Broken URI")
        path, params, query, fragment = match.groups()
        return path, params, query, fragment


def basic_credentials(authorization: str) -> tuple[bytes, bytes] | None:
    """Return (name, password) of a Basic Authorization (RFC 7617), None for anything else."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = binascii.a2b_base64(encoded.strip(), strict_mode=True)
    except ValueError:
        return None
    name, colon, password = decoded.partition(b":")
    return (name, password) if colon else None


def shown_user(name: bytes) -> str:
    """Return the name of a user as it is shown."""
    return name.decode(errors="replace")[:LOGGED_NAME_CHARS]
