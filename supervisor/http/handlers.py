"""Handlers: who may ask, followed logs, static files (floor 5).

`supervisord` makes them and hands them to a server, in the order in which they are asked.
Plugins make some of them too, hence their names and what they are constructed with.
"""

from __future__ import annotations

import binascii
import os
import stat

from supervisor import http
from supervisor.http import wire
from supervisor.http.bodies import TAIL_BYTES
from supervisor.namespec import split_namespec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from supervisor.daemon import Daemon
    from supervisor.http.request import Request
    from supervisor.http.server import Handler

LOGGED_NAME_CHARS: Final = 64

UI_FOLDER: Final = os.path.join(os.path.dirname(os.path.dirname(__file__)), "ui")


# -- who may ask ---------------------------------------------------------------


class supervisor_auth_handler:
    """Lets another handler answer those who know a name and its password.

    A password is plain, or `{SHA}` followed by the hexadecimal SHA-1 of it.
    """

    realm = "default"

    def __init__(self, users: Mapping[str, str], handler: Handler) -> None:
        self.users = users
        self.handler = handler

    def match(self, request: Request) -> bool:
        """Whether the request is for the handler behind this one."""
        return self.handler.match(request)

    def admits(self, request: Request) -> bool:
        """Whether the request carries a good name and password; answers 401 if not."""
        given = _credentials(request.get_header("authorization") or "")
        if given is not None and any(self._are_good(*pair) for pair in _in_utf8(*given)):
            request.admitted_by = self
            return True
        if given is not None:
            name = given[0].decode(errors="replace")[:LOGGED_NAME_CHARS]
            channel = request.channel
            channel.server.failed_logins.log(
                channel.client.origin,
                f"{channel.client.description}: login failed for user {name!r}",
            )
        request["Connection"] = "close"
        request["WWW-Authenticate"] = f'Basic realm="{self.realm}"'
        request.error(401)
        return False

    def handle_request(self, request: Request) -> None:
        """Let the handler behind this one answer, or answer 401."""
        if request.admitted_by is self or self.admits(request):
            self.handler.handle_request(request)

    def _are_good(self, name: bytes, password: bytes) -> bool:
        """Compare in constant time, so that guessing a prefix does not pay."""
        is_good = False
        for user, expected in self.users.items():
            is_user = _same(user.encode(), name)
            is_password = _is_password(expected, password)
            is_good |= is_user and is_password
        return is_good


