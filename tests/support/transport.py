"""XML-RPC over a unix socket, for tests: independent of the package under test."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection to the unix socket at `path`."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        """Connect to the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self.path)
        except OSError:
            self.sock.close()
            self.sock = None
            raise


class UnixTransport(xmlrpc.client.Transport):
    """A transport of `xmlrpc.client` for the unix socket at `path`."""

    def __init__(self, path: str, timeout: float = 30) -> None:
        super().__init__()
        self.path = path
        self.timeout = timeout

    def make_connection(self, host: str) -> http.client.HTTPConnection:
        """Return the kept connection, or a new one."""
        if self._connection[1] is None:
            self._connection = host, UnixConnection(self.path, self.timeout)
        connection = self._connection[1]
        assert isinstance(connection, http.client.HTTPConnection)
        return connection


def proxy(path: str, timeout: float = 30) -> xmlrpc.client.ServerProxy:
    """Return a proxy for the daemon that listens at `path`; close it with `proxy("close")()`."""
    return xmlrpc.client.ServerProxy("http://localhost/RPC2", UnixTransport(path, timeout))
