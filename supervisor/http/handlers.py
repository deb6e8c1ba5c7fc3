"""Handlers: authentication, followed logs, static files.

`supervisord` creates them and passes them to a server, in the order in which they are tried.
Plugins create some of them too, so their names and the arguments of their constructors are fixed.
"""

from __future__ import annotations

import os
import stat

from supervisor import http
from supervisor.common import log_positions
from supervisor.common.namespec import split_namespec
from supervisor.engine.installation import UI_FOLDER, kept
from supervisor.http import http1
from supervisor.http.bodies import TAIL_BYTES, FollowedFile
from supervisor.http.handling import Gate, Handler
from supervisor.http.request import basic_credentials, shown_user
from supervisor.http.response import Incident, Response, error_response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from supervisor.http.request import Request
    from supervisor.http.response import Reply
    from supervisor.process.daemon_protocol import Daemon

FAILED_LOGINS: Final = "failed logins"

EVENT_STREAM: Final = "text/event-stream"
"""The value of Accept of a page that reconnects to its stream by itself."""

QUIET_SCHEME: Final = "X-Basic"
"""A scheme for which browsers do not prompt: the page tells its reader that the login has ended."""


# -- authentication ------------------------------------------------------------


class supervisor_auth_handler(Gate):
    """HTTP Basic authentication in front of another handler.

    A password is in plain text, or `{SHA}` followed by its SHA-1 in hexadecimal digits.
    """

    realm = "default"

    def __init__(self, users: Mapping[str, str], handler: Any) -> None:
        self.users = users
        self.handler = handler

    def match(self, request: Request) -> bool:
        """Whether the handler behind this one matches the request."""
        return bool(self.handler.match(request))

    def admit(self, request: Request) -> Any:
        """Return the handler behind this one if the name and the password are valid, else 401."""
        given = basic_credentials(request.get_header("authorization") or "")
        if given is not None and any(self._are_good(*pair) for pair in _in_utf8(*given)):
            return self.handler
        incident = None
        if given is not None:
            name = shown_user(given[0])
            text = f"{request.peer.description}: login failed for user {name!r}"
            incident = Incident(FAILED_LOGINS, text)
        is_quiet = request.get_header("accept") == EVENT_STREAM
        scheme = QUIET_SCHEME if is_quiet else "Basic"
        fields = {"Connection": "close", "WWW-Authenticate": f'{scheme} realm="{self.realm}"'}
        return error_response(401, fields=fields, incident=incident)

    def _are_good(self, name: bytes, password: bytes) -> bool:
        """Compare in constant time, so that timing reveals no prefix."""
        is_good = False
        for user, expected in self.users.items():
            is_user = _same(user.encode(), name)
            is_password = _is_password(expected, password)
            is_good |= is_user and is_password
        return is_good


def _in_utf8(name: bytes, password: bytes) -> list[tuple[bytes, bytes]]:
    """Return the credentials in UTF-8: unchanged, and decoded as latin-1.

    RFC 7617 leaves the encoding to the client, which does not declare it.
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
    import hmac  # imports OpenSSL, which a daemon without passwords does not need

    return hmac.compare_digest(one, other)


# -- followed logs -------------------------------------------------------------


FROM: Final = f"?{log_positions.PARAMETER}="
"""Query of a client that can resume."""


class _FollowHandler(Handler):
    """Handler that responds to a GET with an endless log file."""

    prefix: str

    def __init__(self, supervisord: Daemon) -> None:
        self.supervisord = supervisord

    def match(self, request: Request) -> bool:
        """Whether the path begins with the prefix."""
        return request.uri.startswith(self.prefix)

    def logfile(self, path: str) -> Any:
        """Return the path of the file to follow, or anything else if there is none."""
        raise NotImplementedError

    def respond(self, request: Request) -> Reply:
        """Return the end of the log, then all that is appended to it."""
        if request.command != "GET":
            return error_response(400)
        logfile = self.logfile(_path(request))
        try:
            # Looked up by the name under which Supvisors' tests replace it.
            producer = http.tail_f_producer(request, logfile, TAIL_BYTES)
            modified = os.stat(logfile)[stat.ST_MTIME]
        except OSError:
            return error_response(404)
        fields = {
            "Last-Modified": http1.http_date(modified),
            "Content-Type": "text/plain;charset=utf-8",
            "X-Content-Type-Options": "nosniff",  # a browser might render a log as HTML
            "X-Accel-Buffering": "no",  # nginx would buffer the lines
        }
        begin = request.split_uri()[2] or ""
        if begin.startswith(FROM) and isinstance(producer, FollowedFile):
            fields[log_positions.FIELD] = str(producer.begin_at(begin.removeprefix(FROM)))
        return Response(200, fields, [producer])


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
        # By its flat name: tests of plugins (Supvisors) have process configs of their own.
        return getattr(process.config, f"{stream or 'stdout'}_logfile")


class mainlogtail_handler(_FollowHandler):
    """`/mainlogtail`: the activity log."""

    prefix = "/mainlogtail"

    def logfile(self, path: str) -> Any:  # noqa: ARG002 - there is only one
        """Return the activity log; the path is ignored."""
        return self.supervisord.options.logfile


def _path(request: Request) -> str:
    """Return the path of a request, with its escapes decoded."""
    path = request.split_uri()[0]
    if "%" not in path:
        return path
    from urllib.parse import unquote

    return unquote(path)


# -- static files --------------------------------------------------------------

# Only the files that a page needs; the templates beside them are not served.
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


class default_handler(Handler):
    """Fallback handler: style sheets, scripts and images, or 404."""

    def __init__(self, folder: str = UI_FOLDER) -> None:
        self.folder = folder

    def match(self, request: Request) -> bool:  # noqa: ARG002 - everything is
        """Return True: every request matches."""
        return True

    def respond(self, request: Request) -> Reply:
        """Return a file of the folder."""
        if request.command not in {"GET", "HEAD"}:
            return error_response(400)
        path = _path(request)
        content_type = CONTENT_TYPES.get(os.path.splitext(path)[1])
        if content_type is None or ".." in path.split("/"):
            return error_response(404)
        try:
            content, modified_ns = kept.read(os.path.join(self.folder, path.lstrip("/")))
        except (OSError, ValueError):
            return error_response(404)
        modified = modified_ns // 1_000_000_000
        condition = request.get_header("if-modified-since") or ""
        if http1.is_unmodified(condition, modified, len(content)):
            return error_response(304)
        fields = {
            "Last-Modified": http1.http_date(modified),
            "Content-Type": content_type,
            "X-Content-Type-Options": "nosniff",
        }
        return Response(200, fields, [content])