def _credentials(authorization: str) -> tuple[bytes, bytes] | None:
    """Return (name, password) of a Basic Authorization (RFC 7617), None if it is none."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = binascii.a2b_base64(encoded.strip(), strict_mode=True)
    except ValueError:
        return None
    name, colon, password = decoded.partition(b":")
    return (name, password) if colon else None


def _in_utf8(name: bytes, password: bytes) -> list[tuple[bytes, bytes]]:
    """Return the credentials as UTF-8: as they are, and as if they were latin-1.

    RFC 7617 leaves the encoding to the client, which does not name it.
    """
    pairs = [(name, password)]
    if not (name.isascii() and password.isascii()):
        pairs.append((_from_latin_1(name), _from_latin_1(password)))
    return pairs


def _from_latin_1(text: bytes) -> bytes:
    return text.decode("latin-1").encode()


def _is_password(expected: str, given: bytes) -> bool:
    if expected.startswith("{SHA}"):
        import hashlib

        digest = hashlib.sha1(given, usedforsecurity=False).hexdigest()
        return _same(expected[5:].encode(), digest.encode())
    return _same(expected.encode(), given)


def _same(one: bytes, other: bytes) -> bool:
    import hmac  # pulls in OpenSSL, which a daemon without passwords has no use for

    return hmac.compare_digest(one, other)


# -- followed logs -------------------------------------------------------------


class _FollowHandler:
    """Answers a GET with a log file that never ends."""

    prefix: str

    def __init__(self, supervisord: Daemon) -> None:
        self.supervisord = supervisord

    def match(self, request: Request) -> bool:
        """Whether the path is one of ours."""
        return request.uri.startswith(self.prefix)

    def logfile(self, path: str) -> Any:
        """Return the file to follow: its path, or anything else if there is none."""
        raise NotImplementedError

    def handle_request(self, request: Request) -> None:
        """Send the end of the log, and whatever is written to it from then on."""
        if request.command != "GET":
            request.error(400)
            return
        logfile = self.logfile(_path(request))
        try:
            # Asked for by the name under which Supvisors' tests replace it.
            producer = http.tail_f_producer(request, logfile, TAIL_BYTES)
            modified = os.stat(logfile)[stat.ST_MTIME]
        except OSError:
            request.error(404)
            return
        request["Last-Modified"] = wire.http_date(modified)
        request["Content-Type"] = "text/plain;charset=utf-8"
        request["X-Content-Type-Options"] = "nosniff"  # a log may look like a page
        request["X-Accel-Buffering"] = "no"  # nginx would keep the lines to itself
        request.push(producer)
        request.done()


class logtail_handler(_FollowHandler):
    """`/logtail/NAME[/stdout|/stderr]`: the log of a process."""

    prefix = "/logtail"

    def logfile(self, path: str) -> Any:
        """Return the log that a path names, None if there is no such process or stream."""
        _, _, rest = path.partition(f"{self.prefix}/")
        name, _, stream = rest.partition("/")
        group_name, process_name = split_namespec(name)
        group = self.supervisord.process_groups.get(group_name)
        process = group.processes.get(process_name or "") if group is not None else None
        if process is None or stream not in {"", "stdout", "stderr"} or rest.endswith("/"):
            return None
        return getattr(process.config, f"{stream or 'stdout'}_logfile")


class mainlogtail_handler(_FollowHandler):
    """`/mainlogtail`: the activity log."""

    prefix = "/mainlogtail"

    def logfile(self, path: str) -> Any:  # noqa: ARG002 - there is only one
        """Return the activity log, whatever follows the prefix."""
        return self.supervisord.options.logfile


def _path(request: Request) -> str:
    """Return the path of a request, with what was escaped in it."""
    path = request.split_uri()[0]
    if "%" not in path:
        return path
    from urllib.parse import unquote

    return unquote(path)


# -- static files --------------------------------------------------------------

# Only what a page needs; the templates beside these files are nobody's business.
CONTENT_TYPES: Final = {
    ".css": "text/css",
    ".eot": "application/vnd.ms-fontobject",
    ".gif": "image/gif",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".woff": "font/woff",
}


class default_handler:
    """Takes whatever nobody else has taken: style sheets and images, or 404."""

    def __init__(self, folder: str = UI_FOLDER) -> None:
        self.folder = folder

    def match(self, request: Request) -> bool:  # noqa: ARG002 - everything is
        """Whether the request is ours: every one is."""
        return True

    def handle_request(self, request: Request) -> None:
        """Send a file of the folder."""
        if request.command not in {"GET", "HEAD"}:
            request.error(400)
            return
        path = _path(request)
        content_type = CONTENT_TYPES.get(os.path.splitext(path)[1])
        if content_type is None or ".." in path.split("/"):
            request.error(404)
            return
        try:
            with open(os.path.join(self.folder, path.lstrip("/")), "rb") as file:
                modified = int(os.fstat(file.fileno()).st_mtime)
                content = file.read()
        except (OSError, ValueError):
            request.error(404)
            return
        condition = request.get_header("if-modified-since") or ""
        if wire.is_unmodified(condition, modified, len(content)):
            request.error(304)
            return
        request["Last-Modified"] = wire.http_date(modified)
        request["Content-Type"] = content_type
        request["X-Content-Type-Options"] = "nosniff"
        request.push(content)
        request.done()
