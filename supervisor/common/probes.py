"""Probes: a URL or a command that shows whether a program works.

    tcp://127.0.0.1:5432            a connection is accepted
    unix:///run/app.sock            the same, on a unix socket
    http://127.0.0.1:8000/health    the response has a status from 200 to 399
    https://example.org/            the same; the certificate must be valid
    pg_isready -q                   the command exits with 0; there is no shell

This module has the parts without I/O: `parse_probe` for the configuration, and for those who run
a probe (`engine.probe_socket`, `engine.probe_child`) the request, the parser of the response
and the texts of failures.
"""

from __future__ import annotations

import errno
import os
import re

from supervisor.common.addresses import TcpAddress, pack
from supervisor.common.records import record

COMMAND, TCP, UNIX, HTTP, HTTPS = "command", "tcp", "unix", "http", "https"

DEFAULT_PORTS = {HTTP: 80, HTTPS: 443}
KNOWN_SCHEMES = (HTTP, HTTPS, TCP, UNIX)

LOOPBACK_HOSTS = ("127.0.0.1", "::1")

MAX_SOCKET_PATH_BYTES = 107
"""Longest path of a unix socket, without the NUL byte (unix(7))."""

MAX_PORT = 65535
MAX_PORT_DIGITS = 5

MAX_HEAD_BYTES = 8192
"""Size within which the status line of a response must end, interim responses included."""

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_AUTHORITY = re.compile(r"(\[[^]]*\]|[^:[]*)(?::(.*))?", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_ZONE = re.compile(r"%(?:25)?([A-Za-z0-9._-]+)")


@record(frozen=True)
class Probe:
    """A parsed probe; `text` is its source.

    `scheme` is `COMMAND` or that of the URL, and decides which other fields are set: `argv`, the
    `path` of a socket, `address`, or `address` and `target` (RFC 9112, 3.2.1).
    """

    text: str
    scheme: str
    argv: tuple[str, ...] = ()
    path: str = ""
    address: TcpAddress | None = None
    target: str = ""

    @property
    def known_addresses(self) -> tuple[TcpAddress, ...]:
        """The addresses to try in turn, if neither a name has to be looked up nor TLS is used.

        `localhost` needs no lookup (RFC 6761, 6.3).
        """
        if self.address is None or self.scheme == HTTPS:
            return ()
        if self.address.host == "localhost":
            return tuple([TcpAddress(host, self.address.port) for host in LOOPBACK_HOSTS])
        return (self.address,) if pack(self.address.host) is not None else ()

    @property
    def request(self) -> bytes:
        """The HTTP request to send, empty if a connection is enough."""
        if self.address is None or not self.target:
            return b""
        default = DEFAULT_PORTS[self.scheme]
        host = str(self.address)
        if self.address.port == default:
            host = host.removesuffix(f":{default}")
        lines = (
            f"GET {self.target} HTTP/1.1",
            f"Host: {host}",
            "User-Agent: supervisor",
            "Accept: */*",
            "Connection: close",
        )
        return "\r\n".join((*lines, "", "")).encode("ascii")


# -- from text -------------------------------------------------------------------


def parse_probe(text: str) -> Probe:
    """Parse a probe; raises `ValueError` with a reason for users."""
    text = text.strip()
    found = _URL.fullmatch(text)
    if found is None:
        return Probe(text, COMMAND, argv=_split_command(text))
    scheme, rest = found[1].lower(), found[2]
    if scheme not in KNOWN_SCHEMES:
        known = ", ".join(KNOWN_SCHEMES)
        raise ValueError(f"unknown scheme {found[1]!r} in {text!r} (known: {known})")
    if scheme == UNIX:
        return Probe(text, UNIX, path=_check_path(rest, text))
    if not all("!" <= character <= "~" for character in rest):
        raise ValueError(f"blanks and non-ASCII characters must be percent-encoded in {text!r}")
    end = re.search(r"[/?#]|$", rest)
    place = end.start() if end else len(rest)
    authority, target = rest[:place], rest[place:].partition("#")[0]
    address = _parse_address(authority, DEFAULT_PORTS.get(scheme), text)
    if scheme != TCP:
        target = target if target.startswith("/") else f"/{target}"
    elif place < len(rest):
        raise ValueError(f"nothing may follow the port in {text!r}")
    return Probe(text, scheme, address=address, target=target)


def _split_command(text: str) -> tuple[str, ...]:
    import shlex

    try:
        argv = tuple(shlex.split(text))
    except ValueError as error:
        raise ValueError(f"can't parse command {text!r}: {error}") from None
    if not argv or not argv[0]:
        raise ValueError("command is empty")
    if "\0" in text:
        raise ValueError(f"command {text!r} contains a NUL character")
    return argv


def _check_path(path: str, text: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"the path of the socket is not absolute in {text!r} (unix:///PATH)")
    if "\0" in path:
        raise ValueError(f"{text!r} contains a NUL character")
    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
        raise ValueError(
            f"the path of the socket is longer than {MAX_SOCKET_PATH_BYTES} bytes in {text!r}"
        )
    return path


def _parse_address(authority: str, default_port: int | None, text: str) -> TcpAddress:
    if "@" in authority:
        raise ValueError(f"a user in the URL is not supported in {text!r}")
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise ValueError(f"bad host {authority!r} in {text!r}")
    return TcpAddress(_parse_host(found[1], text), _parse_port(found[2], default_port, text))


def _parse_host(host: str, text: str) -> str:
    if host.startswith("["):
        literal, percent, _ = host[1:-1].partition("%")
        zone = _ZONE.fullmatch(host[1 + len(literal) : -1])
        if ":" not in literal or pack(literal) is None or (percent and zone is None):
            raise ValueError(f"{host} is not an IPv6 address in {text!r}")
        # An address with a zone counts as a name: only `getaddrinfo` knows its number.
        return literal.lower() + (f"%{zone[1]}" if zone else "")
    if not _NAME.fullmatch(host):
        reason = f"bad host {host!r}" if host else "no host"
        raise ValueError(f"{reason} in {text!r}")
    return host.lower()


def _parse_port(port: str | None, default: int | None, text: str) -> int:
    if port is None and default is not None:
        return default
    if port is None:
        raise ValueError(f"no port in {text!r}")
    is_number = port.isdigit() and len(port) <= MAX_PORT_DIGITS
    if not is_number or not 0 < int(port) <= MAX_PORT:
        raise ValueError(f"bad port {port!r} in {text!r}")
    return int(port)


# -- responses and failures --------------------------------------------------------

NO_RESPONSE = "connection closed without a response"
NO_HTTP = "not an HTTP response"

LACKING = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
"""Errors of a host that lacks resources; EAGAIN of connect(2) is a server with a full queue."""

_START = b"HTTP/1."
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9][0-9])(?: .*)?\r?", re.DOTALL)

SWITCHING_PROTOCOLS, SUCCESS, CLIENT_ERROR = 101, 200, 400
"""Statuses: the only final one below 200, the first success, the first error (RFC 9110, 15)."""


class StatusReader:
    """Parser of the status of an HTTP response, without the rest (RFC 9112, 4).

    A pure machine; interim responses (1xx) are skipped.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._bytes = 0
        self._is_interim = False

    def feed(self, data: bytes) -> int | None:
        """Add received bytes; return the status once it is known.

        Raises `ValueError` if this is not a response.
        """
        self._buffer += data
        while True:
            line, newline, rest = self._buffer.partition(b"\n")
            if self._bytes + len(line) >= MAX_HEAD_BYTES:
                raise ValueError(NO_HTTP)
            if not self._is_interim and line[: len(_START)] != _START[: len(line)]:
                raise ValueError(NO_HTTP)
            if not newline:
                return None
            self._buffer = rest
            self._bytes += len(line) + 1
            if self._is_interim:
                self._is_interim = line not in {b"", b"\r"}
                continue
            found = _STATUS_LINE.fullmatch(line)
            if found is None:
                raise ValueError(NO_HTTP)
            status = int(found[1])
            if status >= SUCCESS or status == SWITCHING_PROTOCOLS:
                return status
            self._is_interim = True


def judge_status(status: int) -> str | None:
    """Return why a status means failure, None if it means success."""
    return None if SUCCESS <= status < CLIENT_ERROR else f"HTTP {status}"


class NotRun(str):
    """The reason why a probe could not be run, which says nothing about the program."""

    __slots__ = ()


def failure_reason(error: OSError) -> str:
    """Return the reason of a failed connection or start, a `NotRun` if the host lacks resources."""
    text = failure_text(error)
    return NotRun(text) if error.errno in LACKING else text


def failure_text(error: OSError) -> str:
    """Return the reason of a failed connection: `connection refused`."""
    detail = getattr(error, "verify_message", "")  # of an `ssl.SSLCertVerificationError`
    text = f"bad certificate: {detail}" if detail else _text_of(error)
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _text_of(error: OSError) -> str:
    if isinstance(error, TimeoutError) or not error.errno:
        return str(error) or type(error).__name__
    return error.strerror or os.strerror(error.errno)


def timeout_text(seconds: float) -> str:
    """Return the reason of a probe that took too long."""
    return f"timed out after {seconds:g} second{'' if seconds == 1 else 's'}"
